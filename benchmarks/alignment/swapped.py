"""Whether wrong transcripts are the most suspicious of a corpus.

A corpus in the layout of the Montreal Forced Aligner is made of one with correct transcripts: one
folder for each speaker. Some transcripts are swapped. The corpus is then validated and aligned as
the commands do it; of the two tables, the share of the swapped transcripts among as many utterances
at the top is printed, and how far the worst correct one is from them::

    python -m benchmarks.alignment.swapped DATA --utterances 60 --swapped 5

With ``--keep DIR`` the corpus stays in DIR, which must not be there, to be tried by hand::

    recognizer validate DIR --output-dir checked        # checked/transcripts.csv, the worst first
    recognizer align DIR --output-dir aligned           # aligned/quality.csv, likewise
"""

from __future__ import annotations

import argparse
import random
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.alignment.corpus.aligners import open_model, read_aligner
from recognizer.alignment.corpus.corpus_alignment import align_corpus
from recognizer.alignment.corpus.validation import validate_corpus
from recognizer.data.corpora.corpus import Utterance, read_corpus

WRONG = 1000.0
"""Stands for the suspicion of an utterance that cannot be aligned at all."""


def write_swapped(
    utterances: list[Utterance], number: int, directory: Path, rng: random.Random
) -> list[str]:
    """Write a corpus in MFA's layout, some of whose transcripts are another utterance's.

    Returns:
        The utterances whose transcripts are wrong.
    """
    wrong = rng.sample(range(len(utterances)), number)
    said = {place: utterances[place].text for place in range(len(utterances))}
    for place, other in zip(wrong, [*wrong[1:], wrong[0]], strict=True):
        said[place] = utterances[other].text
    for place, utterance in enumerate(utterances):
        folder = directory / utterance.speaker
        folder.mkdir(parents=True, exist_ok=True)
        audio = utterance.audio.resolve()
        (folder / f"{utterance.id}{audio.suffix}").symlink_to(audio)
        (folder / f"{utterance.id}.lab").write_text(said[place], encoding="utf-8")
    return [utterances[place].id for place in wrong]


def measured(scores: dict[str, float], wrong: list[str]) -> dict[str, float]:
    """How a score separates wrong transcripts (high) from correct ones."""
    top = sorted(scores, key=lambda key: -scores[key])[: len(wrong)]
    return {
        "found": len(set(top) & set(wrong)),
        "of": len(wrong),
        "lowest_wrong": round(min(scores[key] for key in wrong), 2),
        "highest_correct": round(max(scores[key] for key in scores if key not in wrong), 2),
    }


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="corpus with correct transcripts, every file an utterance")
    parser.add_argument("--model", help="model directory or trained aligner [default: English]")
    parser.add_argument("--utterances", type=int, default=60)
    parser.add_argument("--swapped", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the corpus stays")
    parser.add_argument("--jobs", type=int)
    add_json_option(parser)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    chosen = read_corpus(arguments.data).spread(arguments.utterances)
    with ExitStack() as stack:
        folders = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folders.mkdir(parents=True, exist_ok=arguments.keep is None)
        wrong = write_swapped(list(chosen), arguments.swapped, folders, rng)
        corpus = read_corpus(folders)
        opened = open_model(arguments.model)
        heard = validate_corpus(corpus, opened, jobs=arguments.jobs).heard
        aligner, corpus = read_aligner(opened, corpus)
        aligned = align_corpus(corpus, aligner, jobs=arguments.jobs)
    rates = {one.id: WRONG for one in corpus} | {
        key: one.word_error_rate for key, one in heard.items()
    }
    suspicions = {one.id: WRONG for one in corpus} | {
        key: one.suspicion for key, one in aligned.quality.items()
    }
    rows = [
        {"table": "transcripts.csv (word error rate)", **measured(rates, wrong)},
        {"table": "quality.csv (suspicion)", **measured(suspicions, wrong)},
    ]
    print_rows("Wrong transcripts", rows)
    print(f"swapped: {' '.join(wrong)}")
    write_json(arguments.json, {"tables": rows, "swapped": wrong})


if __name__ == "__main__":
    main()
