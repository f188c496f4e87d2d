"""Where the time of the static search goes: by stage, and, under perf, by function.

    python benchmarks/search_profile.py --data corpora/mini-librispeech/dev

prints the CPU time per frame of each stage of the first pass. For the functions within the native
stages, build with symbols and let perf watch:

    cmake -S . -B build/profile -DINPLACE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo
    cmake --build build/profile
    perf record -F 997 -o search.perf -- python benchmarks/search_profile.py --data ... --repeat 3
    perf report -i search.perf --no-children --sort dso,symbol
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # Behind the packages, one of which lm.py beside this file would be taken for.
    sys.path.append(sys.path.pop(0))

import numpy as np
from rich.console import Console
from rich.table import Table
from search_inputs import Inputs

from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search.search import Decoder
from recognizer.model.files import DEFAULT_MODEL


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="corpus")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model directory")
    parser.add_argument("--work", type=Path, default=Path("build/benchmark-search"))
    parser.add_argument("--utterances", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=1)
    arguments = parser.parse_args()
    inputs = Inputs(arguments.model, arguments.data, arguments.work, arguments.utterances)
    options = inputs.bundle.config.search
    scale, beam = options.acoustic_scale, options.determinization_beam
    decoder = Decoder(MappedGraph.open(inputs.graph), options=options)
    counts = dict.fromkeys(("frames", "tokens", "arcs", "links"), 0)
    seconds = dict.fromkeys(
        ("frames", "last pruning, lattice", "determinisation", "best path"), 0.0
    )
    for _ in range(arguments.repeat):
        for one in inputs.utterances:
            scores = np.load(one.scores)
            times = [time.process_time()]
            decoding = decoder.start()
            decoding.advance(scores)
            times.append(time.process_time())
            raw = decoding.finish()
            times.append(time.process_time())
            lattice = determinize(raw, scale, beam)
            times.append(time.process_time())
            best_path(lattice, scale)
            times.append(time.process_time())
            for stage, begin, end in zip(seconds, times[:-1], times[1:], strict=True):
                seconds[stage] += end - begin
            for name in counts:
                counts[name] += decoding.stats[name]
    frames = counts.pop("frames")
    whole = sum(seconds.values())
    table = Table(title=f"{frames:,} frames, {frames / whole:,.0f} frames/s, {options}")
    for heading in ("stage", "µs/frame", "share"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage, spent in seconds.items():
        table.add_row(stage, f"{spent / frames * 1e6:.1f}", f"{spent / whole:.1%}")
    console = Console()
    console.print(table)
    for name, count in counts.items():
        console.print(f"{name} per frame: {count / frames:,.0f}", highlight=False)


if __name__ == "__main__":
    main()
