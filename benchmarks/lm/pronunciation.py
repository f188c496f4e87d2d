r"""The pronunciation model on words that are held out of the language's dictionary.

    python -m benchmarks.lm.pronunciation --json pronunciation.json

The words whose SHA-1, divided by 20, leaves the remainder --part are held out with all their
pronunciations; a model is trained on the rest, and pronounces them. Phones are those without
stress; of a word's pronunciations, the nearest one counts, as with Sequitur and Phonetisaurus.
Part 0 is the test. Options are chosen on another part, and with --without 0 the test's words are
left out of training there, too.

--write DIR writes the two lists for other programs: train.dict, and test.words. --other FILE
measures what one of them made of the words: lines of a word and its phones.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.common.report import Row, add_json_option, output, print_rows, write_json
from recognizer.data.io.files import read_lines
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.rules import RULE_SETS, text_rules
from recognizer.evaluation.word_alignment import count_errors
from recognizer.lm.pronunciation.model import PronunciationModel
from recognizer.lm.pronunciation.training import PronunciationOptions, train_pronunciations

_PARTS = 20
_COMPARED = 50  # pronunciations, among which is the likeliest one


def part(word: str) -> int:
    """Which part of the words it belongs to."""
    return int(hashlib.sha1(word.encode()).hexdigest(), 16) % _PARTS


def measure(name: str, lexicon: Lexicon, found: Mapping[str, Sequence[str]]) -> Row:
    """Error rates of one pronunciation for each word."""
    errors = phones = wrong = 0
    for word in lexicon.words:
        given = found.get(word, ())
        best, length = min(
            (count_errors(entry.phones, given).errors, len(entry.phones)) for entry in lexicon[word]
        )
        errors += best
        phones += length
        wrong += best > 0
    return {
        "model": name,
        "words": len(lexicon.words),
        "phone errors": errors,
        "phone error rate": 100 * errors / phones,
        "word error rate": 100 * wrong / len(lexicon.words),
    }


def results(model: PronunciationModel, test: Lexicon) -> list[Row]:
    """The first pronunciation, which has the fewest expected errors, and the likeliest one."""
    words = test.words
    guesses = dict(zip(words, model.pronounce(words, _COMPARED), strict=True))
    first = {word: some[0].phones for word, some in guesses.items() if some}
    likeliest = {
        word: max(some, key=lambda guess: guess.probability).phones
        for word, some in guesses.items()
        if some
    }
    return [
        measure("fewest expected errors", test, first),
        measure("likeliest", test, likeliest),
    ]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lm.pronunciation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--text-rules", choices=RULE_SETS, default="english")
    parser.add_argument("--part", type=int, choices=range(_PARTS), default=0, metavar="N")
    parser.add_argument("--without", type=int, nargs="+", default=(), metavar="N")
    parser.add_argument("--order", type=int, default=PronunciationOptions().order)
    parser.add_argument("--ngrams", type=int, help="N-grams above unigrams [default: all].")
    parser.add_argument("--unstressed", action="store_true", help="Train without marks of stress.")
    parser.add_argument("--write", type=Path, metavar="DIR")
    parser.add_argument("--other", type=Path, metavar="FILE")
    add_json_option(parser)
    options = parser.parse_args()
    rules = text_rules(options.text_rules)
    dictionary = rules.dictionary()
    if dictionary is None:
        parser.error(f"--text-rules: {options.text_rules} has no dictionary")
    away = {options.part, *options.without}
    test = Lexicon(entry for entry in dictionary if part(entry.word) == options.part)
    train = Lexicon(entry for entry in dictionary if part(entry.word) not in away)
    if options.write is not None:
        lines = (f"{entry.word} {' '.join(entry.phones)}\n" for entry in train)
        (options.write / "train.dict").write_text("".join(lines), encoding="utf-8")
        (options.write / "test.words").write_text("\n".join(test.words) + "\n", encoding="utf-8")
    settings = PronunciationOptions(order=options.order, ngrams=options.ngrams)
    entries = train if options.unstressed else rules.with_stress(train)
    model = train_pronunciations(entries, settings, output().print)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.ngram"
        model.save(path)
        output().print(f"{path.stat().st_size / 1e6:.2f} MB")
    rows = results(model, test)
    if options.other is not None:
        other = {line.split()[0]: line.split()[1:] for line in read_lines(options.other) if line}
        rows.append(measure(options.other.name, test, other))
    print_rows("held-out words", rows)
    write_json(options.json, {"held-out words": rows})


if __name__ == "__main__":
    main()
