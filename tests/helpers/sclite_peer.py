"""NIST's sclite, where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from recognizer.evaluation.transcript_files import TranscriptOptions, TranscriptPair
from recognizer.evaluation.word_alignment import count_errors

PLAIN = TranscriptOptions()

Counts = tuple[int, int, int, int]
"""Correct words, substitutions, deletions, insertions: in the order of sclite's report."""


def sclite_command() -> list[str]:
    """How to call sclite; skips the test where it is not installed."""
    if shutil.which("sclite"):
        return ["sclite"]
    if shutil.which("sctk"):
        return ["sctk", "sclite"]
    pytest.skip("sclite is not installed (Debian: apt install sctk)")


def sclite_counts(
    reference: Path, hypothesis: Path, options: TranscriptOptions = PLAIN
) -> dict[str, Counts]:
    """Counts of every utterance as sclite's own report has them; formats by the files' endings."""
    arguments = ["-r", reference.name, reference.suffix[1:], "-h", hypothesis.name]
    arguments += [hypothesis.suffix[1:], "-i", "rm", "-o", "pra", "stdout"]
    arguments += ["-s"] * options.case_sensitive + ["-D"] * options.optional_words
    done = subprocess.run(
        [*sclite_command(), *arguments],
        cwd=reference.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.findall(
        r"id: \((\S+)\)\s*\n(?:(?:Labels|File|Channel|Attributes): .*\n)*"
        r"Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)",
        done.stdout,
    )
    return {name: (int(c), int(s), int(d), int(i)) for name, c, s, d, i in found}


def our_counts(pairs: list[TranscriptPair]) -> dict[str, Counts]:
    """Counts of every utterance by our alignment."""
    found = {}
    for pair in pairs:
        one = count_errors(pair.reference, pair.hypothesis)
        correct = one.words - one.substitutions - one.deletions
        found[pair.utterance] = (correct, one.substitutions, one.deletions, one.insertions)
    return found
