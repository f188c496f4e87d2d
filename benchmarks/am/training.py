"""Training frames/s beside torch. Started by ``benchmarks.am``.

Chunks of 20 frames of N streams: forward, cross-entropy over the tied states, backward; no step of
the optimiser. Ours has peepholes; torch's output layer and loss are its own.
"""

from __future__ import annotations

from typing import Any

import torch
from rich.table import Table
from torch import nn

from benchmarks.am.machine import Step, take_turns
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.networks import make_network
from recognizer.am.training.criteria.cross_entropy import CrossEntropy
from recognizer.am.training.criteria.targets import FrameLabels
from recognizer.am.training.data.batching import Chunk
from recognizer.am.training.engine.objective import Objective
from recognizer.am.training.engine.runtime import keep_freed_memory

Row = dict[str, Any]

CHUNK = 20
SHAPES = ((2, 800, 512), (2, 512, 256))
STREAMS = (4, 64)
WINNER = ("2x800/512", 64)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def run(threads: int, outputs: int, rounds: int) -> list[Row]:
    """All rows: networks, streams."""
    torch.set_num_threads(threads)
    keep_freed_memory()  # as the trainer does
    rows = []
    for layers, cells, projection in SHAPES:
        options = NetworkOptions(outputs=outputs, cells=cells, projection=projection, layers=layers)
        for streams in STREAMS:
            steps = {}
            for name, dtype in PRECISIONS.items():
                steps[f"ours_{name}"] = our_step(options, streams, dtype)
                steps[f"torch_{name}"] = torch_step(options, streams, dtype)
            # Gradients of rarely used cells fade into denormals, here as in training itself.
            torch.set_flush_denormal(True)
            seconds = take_turns(steps, rounds)
            torch.set_flush_denormal(False)
            speeds = {name: CHUNK * streams / value for name, value in seconds.items()}
            rows.append(
                {"network": f"{layers}x{cells}/{projection}", "part": "training"}
                | {"streams": streams, "threads": threads}
                | {f"{name}_frames_per_s": round(value) for name, value in speeds.items()}
                | {
                    f"{name}_vs_torch": round(speeds[f"ours_{name}"] / speeds[f"torch_{name}"], 2)
                    for name in PRECISIONS
                }
            )
    return rows


def our_step(options: NetworkOptions, streams: int, dtype: torch.dtype) -> Step:
    """One chunk through our network."""
    network = make_network(options, generator=torch.Generator().manual_seed(0), precision=dtype)
    model = Objective(network, CrossEntropy())
    labels = torch.randint(0, options.outputs, (streams, CHUNK)).numpy()
    chunk = Chunk.empty(CHUNK, streams, options.input_dim, epoch=0)
    chunk.features[:] = torch.randn(CHUNK, streams, options.input_dim).numpy()
    chunk.targets.mask[:] = True
    chunk.targets.pieces[:] = [FrameLabels(row) for row in labels]
    states = model.initial_states(streams)

    def step() -> None:
        nonlocal states
        result, states = model(chunk, states)
        model.zero_grad(set_to_none=True)
        result.loss.backward()

    return step


class TorchLstm(nn.Module):
    """nn.LSTM with projection and a linear output layer."""

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            options.input_dim, options.cells, options.depth, proj_size=options.projection
        )
        self.output = nn.Linear(options.projection, options.outputs)


def torch_step(options: NetworkOptions, streams: int, dtype: torch.dtype) -> Step:
    """One chunk through torch's network; in bfloat16 its weights are bfloat16 as well."""
    model = TorchLstm(options).to(dtype)
    features = torch.randn(CHUNK, streams, options.input_dim).to(dtype)
    labels = torch.randint(0, options.outputs, (CHUNK * streams,))
    shapes = (options.projection, options.cells)
    state = tuple(torch.zeros(options.depth, streams, width, dtype=dtype) for width in shapes)

    def step() -> None:
        nonlocal state
        hidden, (r, c) = model.lstm(features, state)
        state = (r.detach(), c.detach())
        logits = model.output(hidden.reshape(-1, options.projection))
        loss = nn.functional.cross_entropy(logits.float(), labels, reduction="sum")
        model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]

    return step


def table(rows: list[Row]) -> Table:
    """The rows for people."""
    names = [f"{who}_{precision}" for precision in PRECISIONS for who in ("ours", "torch")]
    result = Table(
        "network", "streams", *(name.replace("_", " ") for name in names), "/ torch", "/ torch",
        title=f"training, frames/s, {rows[0]['threads']} threads",
    )  # fmt: skip
    for row in rows:
        result.add_row(
            row["network"],
            str(row["streams"]),
            *(f"{row[f'{name}_frames_per_s']:,}" for name in names),
            *(f"{row[f'{name}_vs_torch']:.2f}" for name in PRECISIONS),
        )
    return result


def summary(rows: list[Row]) -> dict[str, float]:
    """2x800/512 on 64 streams in float32."""
    of = {(row["network"], row["streams"]): row for row in rows}
    return {"training_vs_torch": of[WINNER]["float32_vs_torch"]}
