"""Feature extraction, and the whole `recognize` process beside pocketsphinx: `benchmarks.am`.

Each run is a process of its own on one core, from its start to its text: seconds by the clock, and
the resident memory at its largest.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from rich.table import Table

from benchmarks.am.machine import take_turns
from recognizer.am.features.fbank import fbank
from recognizer.data.audio.reading import read_audio
from recognizer.data.corpora.corpus import read_corpus

Row = dict[str, Any]

RATE = 16000
SAMPLE = Path(__file__).parents[1] / "recognizer" / "samples" / "synthetic.flac"
LENGTHS = (0.5, 5.0, 60.0)
"""Seconds of audio; the first is little more than a start."""

OURS = [sys.executable, "-c", "from recognizer.cli.recognize import main; main()"]
POCKETSPHINX = [
    sys.executable,
    "-c",
    """
import sys, wave
from pocketsphinx import Decoder
with wave.open(sys.argv[1]) as file:
    samples = file.readframes(file.getnframes())
decoder = Decoder(loglevel="FATAL")
decoder.start_utt()
decoder.process_raw(samples, no_search=False, full_utt=True)
decoder.end_utt()
hypothesis = decoder.hyp()
print(hypothesis.hypstr if hypothesis else "")
""",
]

# The system counts what a process held before it became another program, so that one of ours must
# not be the child of this large one.
STARTER = """
import os, sys, time
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
started = time.perf_counter()
child = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print()
print(time.perf_counter() - started, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def run_features(rounds: int) -> list[Row]:
    """Log mel energies of a minute of audio, by one thread."""
    samples = speech(None, 60.0)
    seconds = take_turns({"fbank": lambda: fbank(samples)}, rounds)["fbank"]
    frames = len(fbank(samples))
    return [
        {"part": "features", "frames_per_s": round(frames / seconds)}
        | {"times_real_time": round(60 / seconds)}
    ]


def features_table(rows: list[Row]) -> Table:
    """The row for people."""
    result = Table("frames/s", "times real time", title="log mel energies, one thread")
    for row in rows:
        result.add_row(f"{row['frames_per_s']:,}", f"{row['times_real_time']:,}")
    return result


def run_recognize(model: Path | None, corpus: Path | None, rounds: int) -> list[Row]:
    """Processes that recognise files of `LENGTHS`."""
    systems = {"recognize": [*OURS, *(["--model", str(model)] if model else [])]}
    if find_spec("pocketsphinx"):
        systems["pocketsphinx"] = POCKETSPHINX
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for length in LENGTHS:
            path = Path(directory) / f"{length:g}.wav"
            soundfile.write(path, speech(corpus, length), RATE, subtype="PCM_16")
            best = dict.fromkeys(systems, (float("inf"), float("inf")))
            for _ in range(rounds):
                for name, command in systems.items():
                    seconds, memory = run_process([*command, str(path)])
                    best[name] = min(best[name][0], seconds), min(best[name][1], memory)
            for name, (seconds, memory) in best.items():
                rows.append(
                    {"part": "recognize", "system": name, "audio_seconds": length}
                    | {"seconds": round(seconds, 3), "rss_mb": round(memory / 1e6, 1)}
                    | {"real_time_factor": round(seconds / length, 4)}
                )
    return rows


def run_process(command: list[str]) -> tuple[float, float]:
    """Seconds and largest resident bytes of a process on one core."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", STARTER, *command],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, kilobytes, code = done.stdout.splitlines()[-1].split()
    if int(code):
        raise SystemExit(f"exit code {code}: {command}")
    return float(seconds), float(kilobytes) * 1024


def speech(corpus: Path | None, seconds: float) -> npt.NDArray[np.float32]:
    """So much of a corpus, or of the sample over and over: utterances one after the other."""
    wanted, found, pieces = round(seconds * RATE), 0, []
    utterances = [] if corpus is None else list(read_corpus(corpus))
    while found < wanted:
        sources = (u.samples() for u in utterances) if utterances else iter([read_audio(SAMPLE)])
        for samples in sources:
            pieces.append(samples)
            found += len(samples)
            if found >= wanted:
                break
    return np.concatenate(pieces)[:wanted]


def recognize_table(rows: list[Row]) -> Table:
    """The rows for people."""
    result = Table(
        "system", "audio, s", "seconds", "resident, MB", "real-time factor",
        title="whole processes on one core",
    )  # fmt: skip
    for row in rows:
        result.add_row(
            row["system"],
            f"{row['audio_seconds']:g}",
            f"{row['seconds']:.2f}",
            f"{row['rss_mb']:.0f}",
            f"{row['real_time_factor']:.3f}",
        )
    return result


def summary(rows: list[Row]) -> dict[str, float]:
    """Of our own process; the real-time factor is that of the long file, the start included."""
    of = {row["audio_seconds"]: row for row in rows if row["system"] == "recognize"}
    return {
        "recognize_5s_seconds": of[5.0]["seconds"],
        "recognize_5s_rss_mb": of[5.0]["rss_mb"],
        "real_time_factor_one_core": of[60.0]["real_time_factor"],
    }
