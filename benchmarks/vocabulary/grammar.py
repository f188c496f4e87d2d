"""Commands through a grammar: how many are recognised, and what else is taken for a command."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.common.report import Row, output
from recognizer.data.audio.reading import Samples, read_audio
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.grammar import Grammar

COMMANDS = Path(__file__).parent / "commands.txt"
OUTSIDE = 100
_SENTENCES = 1000


def synthesizers() -> list[tuple[str, list[str]]]:
    """The installed programs that speak: a name, and a command that takes a text and a file."""
    found = []
    if shutil.which("flite"):
        found += [(f"flite, {voice}", ["flite", "-voice", voice]) for voice in ("slt", "rms")]
    if shutil.which("espeak-ng"):
        found.append(("espeak-ng", ["espeak-ng", "-v", "en-us"]))
    return found


def spoken(command: Sequence[str], sentences: Sequence[str]) -> Iterator[Samples]:
    """The sentences, spoken by a program."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "spoken.wav"
        for sentence in sentences:
            if command[0] == "flite":
                subprocess.run([*command, "-t", sentence, "-o", str(path)], check=True)
            else:
                subprocess.run([*command, "-w", str(path), sentence], check=True)
            yield read_audio(str(path))


def grammar(
    recognizer: Recognizer, outside: Sequence[Samples], costs: Sequence[float]
) -> list[Row]:
    """Commands in synthetic speech and other speech, with several costs of rejection.

    Three kinds of speech: the commands through the grammar of all of them; the same recordings
    through a grammar of every other command, which are half of them outside of it; utterances of
    speech, which are all outside. Scores of the acoustic model are computed once; the times are of
    the search alone.
    """
    sentences = [line.strip() for line in COMMANDS.read_text().splitlines()]
    half = sentences[::2]
    voices = synthesizers()
    if not voices:
        output().print("grammar: no commands: neither flite nor espeak-ng is installed")
    said = [
        (name, [recognizer.acoustic_scores(one) for one in spoken(command, sentences)])
        for name, command in voices
    ]
    others = [recognizer.acoustic_scores(one) for one in outside[:OUTSIDE]]
    rows: list[Row] = []
    for cost in costs:
        whole = recognizer.adapted(grammar=Grammar("\n".join(sentences), cost))
        part = recognizer.adapted(grammar=Grammar("\n".join(half), cost))
        for name, scores in said:
            rows.append(_row(cost, f"{name}: {len(sentences)} commands", whole, scores, sentences))
            rows.append(
                _row(cost, f"{name}: {len(half)} of a grammar of these", part, scores[::2], half)
            )
            rest = scores[1::2]
            rows.append(
                _row(cost, f"{name}: {len(rest)} that it lacks", part, rest, [""] * len(rest))
            )
        rows.append(_row(cost, "other speech", whole, others, [""] * len(others)))
    return rows


def _row(
    cost: float,
    name: str,
    recognizer: Recognizer,
    scores: Sequence[npt.NDArray[np.float32]],
    texts: Sequence[str],
) -> Row:
    """What comes of utterances; an empty text is one that the grammar does not have."""
    seconds, right, rejected = 0.0, 0, 0
    for text, one in zip(texts, scores, strict=True):
        begin = time.process_time()
        lattice = recognizer.first_pass(one)
        seconds += time.process_time() - begin
        result = recognizer.result(lattice, 0.0, len(one))
        right += bool(text) and result.text == text
        rejected += result.rejected
    return {
        "rejection cost": cost,
        "speech": name,
        "utterances": len(scores),
        "right": right,
        "wrong": len(scores) - right - rejected,
        "rejected": rejected,
        "ms of search per frame": 1000 * seconds / sum(map(len, scores)),
    }


def compile_times(recognizer: Recognizer) -> list[Row]:
    """Seconds until a recogniser has a list of sentences; the second time, all is loaded."""
    sentences = COMMANDS.read_text().splitlines()
    many = [
        f"{first} and {second}"
        for first in sentences
        for second in sentences[: _SENTENCES // len(sentences)]
    ]
    rows: list[Row] = []
    for count in (10, 100, _SENTENCES, _SENTENCES):
        begin = time.process_time()
        recognizer.adapted(grammar=Grammar("\n".join(many[:count])))
        rows.append({"sentences": count, "seconds": time.process_time() - begin})
    return rows
