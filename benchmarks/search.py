"""Speed of the native search beside kaldi-decoder's, on the same graph and scores.

With a model and a corpus, the graph is the model's and the scores its network's; without, both are
drawn by lot. Every contestant searches every utterance, one after the other in one thread, and its
CPU time counts, so that other work on the machine disturbs little. FasterDecoder makes no lattice;
LatticeSimpleDecoder, which makes one, has no limit of active tokens and is slow: it gets the first
frames of the first utterance only.

    python benchmarks/search.py --model DIR --data corpora/mini-librispeech/dev --json search.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import kaldi_decoder
import kaldifst
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from data.corpus import read_corpus
from decoding.graph import DecodingGraph
from decoding.lattice import best_path, determinize
from decoding.search import Decoder, SearchOptions
from recognizer.recognizer import Recognizer

Scores = list[npt.NDArray[np.float32]]
FRAMES_PER_SECOND = 100
AGREEMENT = 0.01  # of best-path costs
# Keeps nothing but the best path and what ties with it.
NO_LATTICE = 1e-3


@dataclass
class Task:
    """What all contestants get."""

    graph: DecodingGraph
    pdfs: npt.NDArray[np.int32]
    scores: Scores
    options: SearchOptions

    @property
    def num_frames(self) -> int:
        """Frames of all utterances."""
        return sum(len(scores) for scores in self.scores)


@dataclass
class Row:
    """One contestant's result; costs are those of each utterance's best path."""

    name: str
    frames: int
    seconds: float
    frames_per_second: float
    real_time_factor: float
    costs: list[float]
    tokens_per_frame: float | None = None
    arcs_per_frame: float | None = None
    lattice_arcs_per_frame: float | None = None


def row(name: str, frames: int, seconds: float, costs: list[float], **more: float) -> Row:
    """A row with the derived numbers."""
    speed = frames / seconds
    return Row(name, frames, seconds, speed, FRAMES_PER_SECOND / speed, costs, **more)


def recorded(model: Path, data: Path, limit: int, options: dict[str, Any]) -> Task:
    """A model's graph and its scores of the first utterances of a corpus."""
    recognizer = Recognizer(model)
    utterances = list(read_corpus(data))[:limit]
    scores = [recognizer.log_likelihoods(utterance.samples()) for utterance in utterances]
    bundle = recognizer.bundle
    return Task(bundle.graph, bundle.transitions.pdf, scores, replace(recognizer.search, **options))


def drawn(states: int, limit: int, options: dict[str, Any]) -> Task:
    """A graph of the shape of HCLG, mostly chains of states with self-loops, and random scores."""
    rng = np.random.default_rng(1)
    num_pdfs, frames = 2000, 300
    loops = np.arange(states)
    chain = np.flatnonzero(rng.random(states - 1) < 0.8)
    jumps = rng.integers(0, states, states)
    back_off = np.sort(rng.integers(0, states, (states // 10, 2)), axis=1)
    back_off = back_off[back_off[:, 0] < back_off[:, 1]]
    sources = np.concatenate([loops, chain, jumps, back_off[:, 0]])
    targets = np.concatenate(
        [loops, chain + 1, rng.integers(0, states, len(jumps)), back_off[:, 1]]
    )
    tids = rng.integers(1, num_pdfs + 1, len(sources))
    tids[len(tids) - len(back_off) :] = 0
    words = np.where(rng.random(len(sources)) < 0.1, rng.integers(1, 1000, len(sources)), 0)
    order = np.lexsort((tids == 0, sources))
    graph = DecodingGraph(
        start=0,
        offsets=np.searchsorted(sources[order], np.arange(states + 1)).astype(np.int64),
        num_emitting=np.bincount(sources[tids > 0], minlength=states).astype(np.uint32),
        ilabels=tids[order].astype(np.int32),
        olabels=words[order].astype(np.int32),
        costs=rng.exponential(1.0, len(sources)).astype(np.float32),
        next_states=targets[order].astype(np.int32),
        final_costs=np.where(rng.random(states) < 0.5, 1.0, np.inf).astype(np.float32),
        words=("<eps>", *(f"w{i}" for i in range(1, 1000))),
    )
    pdfs = np.arange(-1, num_pdfs, dtype=np.int32)
    scores = [rng.normal(0, 15, (frames, num_pdfs)).astype(np.float32) for _ in range(limit)]
    return Task(graph, pdfs, scores, SearchOptions(**options))


def ours(task: Task, name: str, *, lattice: bool, determinized: bool) -> Row:
    """The native search."""
    options = task.options if lattice else replace(task.options, lattice_beam=NO_LATTICE)
    decoder = Decoder(task.graph, task.pdfs, options)
    decoder.decode(task.scores[0][:50])  # warms up
    scale = options.acoustic_scale
    seconds, costs, tokens, arcs, lattice_arcs = 0.0, [], 0, 0, 0
    for scores in task.scores:
        begin = time.process_time()
        decoding = decoder.start()
        decoding.advance(scores)
        raw = decoding.finish()
        final = determinize(raw, scale, options.lattice_beam) if determinized else raw
        path = best_path(final, scale)
        seconds += time.process_time() - begin
        costs.append(path.cost(scale))
        tokens += decoding.stats["tokens"]
        arcs += decoding.stats["arcs"]
        lattice_arcs += final.num_arcs
    return row(
        name,
        task.num_frames,
        seconds,
        costs,
        tokens_per_frame=tokens / task.num_frames,
        arcs_per_frame=arcs / task.num_frames,
        lattice_arcs_per_frame=lattice_arcs / task.num_frames,
    )


def theirs(task: Task, name: str, make: Callable[[], Any], limit: int | None = None) -> Row:
    """A decoder of kaldi-decoder; `make` gives a new one."""
    utterances = task.scores if limit is None else [task.scores[0][:limit]]
    seconds, costs = 0.0, []
    for scores in utterances:
        scaled = scores * np.float32(task.options.acoustic_scale)
        decoder = make()
        begin = time.process_time()
        decoder.decode(kaldi_decoder.DecodableCtc(scaled))
        _, path = decoder.get_best_path()
        seconds += time.process_time() - begin
        _, _, _, weight = kaldifst.get_linear_symbol_sequence(path)
        costs.append(weight.value1 + weight.value2)
    return row(name, sum(len(scores) for scores in utterances), seconds, costs)


def measure(task: Task, lattice_frames: int) -> tuple[list[Row], dict[str, float]]:
    """All rows and the summary."""
    options = task.options
    fst = task.graph.to_kaldifst(task.pdfs)
    faster_options = kaldi_decoder.FasterDecoderOptions(
        beam=options.beam,
        max_active=options.max_active,
        min_active=options.min_active,
        beam_delta=options.beam_delta,
    )
    simple_options = kaldi_decoder.LatticeSimpleDecoderConfig(
        beam=options.beam, lattice_beam=options.lattice_beam, prune_interval=options.prune_interval
    )
    one_best = ours(task, "ours, best path", lattice=False, determinized=False)
    raw = ours(task, "ours, raw lattice", lattice=True, determinized=False)
    compact = ours(task, "ours, determinised lattice", lattice=True, determinized=True)
    faster = theirs(
        task, "FasterDecoder, best path", lambda: kaldi_decoder.FasterDecoder(fst, faster_options)
    )
    rows = [one_best, raw, compact, faster]
    if lattice_frames:
        rows.append(
            theirs(
                task,
                f"LatticeSimpleDecoder, {lattice_frames} frames",
                lambda: kaldi_decoder.LatticeSimpleDecoder(fst, simple_options),
                lattice_frames,
            )
        )
    differences = [ours - peer for ours, peer in zip(one_best.costs, faster.costs, strict=True)]
    summary = {
        "one_best_speedup_vs_faster_decoder": faster.seconds / one_best.seconds,
        "raw_lattice_speedup_vs_faster_decoder": faster.seconds / raw.seconds,
        "lattice_speedup_vs_faster_decoder": faster.seconds / compact.seconds,
        "cost_agreement": float(np.mean(np.array(differences) < AGREEMENT)),
        "largest_cost_difference": max(differences),
    }
    return rows, summary


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, help="model directory")
    parser.add_argument("--data", type=Path, help="corpus to take utterances from")
    parser.add_argument("--utterances", type=int, default=10)
    parser.add_argument("--states", type=int, default=1_000_000, help="of a graph drawn by lot")
    parser.add_argument("--beam", type=float, default=13.0)
    parser.add_argument("--lattice-beam", type=float, default=8.0)
    parser.add_argument("--max-active", type=int, default=7000)
    parser.add_argument("--acoustic-scale", type=float, help="default: the model's, or 0.1")
    parser.add_argument("--lattice-frames", type=int, default=0, help="for LatticeSimpleDecoder")
    parser.add_argument("--json", type=Path, help="write rows and summary to this file")
    args = parser.parse_args()
    if (args.model is None) != (args.data is None):
        parser.error("--model and --data go together")
    options: dict[str, Any] = {
        "beam": args.beam,
        "lattice_beam": args.lattice_beam,
        "max_active": args.max_active,
    }
    if args.acoustic_scale is not None:
        options["acoustic_scale"] = args.acoustic_scale
    if args.model is not None:
        task = recorded(args.model, args.data, args.utterances, options)
    else:
        task = drawn(args.states, args.utterances, options)
    rows, summary = measure(task, args.lattice_frames)

    table = Table(
        title=f"{task.graph.num_states:,} states, {task.graph.num_arcs:,} arcs, "
        f"{task.num_frames:,} frames, beam {task.options.beam:g}, "
        f"max-active {task.options.max_active}, lattice beam {task.options.lattice_beam:g}, "
        f"acoustic scale {task.options.acoustic_scale:g}"
    )
    for name in ("", "frames/s", "RTF", "tokens/frame", "arcs/frame", "lattice arcs/frame"):
        table.add_column(name, justify="right" if name else "left")
    for each in rows:
        counts = (each.tokens_per_frame, each.arcs_per_frame, each.lattice_arcs_per_frame)
        table.add_row(
            each.name,
            f"{each.frames_per_second:,.0f}",
            f"{each.real_time_factor:.3f}",
            *("" if count is None else f"{count:,.1f}" for count in counts),
        )
    console = Console()
    console.print(table)
    for key, value in summary.items():
        console.print(f"{key}: {value:.4g}")
    if args.json is not None:
        result = {"rows": [asdict(each) for each in rows], "summary": summary}
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
