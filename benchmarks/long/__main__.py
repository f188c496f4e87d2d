r"""A recording of hours: peak memory, speed, and word errors beside those of its sentences.

    python -m benchmarks.long mini-librispeech/dev excerpts80/dev --corpora CORPORA \
        --hours 10 --json long.json

The utterances of the corpora are joined, with pauses of 0.3 to 2 s, to a FLAC file in a temporary
folder, again and again in another order until it is long enough. A process of its own recognises
it in segments. Its words are compared with the transcripts of all sentences in a row, and so are
the words of the sentences that are recognised one by one. Where a word is right, its start is
compared with the one in the sentence alone. The fixed share of the memory is that of the same
process with a recording of a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.common.processes import measured
from benchmarks.common.report import Row, add_json_option, output, print_rows, write_json
from benchmarks.long.joined import Sentence, write_joined
from recognizer.data.corpora.corpus import Corpus, Utterance, read_corpus
from recognizer.data.io.console import progress_bar
from recognizer.evaluation.word_alignment import align, count_errors
from recognizer.recognition.result import Word
from recognizer.recognizer import Recognizer

ROOT = Path(__file__).parents[2]
_STRETCH_SECONDS = 600.0
"""Words are aligned over stretches of about this length that end in a pause."""

Spoken = tuple[str, float, float]


def one_by_one(
    recognizer: Recognizer, utterances: Sequence[Utterance], threads: int
) -> dict[str, tuple[Word, ...]]:
    """The words of each utterance recognised by itself."""
    found: dict[str, tuple[Word, ...]] = {}
    results = recognizer.recognize_all((one.samples() for one in utterances), threads)
    with progress_bar("sentences one by one", len(utterances)) as step:
        for utterance, result in zip(utterances, results, strict=True):
            found[utterance.id] = result.words
            step()
    return found


def recognized(
    path: Path, model: str | None, threads: int, directory: Path
) -> tuple[Row, list[Spoken], int]:
    """What a process takes that recognises a recording; its words and number of segments."""
    segments = directory / "segments.jsonl"
    command = [sys.executable, "-m", "benchmarks.long.worker", str(path), str(segments)]
    command += ["--threads", str(threads), *(["--model", model] if model else [])]
    taken = measured(command, cwd=ROOT)
    lines = [json.loads(line) for line in segments.read_text(encoding="utf-8").splitlines()]
    words = [tuple(word) for _, _, spoken in lines for word in spoken]
    return taken, words, len(lines)


def stretches(
    sentences: Sequence[Sentence], words: Sequence[Spoken]
) -> list[tuple[list[Sentence], list[Spoken]]]:
    """Sentences and words, cut in the middle of pauses."""
    cut: list[tuple[list[Sentence], list[Spoken]]] = []
    taken, begin = 0, 0
    for index, sentence in enumerate(sentences):
        last = index + 1 == len(sentences)
        if not last and sentence.end - sentences[begin].start < _STRETCH_SECONDS:
            continue
        until = np.inf if last else (sentence.end + sentences[index + 1].start) / 2
        end = taken
        while end < len(words) and words[end][1] + words[end][2] < 2 * until:
            end += 1
        cut.append((list(sentences[begin : index + 1]), list(words[taken:end])))
        taken, begin = end, index + 1
    return cut


def compared(
    sentences: Sequence[Sentence],
    words: Sequence[Spoken],
    alone: dict[str, tuple[Word, ...]],
) -> Row:
    """Errors of the long recording and of its sentences, and how far apart their times are."""
    errors, errors_alone, count = 0, 0, 0
    differences: list[float] = []
    for said, found in stretches(sentences, words):
        reference = [word for one in said for word in one.utterance.words]
        errors += count_errors(reference, [word for word, _, _ in found]).errors
        count += len(reference)
        single: list[Spoken] = []
        for one in said:
            spoken = alone[one.utterance.id]
            single += [(w.word, one.start + w.start, one.start + w.end) for w in spoken]
            errors_alone += count_errors(one.utterance.words, [w.word for w in spoken]).errors
        pairs = align([word for word, _, _ in single], [word for word, _, _ in found])
        first = second = 0
        for pair in pairs:
            if pair.operation == "C":
                differences.append(abs(single[first][1] - found[second][1]))
            first += pair.reference is not None
            second += pair.hypothesis is not None
    quantiles = np.quantile(differences, [0.5, 0.95, 0.99]) if differences else [0.0] * 3
    return {
        "words": count,
        "wer_percent": round(100.0 * errors / count, 2),
        "wer_of_sentences_percent": round(100.0 * errors_alone / count, 2),
        "start_differences_ms": [round(1000.0 * float(one), 1) for one in quantiles],
    }


def main() -> None:
    """Joins, recognises, prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("corpora", nargs="+", metavar="SET", help="Kaldi data directories")
    parser.add_argument("--corpora", dest="root", type=Path, default=Path(), help="their directory")
    parser.add_argument("--model", help="model directory")
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--utterances", type=int, help="take so many of each set only")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=1)
    add_json_option(parser)
    arguments = parser.parse_args()
    recognizer = Recognizer(arguments.model)
    utterances: list[Utterance] = []
    for name in arguments.corpora:
        corpus = read_corpus(arguments.root / name)
        if arguments.utterances:
            corpus = corpus.spread(arguments.utterances)
        corpus = corpus.normalized(recognizer.bundle.config.text_rules)
        utterances += Corpus(name, corpus.utterances).utterances
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        long, short = directory / "long.flac", directory / "short.flac"
        sentences = write_joined(long, utterances, 3600.0 * arguments.hours, arguments.seed)
        write_joined(short, utterances, 60.0, arguments.seed)
        base, _, _ = recognized(short, arguments.model, arguments.threads, directory)
        taken, words, segments = recognized(long, arguments.model, arguments.threads, directory)
    said = {one.utterance.id: one.utterance for one in sentences}
    alone = one_by_one(recognizer, list(said.values()), arguments.threads)
    seconds = sentences[-1].end
    row: Row = {
        "hours": round(seconds / 3600.0, 3),
        "sentences": len(sentences),
        "segments": segments,
        "threads": arguments.threads,
        "peak_memory_mb": taken["peak_memory_mb"],
        "peak_memory_of_a_minute_mb": base["peak_memory_mb"],
        "real_time_factor": round(taken["seconds"] / seconds, 4),
        "processor_real_time_factor": round(taken["processor_seconds"] / seconds, 4),
        **compared(sentences, words, alone),
    }
    rows = [{"figure": name.replace("_", " "), "value": str(value)} for name, value in row.items()]
    print_rows(f"{', '.join(arguments.corpora)} joined", rows)
    output().print("start differences: median, 95th and 99th percentile of words alike in both")
    write_json(arguments.json, {"model": recognizer.bundle.config.name, "long": row})


if __name__ == "__main__":
    main()
