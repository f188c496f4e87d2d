r"""Where the time of the static search goes: by stage, and, under perf, by function.

    python -m benchmarks.search.profile --data corpora/mini-librispeech/dev

prints the CPU time per frame of each stage of the first pass. For the functions within the native
stages, build with symbols and let perf watch:

    cmake -S . -B build/profile -DINPLACE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo
    cmake --build build/profile
    perf record -F 997 -o search.perf -- \
        python -m benchmarks.search.profile --data ... --repeat 3
    perf report -i search.perf --no-children --sort dso,symbol
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from benchmarks.search.inputs import Inputs
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
    add_json_option(parser)
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
    rows = [
        {"stage": stage, "us_per_frame": spent / frames * 1e6, "percent": 100 * spent / whole}
        for stage, spent in seconds.items()
    ]
    per_frame = {name: count / frames for name, count in counts.items()}
    print_rows(f"{frames:,} frames, {frames / whole:,.0f} frames/s, {options}", rows)
    print_rows("Per frame", [per_frame])
    write_json(arguments.json, {"frames": frames, "rows": rows, "per_frame": per_frame})


if __name__ == "__main__":
    main()
