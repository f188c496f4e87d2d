"""Forward-backward of LF-MMI's denominator beside torch. Started by ``benchmarks.am``.

Output frames/s of a random graph of the usual size, values and posteriors: ours at every level of
the processor's instructions, and a leaky HMM written in torch, all arcs of a frame at once, whose
posteriors are autograd's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from benchmarks.am.machine import Step, take_turns
from recognizer.am import _sequence
from recognizer.am.training.criteria.denominator_graph import DenominatorGraph

Row = dict[str, Any]

STATES, ARCS, LEAK = 5000, 45_000, 0.1
FRAMES, STREAMS = 10, 64


def run(threads: int, outputs: int, rounds: int) -> list[Row]:
    """One row for each contestant."""
    torch.set_num_threads(threads)
    graph = random_graph(outputs)
    logits = np.random.default_rng(0).normal(size=(FRAMES, STREAMS, outputs)).astype(np.float32)
    steps: dict[str, Step] = {
        level: partial(
            our_step, _native(graph, level), graph, logits, np.empty_like(logits), threads
        )
        for level in _sequence.levels()
    }
    steps["torch"] = partial(torch_step, graph, torch.from_numpy(logits))
    seconds = take_turns(steps, rounds)
    speeds = {name: FRAMES * STREAMS / value for name, value in seconds.items()}
    return [
        {"part": "sequence", "contestant": name, "threads": threads}
        | {"states": graph.num_states, "arcs": graph.num_arcs, "streams": STREAMS}
        | {"output_frames_per_s": round(speed), "vs_torch": round(speed / speeds["torch"], 2)}
        for name, speed in speeds.items()
    ]


def random_graph(outputs: int) -> DenominatorGraph:
    """A self-loop at every state, a ring through all of them, and arcs to random ones."""
    rng = np.random.default_rng(0)
    states = np.arange(STATES)
    others = ARCS - 2 * STATES
    occupancy = rng.random(STATES) + 0.1
    return DenominatorGraph(
        np.concatenate((states, states, rng.integers(0, STATES, others))).astype(np.int32),
        np.concatenate((states, (states + 1) % STATES, rng.integers(0, STATES, others))).astype(
            np.int32
        ),
        rng.integers(0, outputs, ARCS).astype(np.int32),
        np.log(rng.random(ARCS) + 0.01).astype(np.float32),
        (occupancy / occupancy.sum()).astype(np.float32),
        start=0,
        outputs=outputs,
    )


def _native(graph: DenominatorGraph, level: str) -> _sequence.Denominator:
    return _sequence.Denominator(
        graph.sources, graph.destinations, graph.pdfs, graph.log_probs, graph.occupancy,
        graph.outputs, LEAK, level,
    )  # fmt: skip


def our_step(
    native: _sequence.Denominator,
    graph: DenominatorGraph,
    logits: np.ndarray,
    posteriors: np.ndarray,
    threads: int,
) -> np.ndarray:
    """Values of all streams; posteriors in place."""
    alphas = np.zeros((STREAMS, STATES), np.float32)
    alphas[:, graph.start] = 1
    begins, lengths = np.zeros(STREAMS, np.int64), np.full(STREAMS, FRAMES)
    return native.run(logits, begins, lengths, alphas, posteriors, threads)


def torch_step(graph: DenominatorGraph, logits: Tensor) -> Tensor:
    """The same in torch; the gradient of the summed values are the posteriors."""
    sources, destinations, pdfs = (
        torch.from_numpy(row).long() for row in (graph.sources, graph.destinations, graph.pdfs)
    )
    probs, occupancy = torch.from_numpy(graph.log_probs).exp(), torch.from_numpy(graph.occupancy)
    x = logits.clone().requires_grad_()
    alpha = torch.zeros(STREAMS, STATES)
    alpha[:, graph.start] = 1
    value = torch.zeros(STREAMS)
    for row in x:
        top = row.detach().amax(1, keepdim=True)
        terms = (alpha + LEAK * occupancy)[:, sources] * probs * (row - top).exp()[:, pdfs]
        alpha = torch.zeros(STREAMS, STATES).index_add(1, destinations, terms)
        total = alpha.sum(1, keepdim=True)
        value = value + (total.log() + top).squeeze(1)
        alpha = alpha / total
    value.sum().backward()  # type: ignore[no-untyped-call]
    return value


def table(rows: list[Row]) -> Table:
    """The rows for people."""
    first = rows[0]
    result = Table(
        "contestant", "output frames/s", "/ torch",
        title=f"LF-MMI denominator, {first['states']:,} states, {first['arcs']:,} arcs, "
        f"{first['streams']} streams, {first['threads']} threads",
    )  # fmt: skip
    for row in rows:
        speed = f"{row['output_frames_per_s']:,}"
        result.add_row(row["contestant"], speed, f"{row['vs_torch']:.1f}")
    return result


def summary(rows: list[Row]) -> dict[str, float]:
    """The fastest level."""
    return {"denominator_vs_torch": rows[-2]["vs_torch"]}
