"""Training speed of our LSTMP layers beside torch.nn.LSTM(proj_size), in one process.

Each row trains on chunks of T = 20 frames of N streams: forward, cross-entropy over the tied
states, backward, no optimiser step. `torch.nn.LSTM` has no peepholes and does not clip its cells;
its output layer and loss are torch's own. The contestants take turns and the best of several
rounds counts, so that other work on the machine disturbs both alike.

    python benchmarks/training_speed.py --threads 2 --json training_speed.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    # Behind the packages, one of which lm.py beside this file would be taken for.
    sys.path.append(sys.path.pop(0))

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from am.network_options import NetworkOptions
from am.networks import make_network

CHUNK = 20
INPUTS = 40


def our_step(options: NetworkOptions, streams: int, dtype: torch.dtype) -> Callable[[], None]:
    """One chunk through our network."""
    model = make_network(options, generator=torch.Generator().manual_seed(0), precision=dtype)
    features = torch.randn(CHUNK, streams, INPUTS)
    labels = torch.randint(0, options.outputs, (CHUNK, streams))
    state = model.initial_state(streams)

    def step() -> None:
        nonlocal state
        result = model.chunk_loss(features, labels, state)
        state = result.state
        model.zero_grad(set_to_none=True)
        result.loss.backward()

    return step


class TorchLstm(nn.Module):
    """nn.LSTM with projection and a linear output layer."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            INPUTS, options.cells, num_layers=options.layers, proj_size=options.projection
        )
        self.output = nn.Linear(options.projection, options.outputs)


def torch_step(options: NetworkOptions, streams: int, dtype: torch.dtype) -> Callable[[], None]:
    """One chunk through torch's network; in bfloat16 its weights are bfloat16 as well."""
    model = TorchLstm(options).to(dtype)
    features = torch.randn(CHUNK, streams, INPUTS).to(dtype)
    labels = torch.randint(0, options.outputs, (CHUNK * streams,))
    shapes = (options.projection, options.cells)
    state = tuple(torch.zeros(options.layers, streams, width, dtype=dtype) for width in shapes)

    def step() -> None:
        nonlocal state
        hidden, (r, c) = model.lstm(features, state)
        state = (r.detach(), c.detach())
        logits = model.output(hidden.reshape(-1, options.projection))
        loss = nn.functional.cross_entropy(logits.float(), labels, reduction="sum")
        model.zero_grad(set_to_none=True)
        loss.backward()

    return step


def measure(steps: dict[str, Callable[[], None]], frames: int, rounds: int) -> dict[str, float]:
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
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--outputs", type=int, default=2500, help="tied states (default 2500)")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--streams", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    columns = ("ours float32", "torch float32", "ours bfloat16", "torch bfloat16")
    table = Table("network", "streams", *columns, title="training, frames/s")
    rows = []
    for layers, cells, projection in ((2, 512, 256), (3, 512, 256), (2, 800, 512)):
        options = NetworkOptions(
            outputs=arguments.outputs, cells=cells, projection=projection, layers=layers
        )
        for streams in arguments.streams:
            steps = {}
            for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
                steps[f"ours {name}"] = our_step(options, streams, dtype)
                steps[f"torch {name}"] = torch_step(options, streams, dtype)
            speeds = measure(steps, CHUNK * streams, arguments.rounds)
            shape = f"{layers}x{cells}/{projection}"
            table.add_row(shape, str(streams), *(f"{speeds[c]:,.0f}" for c in columns))
            rows.append(
                {"network": shape, "streams": streams, "outputs": arguments.outputs}
                | {column.replace(" ", "_"): round(speeds[column]) for column in columns}
            )
    Console(width=100).print(table)
    if arguments.json:
        facts = {"threads": arguments.threads, "torch": torch.__version__, "rows": rows}
        arguments.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
