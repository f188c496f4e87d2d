r"""Streams: latency of partial and final results, streams per core, memory of a stream.

    python -m benchmarks.streaming corpora/mini-librispeech/dev --peers PEERS/bin/python \
        --json streaming.json

Latency: each utterance is followed by three seconds of quiet noise and played in pieces
(`benchmarks.streaming.latency`). Of each word that a partial result showed as the final has it, the
time from its end to the first partial result from which on it stood; of each recording, from the
end of its last word to the final that has it, most of which is the silence that the endpoint rules
wait for; and the time that the final takes once the audio has ended. Times of words are each
system's own. Pocketsphinx, where the peers' Python has it, has its own endpointer.

Capacity: `benchmarks.streaming.capacity`, on one core with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.common.report import Row, add_json_option, output, print_rows, write_json
from benchmarks.streaming.latency import Timeline, word_latencies
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Utterance, read_corpus

PARTS = ("latency", "capacity", "paced")
ROOT = Path(__file__).parents[2]
QUIET_SECONDS, QUIET_LEVEL = 3.0, 1e-3


def written(utterances: Sequence[Utterance], directory: Path) -> list[Path]:
    """The utterances as WAV files, each with quiet noise behind it."""
    rng, paths = np.random.default_rng(0), []
    for index, utterance in enumerate(utterances):
        quiet = rng.normal(0.0, QUIET_LEVEL, round(QUIET_SECONDS * SAMPLE_RATE))
        paths.append(directory / f"{index}.wav")
        samples = np.concatenate([utterance.samples(), quiet])
        soundfile.write(paths[-1], samples, SAMPLE_RATE, subtype="PCM_16")
    return paths


def lines_of(python: str, module: str, *arguments: object) -> list[Any]:
    """What a module prints, lines of JSON; ends the benchmark if it fails."""
    command = [python, "-m", f"benchmarks.streaming.{module}", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: failed with status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def latency_row(system: str, timelines: Sequence[Timeline]) -> Row:
    """Medians and 95th percentiles in milliseconds."""
    words = [seconds for one in timelines for seconds in word_latencies(one)]
    finals, closing = [], []
    for one in timelines:
        spoken = [(at, said) for at, said in one.finals if said]
        if spoken and spoken[-1][0] < one.spoken:
            finals.append(spoken[-1][0] - spoken[-1][1][-1][1])
        closing.append(one.closed - one.spoken)
    row: Row = {"system": system}
    for name, values in (("word to partial", words), ("speech to final", finals)):
        row[f"{name}, count"] = len(values)
        for label, level in (("median", 0.5), ("95 %", 0.95)) if values else ():
            row[f"{name}, ms, {label}"] = round(1000 * float(np.quantile(values, level)))
    row["end of audio to final, ms, 95 %"] = round(1000 * float(np.quantile(closing, 0.95)), 1)
    audio = sum(one.spoken for one in timelines)
    row["real time factor"] = round(sum(one.busy for one in timelines) / audio, 4)
    return row


def run_latency(arguments: argparse.Namespace) -> list[Row]:
    """This package's row, and that of pocketsphinx where it is."""
    utterances = read_corpus(arguments.data).utterances
    count = min(arguments.utterances, len(utterances))
    chosen = [utterances[index * len(utterances) // count] for index in range(count)]
    ours = ("--model", arguments.model) if arguments.model else ()
    contestants = [("recognizer", sys.executable, ours)]
    code = "from importlib.metadata import version; print(version('pocketsphinx'))"
    found = subprocess.run([arguments.peers, "-c", code], capture_output=True, text=True)
    if found.returncode:
        output().print(f"pocketsphinx: left out, {arguments.peers} does not have it")
    else:
        contestants.append(("pocketsphinx", arguments.peers, ()))
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        files = written(chosen, Path(directory))
        for system, python, options in contestants:
            options = ("--core", arguments.core, "--piece", arguments.piece, *options)
            answers = lines_of(python, "latency", system, *files, *options)
            rows.append(latency_row(system, [Timeline(**answer) for answer in answers]))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("data", type=Path, help="a corpus, such as mini-librispeech/dev")
    parser.add_argument("--model", type=Path, metavar="DIR", help="default: the shipped model")
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON", help="that has them")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--utterances", type=int, default=50, help="for the latency")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16, 32])
    parser.add_argument("--paced-streams", type=int, nargs="+", default=[16, 24, 32])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stream")
    parser.add_argument("--piece", type=float, default=0.1, help="seconds of a piece")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    add_json_option(parser)
    arguments = parser.parse_args()
    result: dict[str, list[Row]] = {}
    if "latency" in arguments.parts:
        result["latency"] = run_latency(arguments)
        print_rows("Latency on one core", result["latency"])
    common = ["--core", arguments.core, "--seconds", arguments.seconds]
    common += ["--piece", arguments.piece]
    common += ["--model", arguments.model] if arguments.model else []
    for part, counts, more in (
        ("capacity", arguments.streams, ()),
        ("paced", arguments.paced_streams, ("--paced",)),
    ):
        if part in arguments.parts:
            result[part] = [
                row
                for count in counts
                for row in lines_of(
                    sys.executable,
                    "capacity",
                    arguments.data.resolve(),
                    *("--streams", count, *common, *more),
                )
            ]
            titles = {
                "capacity": "Streams on one core, one thread",
                "paced": "Streams at real time on one core: seconds from a piece to its answer",
            }
            print_rows(titles[part], result[part])
    write_json(arguments.json, result)


if __name__ == "__main__":
    main()
