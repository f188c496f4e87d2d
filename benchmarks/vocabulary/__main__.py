r"""Words at run time: recall, precision, errors elsewhere, time and memory.

    python -m benchmarks.vocabulary mini-librispeech/dev excerpts80/dev --corpora CORPORA \
        --json vocabulary.json

Parts:

``unknown``: the words of the sets that the model lacks are added without pronunciations.
``distractors``: beside them, random words that nobody says: of the file --others, one a line, or
of the language's dictionary, of which a large model leaves few.
``beams``: as ``unknown``, with beams with which the search loses hardly anything.
``removed``: random words are taken out of the graph and added again.
``boost``: rare words that are said, and others, get a bonus.
``time``: how long it takes to add words and to search with them; memory that a list takes.
``grammar``: 100 commands, spoken by programs, through a grammar of them, commands that it lacks,
and 100 utterances of the sets, both of which are to be rejected.
``compile``: how long it takes to compile a list of sentences.

--vocabulary FILE takes all words out of the model's graph that the file does not have, one a line,
so that a model with a smaller vocabulary is measured: its unknown words are more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from benchmarks.common.report import Row, add_json_option, output, print_rows, write_json
from benchmarks.vocabulary.grammar import OUTSIDE, compile_times, grammar
from benchmarks.vocabulary.phrases import boost
from benchmarks.vocabulary.spoken import read_spoken
from benchmarks.vocabulary.words import (
    Vocabulary,
    distractors,
    removed,
    times,
    unknown_and_distractors,
    unknown_words,
)
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.io.files import read_lines
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.grammar import REJECTION_COST
from recognizer.vocabulary.phrases import BONUS_OF_A_WORD
from recognizer.vocabulary.words import UNKNOWN_LOG_WEIGHT

PARTS = ("unknown", "distractors", "beams", "removed", "boost", "time", "grammar", "compile")
_OF_WORDS = {"unknown", "distractors", "beams"}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vocabulary",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--corpora", type=Path, default=Path(), help="Where the sets are.")
    parser.add_argument("--model", help="A model directory [default: English].")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--utterances", type=int, help="At most so many of each set.")
    parser.add_argument("--unknown-only", action="store_true", help="Only those with such words.")
    parser.add_argument("--vocabulary", type=Path, metavar="FILE", help="Words of the graph.")
    parser.add_argument("--distractors", type=int, default=1000)
    parser.add_argument("--others", type=Path, metavar="FILE", help="Words to take these from.")
    parser.add_argument("--removed", type=int, default=200)
    for name, default, of in (
        ("--log-weights", UNKNOWN_LOG_WEIGHT, "unknown words beside <unk>, natural log"),
        ("--bonuses", BONUS_OF_A_WORD, "boosted words, natural log"),
        ("--rejection-costs", REJECTION_COST, "leaving a grammar, natural log"),
    ):
        parser.add_argument(
            name, nargs="+", type=float, default=(default,), metavar="X", help=f"Of {of}."
        )
    parser.add_argument("--repeat", type=int, default=3, help="Passes of which the fastest counts.")
    parser.add_argument("--seed", type=int, default=1)
    add_json_option(parser)
    options = parser.parse_args()
    parts = set(options.parts)
    recognizer = Recognizer(options.model)
    kept = None if options.vocabulary is None else {*read_lines(options.vocabulary)}
    vocabulary = Vocabulary(recognizer, kept)

    def wanted(words: tuple[str, ...]) -> bool:
        return not (options.unknown_only and vocabulary.known.issuperset(words))

    tables: dict[str, list[Row]] = {}
    if parts - {"grammar", "compile"}:
        spoken = read_spoken(recognizer, options.corpora, options.sets, options.utterances, wanted)
        words = sum(len(one.words) for one in spoken)
        seconds = sum(one.seconds for one in spoken)
        output().print(f"{len(spoken)} utterances, {words} words, {seconds / 60:.1f} minutes")
        if parts & _OF_WORDS:
            others = distractors(
                vocabulary,
                _candidates(recognizer, options.others),
                unknown_words(vocabulary, spoken),
                options.distractors,
                options.seed,
            )
            tables["words that the model lacks"] = unknown_and_distractors(
                vocabulary, spoken, others, parts, options.log_weights
            )
        if "removed" in parts:
            tables["words removed and added again"] = removed(
                recognizer, spoken, options.removed, options.seed
            )
        if "boost" in parts:
            tables["rare words with a bonus"] = boost(
                recognizer, spoken, options.bonuses, options.seed
            )
        if "time" in parts:
            tables["time and memory"] = times(vocabulary, spoken, options.seed, options.repeat)
    if "grammar" in parts:
        utterances = [
            u for name in options.sets for u in read_corpus(options.corpora / name).utterances
        ]
        outside = [one.samples() for one in utterances[:OUTSIDE]]
        tables["a grammar of commands"] = grammar(recognizer, outside, options.rejection_costs)
    if "compile" in parts:
        tables["compiling a list of sentences"] = compile_times(recognizer)
    for title, rows in tables.items():
        print_rows(title, rows)
    write_json(options.json, tables)


def _candidates(recognizer: Recognizer, path: Path | None) -> Iterable[str]:
    """The words of a file, one a line, in their normal form; or those of the dictionary."""
    rules = recognizer.bundle.text_rules
    if path is not None:
        return [rules.normalize(line) for line in read_lines(path)]
    dictionary = rules.dictionary()
    return () if dictionary is None else dictionary.words


if __name__ == "__main__":
    main()
