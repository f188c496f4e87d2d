r"""Times of subtitles in a long recording, beside forced alignment of its transcripts.

    python -m benchmarks.recognition.subtitles mini-librispeech/dev excerpts80/dev \
        --corpora CORPORA --minutes 60 --json subtitles.json

Utterances are joined into one recording with half a second of silence between them, and recognised
with ``recognize --format srt``; pysubs2 reads what it prints. Forced alignment of each utterance
says when its words are spoken. It is tolerant, because transcripts lack words that were said, such
as "quote" and "unquote": without a path around them their neighbours get wrong times. A cue is
compared where its first word, or its last, and the words beside it are the transcript's; where a
neighbour differs, a word like "of" is often another one than the transcript's. The time at which a
cue appears is compared with the word's start, and that at which it disappears with the word's end,
which may be earlier by the gap before the next cue, and later to leave time to read. Cues that
appear more than 0.3 s from the word are listed.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pysubs2
import soundfile
from numpy.typing import NDArray

from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer.alignment.corpus.aligners import read_aligner
from recognizer.alignment.corpus.corpus_alignment import CorpusAlignment, align_corpus
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Corpus, Utterance, read_corpus
from recognizer.decoding.alignment.tolerance import GARBAGE, Tolerance
from recognizer.evaluation.word_alignment import align

_SILENCE = np.zeros(SAMPLE_RATE // 2, np.float32)
_TOLERANCE = 0.3
_COMMAND = "from recognizer.cli.recognize import main; main()"

TimedWord = tuple[str, float, float]
"""A word with its start and end in seconds; not a number where it was not said."""

CueWord = tuple[str, float | None, float | None]
"""A word of a cue; the first with the cue's start, the last with its end, in seconds."""


def timed_words(aligned: CorpusAlignment, utterance: Utterance, start: float) -> list[TimedWord]:
    """The words of a transcript, by tolerant alignment.

    Args:
        aligned: of the utterance's corpus.
        utterance: one of those that were aligned.
        start: of the utterance in the joined recording, in seconds.
    """
    (alignment,) = (one for one in aligned.alignments if one.utterance == utterance.id)
    departure = (aligned.departures or {}).get(utterance.id)
    skipped = {index for index, _ in departure.skipped} if departure else set()
    kept = [index for index in range(len(utterance.tokens)) if index not in skipped]
    said = [word for word in alignment.words if word.label != GARBAGE]
    words: list[TimedWord] = [(token, math.nan, math.nan) for token in utterance.tokens]
    for index, word in zip(kept, said, strict=True):
        words[index] = (word.label, start + word.start, start + word.end)
    return words


def join(corpora: Sequence[Corpus], seconds: float, path: Path) -> tuple[list[TimedWord], float]:
    """Write the joined recording; gives its words by forced alignment, and its length."""
    words: list[TimedWord] = []
    samples = 0
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, format="FLAC") as file:
        for corpus in corpora:
            aligner, chosen = read_aligner(None, corpus, derive=True)
            aligned = align_corpus(chosen, aligner, tolerance=Tolerance())
            for utterance in chosen:
                if utterance.id in aligned.failed:
                    continue
                if samples >= seconds * SAMPLE_RATE:
                    return words, samples / SAMPLE_RATE
                start = samples / SAMPLE_RATE
                words += timed_words(aligned, utterance, start)
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


def compare(reference: Sequence[TimedWord], found: Sequence[CueWord]) -> tuple[Row, list[Row]]:
    """How far cues are from the reference, the word error rate, and cues outside the tolerance."""
    pairs = align([word for word, *_ in reference], [word for word, *_ in found])
    right = [pair.operation == "C" for pair in pairs]
    said, shown = iter(reference), iter(found)
    starts, ends, doubtful, outside = [], [], [], list[Row]()
    for index, pair in enumerate(pairs):
        word = next(said) if pair.reference is not None else None
        cue = next(shown) if pair.hypothesis is not None else None
        if word is None or cue is None or not right[index] or math.isnan(word[1]):
            continue
        if not all(right[max(index - 1, 0) : index + 2]):
            doubtful += [] if cue[1] is None else [cue[1] - word[1]]
            continue
        if cue[1] is not None:
            starts.append(cue[1] - word[1])
            if abs(starts[-1]) > _TOLERANCE:
                outside.append({"word": word[0], "said": round(word[1], 2), "shown": cue[1]})
        if cue[2] is not None:
            ends.append(cue[2] - word[2])
    late = np.abs(starts)
    row: Row = {
        "wer": round(100.0 * right.count(False) / len(reference), 2),
        "starts": len(starts),
        "starts_within_0.3_s": _share(late <= _TOLERANCE),
        "start_error_median": round(float(np.median(late)), 3),
        "start_error_99_percent": round(float(np.quantile(late, 0.99)), 3),
        "start_error_largest": round(float(np.max(late)), 3),
        "starts_beside_errors": len(doubtful),
        "of_these_within_0.3_s": _share(np.abs(doubtful) <= _TOLERANCE),
        "ends": len(ends),
        "ends_before_word_by_0.3_s": _share(np.less(ends, -_TOLERANCE)),
    }
    return row, outside


def _share(flags: NDArray[np.bool_]) -> float:
    """In percent; not a number where there is nothing."""
    return round(100.0 * float(np.mean(flags)), 2) if len(flags) else math.nan


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
    times, outside = compare(words, found)
    row = {
        "minutes": round(seconds / 60, 1),
        "cues": len(pysubs2.SSAFile.from_string(done.stdout, "srt")),
        **times,
        "rtf": round(elapsed / seconds, 3),
    }
    print_rows("subtitles of a joined recording", [row])
    if outside:
        print_rows("cues more than 0.3 s from their word", outside)
    write_json(arguments.json, {**row, "outside": outside})


if __name__ == "__main__":
    main()
