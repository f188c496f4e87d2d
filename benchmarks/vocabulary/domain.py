r"""A domain's language model at run time: error rates by weight.

    python -m benchmarks.vocabulary.domain mini-librispeech/dev excerpts80/dev --corpora CORPORA \
        --json domain.json

What is talked about is known from what was said before: the first half of each speaker's
utterances is the domain's text, the second half is recognised. Acoustic scores are computed once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.report import Row, add_json_option, output, print_rows, write_json
from benchmarks.vocabulary.spoken import Spoken, as_spoken
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.word_alignment import count_errors
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.domain import read_domain_lm

WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.5)


def halves(utterances: Sequence[Utterance]) -> tuple[list[Utterance], list[Utterance]]:
    """The first and the second half of each speaker's utterances."""
    by_speaker: dict[str, list[Utterance]] = {}
    for one in utterances:
        by_speaker.setdefault(one.speaker, []).append(one)
    first, second = [], []
    for spoken in by_speaker.values():
        spoken.sort(key=lambda utterance: utterance.id)
        middle = (len(spoken) + 1) // 2
        first += spoken[:middle]
        second += spoken[middle:]
    return first, second


def measure(recognizer: Recognizer, spoken: Sequence[Spoken], missing: set[str]) -> Row:
    """Errors of both passes, and how many words that the model lacks are found."""
    first, second = ErrorCounts(), ErrorCounts()
    said = found = 0
    begin = time.process_time()
    for one in spoken:
        lattice = recognizer.first_pass(one.scores)
        words = recognizer.second_pass(lattice).best.words
        first += count_errors(one.words, recognizer.first_best(lattice).words)
        second += count_errors(one.words, words)
        said += sum(word in missing for word in one.words)
        found += sum(word in missing for word in words)
    frames = sum(len(one.scores) for one in spoken)
    return {
        "words": second.words,
        "errors of the first pass": first.errors,
        "errors": second.errors,
        "WER": second.wer,
        "new words said": said,
        "new words found": found,
        "ms per frame": 1000 * (time.process_time() - begin) / frames,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vocabulary.domain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--corpora", type=Path, default=Path(), help="Where the sets are.")
    parser.add_argument("--model", help="A model directory [default: English].")
    parser.add_argument("--weights", nargs="+", type=float, default=WEIGHTS)
    parser.add_argument("--utterances", type=int, help="Recognise at most so many of each set.")
    add_json_option(parser)
    options = parser.parse_args()
    base = Recognizer(options.model)
    tables: dict[str, list[Row]] = {}
    for name in options.sets:
        text, tested = halves(read_corpus(options.corpora / name).utterances)
        spoken = [as_spoken(base, one, one.words) for one in tested[: options.utterances]]
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "domain.txt"
            path.write_text("".join(f"{' '.join(one.words)}\n" for one in text), encoding="utf-8")
            domain = read_domain_lm(base.bundle, path)
        missing = {word.word for word in domain.words}
        output().print(f"{name}: text of {len(text)} utterances, {len(missing)} new words")
        rows: list[Row] = [{"weight": 0.0, "seconds to mix": 0.0, **measure(base, spoken, missing)}]
        for weight in options.weights:
            begin = time.process_time()
            recognizer = base.adapted(lm=domain.mixed(weight))
            seconds = time.process_time() - begin
            rows.append(
                {
                    "weight": weight,
                    "seconds to mix": seconds,
                    **measure(recognizer, spoken, missing),
                }
            )
        tables[name] = rows
        print_rows(name, rows)
    write_json(options.json, tables)


if __name__ == "__main__":
    main()
