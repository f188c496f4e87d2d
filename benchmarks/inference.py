"""Speed of native inference beside torch, frames/s in one process.

torch runs `nn.LSTM(proj_size)` of the same shape, which has no peepholes and does not clip its
cells, and in whole networks `nn.Linear` and `log_softmax` behind it. "hidden" rows leave the output
layer out of the count: our engines get one with a single output. Contestants take turns and the
best of several rounds counts, so that other work on the machine disturbs all alike.

    python benchmarks/inference.py --threads 1 --json inference.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    # Behind the packages, one of which lm.py beside this file would be taken for.
    sys.path.append(sys.path.pop(0))

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from am.inference_native import PRECISIONS, NativeNetwork, cpu_levels
from am.network_file import Network
from am.network_options import NetworkOptions

FloatArray = npt.NDArray[np.float32]
Step = Callable[[], None]

SHAPES = {"2x512/256": (2, 512, 256), "2x800/512": (2, 800, 512)}
OUTPUTS = 2400
COLUMNS = ("torch", *(f"native {precision}" for precision in PRECISIONS))


def make_network(options: NetworkOptions) -> Network:
    """Random weights, small enough for no gate to stay at its end."""
    random = np.random.default_rng(0)
    tensors = {
        name: random.uniform(-0.08, 0.08, shape).astype(np.float32)
        for name, shape in options.shapes().items()
    }
    tensors["input.inv_std"][:] = 1
    return Network(options, tensors)


def torch_step(options: NetworkOptions, features: FloatArray, hidden: bool) -> Step:
    """All streams through torch, as one batch."""
    lstm = nn.LSTM(
        options.input_dim, options.cells, options.layers, proj_size=options.projection
    ).eval()
    output = nn.Linear(options.projection, options.outputs)
    block = torch.from_numpy(features).transpose(0, 1).contiguous()

    def step() -> None:
        with torch.inference_mode():
            rows, _ = lstm(block)
            if not hidden:
                nn.functional.log_softmax(output(rows), -1)

    return step


def native_step(
    network: Network, features: FloatArray, precision: str, threads: int, level: str | None
) -> Step:
    """All streams through the native engine, as one batch."""
    model = NativeNetwork(network, precision, threads, level=level)
    blocks = list(features)

    def step() -> None:
        model.advance_all([model.start() for _ in blocks], blocks)

    return step


def measure(steps: dict[str, Step], frames: int, rounds: int) -> dict[str, float]:
    """Best frames/s of each contestant over alternating rounds."""
    best = dict.fromkeys(steps, 0.0)
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            best[name] = max(best[name], frames / (time.perf_counter() - started))
    return best


def main() -> None:
    """Run all rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="of torch and ours (default 1)")
    parser.add_argument("--frames", type=int, default=300, help="of each stream (default 300)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--level", choices=cpu_levels(), help="of instructions (default fastest)")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    title = f"inference, frames/s, threads: {arguments.threads}"
    table = Table("network", "part", "streams", *COLUMNS, "int8 / torch", title=title)
    rows = []
    for shape, (layers, cells, projection) in SHAPES.items():
        for part in ("hidden", "whole"):
            hidden = part == "hidden"
            options = NetworkOptions(
                outputs=1 if hidden else OUTPUTS, cells=cells, projection=projection, layers=layers
            )
            network = make_network(options)
            for streams in arguments.streams:
                random = np.random.default_rng(1)
                size = (streams, arguments.frames, options.input_dim)
                features = random.normal(size=size).astype(np.float32)
                steps = {"torch": torch_step(options, features, hidden)} | {
                    f"native {precision}": native_step(
                        network, features, precision, arguments.threads, arguments.level
                    )
                    for precision in PRECISIONS
                }
                speeds = measure(steps, streams * arguments.frames, arguments.rounds)
                ratio = speeds["native int8"] / speeds["torch"]
                figures = (f"{speeds[column]:,.0f}" for column in COLUMNS)
                table.add_row(shape, part, str(streams), *figures, f"{ratio:.1f}")
                rows.append(
                    {"network": shape, "part": part, "streams": streams}
                    | {name.replace(" ", "_"): round(speed) for name, speed in speeds.items()}
                    | {
                        f"{precision}_vs_torch": round(
                            speeds[f"native {precision}"] / speeds["torch"], 2
                        )
                        for precision in PRECISIONS
                    }
                )
    Console(width=100).print(table)
    if arguments.json:
        facts = {
            "threads": arguments.threads,
            "frames": arguments.frames,
            "outputs": OUTPUTS,
            "level": arguments.level or cpu_levels()[-1],
            "torch": torch.__version__,
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
