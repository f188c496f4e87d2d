"""A language model of any size: what building it takes, how large it is, how fast it is asked.

    python -m benchmarks.lm.scaling TEXT --held-out TEXT [--order N] [--memory SIZE]
        [--directory DIR] [--json FILE]

Estimates a model without cut-offs as a fast automaton, makes the compact ones of it, exact and of
8 bits, each by its command in a process of its own: seconds, peak resident memory, and the most
that its temporary files took on disk. Then each automaton is mapped by a new process that scores
the held-out text and as many words drawn at random: how long opening takes, what is resident then
(pages of the file that were touched, and the rest), queries per second of processor time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.processes import measured
from benchmarks.common.report import add_json_option, write_json
from recognizer.data.io.files import read_lines
from recognizer.lm.automaton.automaton import NgramAutomaton

Row = dict[str, Any]
COMMAND = [sys.executable, "-c", "from recognizer.cli.main import main; main()", "lm"]
MEGABYTE = 1e6


def main() -> None:
    """Print the rows; with --json write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--memory", default="4G", help="bound of estimation and conversion")
    parser.add_argument("--directory", type=Path, help="for models and temporary files")
    add_json_option(parser)
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask is not None:  # the process whose memory is measured
        print(json.dumps(asked(arguments.ask, arguments.held_out)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        rows = measure(arguments, Path(directory))
    write_json(arguments.json, {"rows": rows})


def measure(arguments: argparse.Namespace, directory: Path) -> list[Row]:
    """All rows, printed as they come."""
    rows: list[Row] = []

    def add(row: Row) -> None:
        rows.append(row)
        print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)

    temporary = directory / "temporary"
    temporary.mkdir()
    bounds = ["--memory", arguments.memory, "--temporary", str(temporary)]
    fast = directory / "fast.ngram"
    estimation = ["estimate", str(arguments.text), f"--order={arguments.order}"]
    estimation += ["--discount-fallback", "--output", str(fast), *bounds]
    add({"step": "estimate"} | run(estimation, temporary))
    models = {"fast": fast}
    for name, options in {"compact": [], "compact, 8 bits": ["--bits", "8"]}.items():
        models[name] = directory / f"{len(models)}.ngram"
        conversion = ["convert", str(fast), "--layout=compact", *options]
        conversion += ["--output", str(models[name]), *bounds]
        add({"step": name} | run(conversion, temporary))
    ngrams = sum(map(int, NgramAutomaton.open(fast, validate=False).metadata["counts"].split()))
    for name, path in models.items():
        size = path.stat().st_size
        row = {"model": name, "ngrams": ngrams, "bytes_per_ngram": round(size / ngrams, 2)}
        ask = [sys.executable, "-m", "benchmarks.lm.scaling", str(arguments.text), "--held-out"]
        ask += [str(arguments.held_out), "--ask", str(path)]
        answer = subprocess.run(ask, check=True, stdout=subprocess.PIPE).stdout
        add(row | json.loads(answer))
    return rows


def run(command: Sequence[str], temporary: Path) -> Row:
    """What a command takes."""
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.2):
            most = max(most, disk_usage(temporary))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = measured([*COMMAND, *command])
    finally:
        done.set()
        watcher.join()
    return {**found, "temporary_disk_mb": round(most / MEGABYTE)}


def disk_usage(directory: Path) -> int:
    """Bytes that the files below a directory take."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:  # it went meanwhile
            continue
    return total


def asked(model: Path, held_out: Path) -> Row:
    """What a process finds that maps a model and asks it."""
    before = resident()
    begin = time.perf_counter()
    automaton = NgramAutomaton.open(model, validate=False)
    seconds = time.perf_counter() - begin
    ids, offsets = automaton.sentence_ids([line.split() for line in read_lines(held_out)])
    strings = resident()
    drawn = np.random.default_rng(0).integers(0, len(automaton.words), len(ids), dtype=np.int32)
    row: Row = {"open_seconds": round(seconds, 5)}
    for name, words in {"text": ids, "random": drawn}.items():
        times = []
        for _ in range(3):
            begin = time.process_time()
            automaton.score_ids(words, offsets)
            times.append(time.process_time() - begin)
        queries = len(words) + len(offsets) - 1
        row[f"{name}_queries_per_second"] = round(queries / min(times))
        after = resident()
        row[f"{name}_resident_file_mb"] = round((after["RssFile"] - before["RssFile"]) / MEGABYTE)
    row["resident_vocabulary_mb"] = round((strings["RssAnon"] - before["RssAnon"]) / MEGABYTE)
    return row


def resident() -> dict[str, int]:
    """Resident bytes of this process by kind."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = (line.split() for line in lines if line.startswith("Rss"))
    return {name.rstrip(":"): int(value) * 1024 for name, value, _ in fields}


if __name__ == "__main__":
    main()
