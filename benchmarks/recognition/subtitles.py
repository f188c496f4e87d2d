r"""Times of subtitles in a long recording, beside forced alignment of its transcripts.

    python -m benchmarks.recognition.subtitles mini-librispeech/dev excerpts80/dev \
        --corpora CORPORA --minutes 60 --json subtitles.json

Utterances are joined into one recording with half a second of silence between them, and recognised
with ``recognize --format srt``; pysubs2 reads what it prints. Forced alignment of each utterance
says when its words are spoken. A cue is compared where its first word, or its last, is one of the
transcript's: when it appears with the word's start, and when it disappears with the word's end,
which may be earlier by the gap before the next cue, and later to leave time to read.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pysubs2
import soundfile

from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer.alignment.corpus.aligners import read_aligner
from recognizer.alignment.corpus.corpus_alignment import align_corpus
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.evaluation.word_alignment import align

_SILENCE = np.zeros(SAMPLE_RATE // 2, np.float32)
_TOLERANCE = 0.3
_COMMAND = "from recognizer.cli.recognize import main; main()"

TimedWord = tuple[str, float, float]
"""A word with its start and end in seconds."""

CueWord = tuple[str, float | None, float | None]
"""A word of a cue; the first with the cue's start, the last with its end, in seconds."""


def join(corpora: Sequence[Corpus], seconds: float, path: Path) -> tuple[list[TimedWord], float]:
    """Write the joined recording; gives its words by forced alignment, and its length."""
    words: list[TimedWord] = []
    samples = 0
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, format="FLAC") as file:
        for corpus in corpora:
            aligner, chosen = read_aligner(None, corpus, derive=True)
            aligned = {one.utterance: one for one in align_corpus(chosen, aligner).alignments}
            for utterance in chosen:
                if utterance.id not in aligned:
                    continue
                if samples >= seconds * SAMPLE_RATE:
                    return words, samples / SAMPLE_RATE
                start = samples / SAMPLE_RATE
                words += [
                    (word.label, start + word.start, start + word.end)
                    for word in aligned[utterance.id].words
                ]
                for part in (utterance.samples(), _SILENCE):
                    file.write(part)
                    samples += len(part)
    return words, samples / SAMPLE_RATE


def cue_words(text: str) -> Iterator[CueWord]:
    """The words of subtitles."""
    for cue in pysubs2.SSAFile.from_string(text, "srt"):
        words = cue.plaintext.split()
        for index, word in enumerate(words):
            start = cue.start / 1000 if index == 0 else None
            end = cue.end / 1000 if index == len(words) - 1 else None
            yield word, start, end


def compare(reference: Sequence[TimedWord], found: Sequence[CueWord]) -> Row:
    """How far cues are from the reference, and the word error rate."""
    starts, ends, errors = [], [], 0
    left, right = iter(reference), iter(found)
    for pair in align([word for word, *_ in reference], [word for word, *_ in found]):
        said = next(left) if pair.reference is not None else None
        shown = next(right) if pair.hypothesis is not None else None
        errors += pair.operation != "C"
        if pair.operation != "C" or said is None or shown is None:
            continue
        if shown[1] is not None:
            starts.append(shown[1] - said[1])
        if shown[2] is not None:
            ends.append(shown[2] - said[2])
    late = np.abs(starts)
    return {
        "wer": round(100.0 * errors / len(reference), 2),
        "starts": len(starts),
        "starts_within_0.3_s": round(100.0 * float(np.mean(late <= _TOLERANCE)), 2),
        "start_error_median": round(float(np.median(late)), 3),
        "start_error_99_percent": round(float(np.quantile(late, 0.99)), 3),
        "ends": len(ends),
        "ends_before_word_by_0.3_s": round(100.0 * float(np.mean(np.less(ends, -_TOLERANCE))), 2),
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", help="data directories within the corpora")
    parser.add_argument("--corpora", type=Path, required=True, metavar="DIR")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the joined recording")
    add_json_option(parser)
    arguments = parser.parse_args()
    corpora = [read_corpus(arguments.corpora / name) for name in arguments.sets]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "joined.flac"
        words, seconds = join(corpora, 60.0 * arguments.minutes, path)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, str(path), "--format", "srt"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        elapsed = time.perf_counter() - began
    found = list(cue_words(done.stdout))
    row = {
        "minutes": round(seconds / 60, 1),
        "cues": len(pysubs2.SSAFile.from_string(done.stdout, "srt")),
        **compare(words, found),
        "rtf": round(elapsed / seconds, 3),
    }
    print_rows("subtitles of a joined recording", [row])
    write_json(arguments.json, row)


if __name__ == "__main__":
    main()
