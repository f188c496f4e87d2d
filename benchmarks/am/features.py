"""Feature extraction: `benchmarks.am`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.am.machine import take_turns
from recognizer.am.features.fbank import fbank
from recognizer.data.audio.reading import SAMPLE_RATE, read_audio

Row = dict[str, Any]

SAMPLE = Path(__file__).parents[2] / "recognizer" / "samples" / "synthetic.flac"


def run(rounds: int) -> list[Row]:
    """Log mel energies of a minute of audio, by one thread."""
    samples = np.resize(read_audio(SAMPLE), 60 * SAMPLE_RATE)
    seconds = take_turns({"fbank": lambda: fbank(samples)}, rounds)["fbank"]
    frames = len(fbank(samples))
    return [
        {"part": "features", "frames_per_s": round(frames / seconds)}
        | {"times_real_time": round(60 / seconds)}
    ]


def table(rows: list[Row]) -> Table:
    """The row for people."""
    result = Table("frames/s", "times real time", title="log mel energies, one thread")
    for row in rows:
        result.add_row(f"{row['frames_per_s']:,}", f"{row['times_real_time']:,}")
    return result
