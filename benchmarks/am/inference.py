"""Frames/s of native inference beside torch. Started by ``benchmarks.am``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.table import Table
from torch import nn

from benchmarks.am.machine import Machine, Step, take_turns
from recognizer.am.nnet.layers import TdnnOptions
from recognizer.am.nnet.native import PRECISIONS, NativeNetwork
from recognizer.am.nnet.network_file import Network
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.torch.networks import from_network

FloatArray = npt.NDArray[np.float32]
Row = dict[str, Any]

SHAPES = {
    f"{layers}x{cells}/{projection}": NetworkShape(
        layers=layers, cells=cells, projection=projection
    )
    for layers, cells, projection in ((2, 800, 512), (2, 512, 256))
} | {
    # Most of its work is done for every third frame.
    "TDNN-F": NetworkShape(
        kind="layered",
        layers=(
            TdnnOptions(units=512, left=2, right=2),
            TdnnOptions(units=512, bottleneck=96, left=1, right=1, bypass=0.66),
            TdnnOptions(units=512, bottleneck=96, stride=3),
            *(
                TdnnOptions(units=512, bottleneck=96, left=1, right=1, bypass=0.66)
                for _ in range(6)
            ),
            TdnnOptions(units=192, activation="none"),
        ),
    ),
}
WINNER = "2x800/512"
BYTES = {"float32": 4, "int8": 1}
LEAST_FRAMES = 60
MOST_FRAMES = 300


def run(
    machines: dict[int, Machine], streams: list[int], outputs: int, rounds: int, level: str | None
) -> list[Row]:
    """All rows: networks, with and without output layer, threads, streams."""
    rows = []
    for name, shape in SHAPES.items():
        for part in ("hidden", "whole"):
            options = NetworkOptions.of(shape, 1 if part == "hidden" else outputs, 40)
            network = make_network(options)
            for machine in machines.values():
                for count in streams:
                    speeds = measure(network, part, machine.threads, count, rounds, level)
                    rows.append(
                        {"network": name, "part": part}
                        | {"streams": count, "threads": machine.threads}
                        | {f"{engine}_frames_per_s": round(v) for engine, v in speeds.items()}
                        | shares(options, machine, count, speeds)
                    )
    return rows


def measure(
    network: Network, part: str, threads: int, streams: int, rounds: int, level: str | None
) -> dict[str, float]:
    """Frames/s of torch and of ours in each precision."""
    frames = max(LEAST_FRAMES, MOST_FRAMES // streams)
    size = (streams, frames, network.options.input_dim)
    features = np.random.default_rng(1).normal(size=size).astype(np.float32)
    torch.set_num_threads(threads)
    steps = {"torch": torch_step(network, features, part == "hidden")}
    for precision in PRECISIONS:
        model = NativeNetwork(network, precision, threads, level=level)
        steps[precision] = native_step(model, list(features))
    seconds = take_turns(steps, rounds)
    return {name: streams * frames / value for name, value in seconds.items()}


def make_network(options: NetworkOptions) -> Network:
    """Random weights, small enough for no gate to stay at its end."""
    random = np.random.default_rng(0)
    tensors = {
        name: random.uniform(-0.08, 0.08, shape).astype(np.float32)
        for name, shape in options.shapes().items()
    }
    tensors["input.inv_std"][:] = 1
    return Network(options, tensors)


def native_step(model: NativeNetwork, blocks: list[FloatArray]) -> Step:
    """All streams from their beginnings, as one batch."""

    def step() -> None:
        model.advance_all([model.start() for _ in blocks], blocks)

    return step


def torch_step(network: Network, features: FloatArray, hidden: bool) -> Step:
    """The same in torch: its own LSTM, or our module of the layers, which torch does not have."""
    options = network.options
    block = torch.from_numpy(features).transpose(0, 1).contiguous()
    if options.stack:
        module = from_network(network).eval()
        layers = module.hidden if hidden else module.forward

        def layered_step() -> None:
            with torch.inference_mode():
                layers(block, module.initial_state(len(features)))

        return layered_step
    lstm = nn.LSTM(
        options.input_dim, options.cells, options.depth, proj_size=options.projection
    ).eval()
    output = nn.Linear(options.projection, options.outputs)

    def step() -> None:
        with torch.inference_mode():
            rows, _ = lstm(block)
            if not hidden:
                nn.functional.log_softmax(output(rows), -1)

    return step


def shares(
    options: NetworkOptions, machine: Machine, streams: int, speeds: dict[str, float]
) -> Row:
    """Speeds as ratios to torch's and as shares of what the machine can do.

    Recurrent weights and projections must be read once a frame for all streams together (at most
    12 at a time); input and output weights serve whole blocks of frames and do not count.
    """
    row: Row = {}
    weights = {name: math.prod(shape) for name, shape in options.shapes().items()}
    recurrent = sum(n for name, n in weights.items() if name.endswith(("w_r", "w_p")))
    multiplied = products_of_a_frame(options)
    for precision, size in BYTES.items():
        speed = speeds[precision]
        row[f"{precision}_vs_torch"] = round(speed / speeds["torch"], 2)
        reads = speed / streams * math.ceil(streams / 12)
        share = reads * recurrent * size / machine.bandwidth[precision]
        row[f"{precision}_bandwidth_share"] = round(share, 3)
        row[f"{precision}_products_share"] = round(2 * multiplied * speed / machine.products, 3)
    return row


def products_of_a_frame(options: NetworkOptions) -> float:
    """Products of weights for one input frame; layers above a stride have fewer frames."""
    every = [1]  # frames from one row of a layer's outputs to the next
    for layer in options.stack:
        every.append(every[-1] * layer.stride)
    total = 0.0
    for name, shape in options.shapes().items():
        if len(shape) == 2:
            above = int(name.split(".")[1]) + 1 if name.startswith("layers.") else -1
            total += math.prod(shape) / (every[above] if options.stack else 1)
    return total


def table(rows: list[Row]) -> Table:
    """The rows for people."""
    result = Table(
        "network", "part", "threads", "streams", "torch", "float32", "int8", "x torch", "bandwidth",
        "products",
        title="inference, frames/s; float32 and int8 beside torch and the machine's limits",
    )  # fmt: skip
    for row in rows:
        result.add_row(
            *(str(row[name]) for name in ("network", "part", "threads", "streams")),
            *(f"{row[f'{name}_frames_per_s']:,}" for name in ("torch", *BYTES)),
            ", ".join(f"{row[f'{name}_vs_torch']:.1f}" for name in BYTES),
            ", ".join(f"{row[f'{name}_bandwidth_share']:.0%}" for name in BYTES),
            ", ".join(f"{row[f'{name}_products_share']:.0%}" for name in BYTES),
        )
    return result


def summary(rows: list[Row]) -> dict[str, float]:
    """Hidden layers of 2x800/512 with the most threads.

    The share of the bandwidth is that of one stream, of the precision that reaches less.
    """
    threads = max(row["threads"] for row in rows)
    of = {
        row["streams"]: row
        for row in rows
        if (row["network"], row["part"], row["threads"]) == (WINNER, "hidden", threads)
    }
    result: dict[str, float] = {}
    if 1 in of:
        result |= {f"one_stream_{name}_vs_torch": of[1][f"{name}_vs_torch"] for name in BYTES}
        result["weight_bandwidth_share"] = min(of[1][f"{n}_bandwidth_share"] for n in BYTES)
    if 8 in of:
        result |= {f"eight_streams_{name}_vs_torch": of[8][f"{name}_vs_torch"] for name in BYTES}
    return result
