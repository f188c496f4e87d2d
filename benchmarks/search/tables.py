"""The three tables of `benchmarks.search`, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.search.contestants import (
    OnTheFlySearch,
    PeerBestPath,
    PeerLattice,
    Rescoring,
    StaticSearch,
    Threads,
)
from benchmarks.search.inputs import Inputs
from benchmarks.search.language_models import automaton_path
from benchmarks.search.workers import Contestant, Race, Timed, Utterance, Worker, race
from recognizer.data.io.console import progress_bar
from recognizer.decoding.search.search import SearchOptions
from recognizer.evaluation.error_counts import total
from recognizer.evaluation.word_alignment import count_errors
from recognizer.lm.automaton.automaton import NgramAutomaton

Row = dict[str, Any]

SAME_COST = 0.01
ONE_BEST, LATTICE, ON_THE_FLY = "static, best path", "static, lattice", "on the fly, lattice"
EPSILON = "on the fly, epsilon back-off"
FASTER, SIMPLE = "kaldi-decoder FasterDecoder", "kaldi-decoder LatticeSimpleDecoder"
THREAD_REPEATS = 3
RATIO_NGRAMS = 5_000_000  # where memory on the fly is compared with the static search's
_MB = 1e6


@dataclass(frozen=True)
class Settings:
    """What all tables have in common.

    Attributes:
        options: beams and scales.
        every: the second and third table, and what is counted or timed apart, take each so
            manieth utterance.
        simple_frames: frames for `LatticeSimpleDecoder`.
    """

    options: SearchOptions
    every: int
    simple_frames: int


def contestants_table(inputs: Inputs, settings: Settings) -> tuple[list[Row], dict[str, float]]:
    """All decoders on the model's graph or first-pass language model."""
    options, utterances = settings.options, inputs.utterances
    fst, hcl, automaton = inputs.openfst(), inputs.hcl(), inputs.first_pass_automaton()
    static = StaticSearch(inputs.graph, options)
    contestants: dict[str, Contestant] = {
        ONE_BEST: replace(static, lattice=False),
        LATTICE: static,
        ON_THE_FLY: OnTheFlySearch(hcl, automaton, options),
        EPSILON: OnTheFlySearch(hcl, automaton, options, "epsilon"),
        FASTER: PeerBestPath(fst, inputs.words, options),
    }
    oracles: dict[str, Row] = {}

    def measure_oracles(workers: Mapping[str, Worker]) -> None:
        for name in (LATTICE, ON_THE_FLY, EPSILON):
            oracles[name] = _oracle_wers(workers[name], utterances)

    with progress_bar("decoders", len(utterances)) as advance:
        result = race(contestants, utterances, advance, measure_oracles)
    composed = [hcl, automaton]
    files = {ON_THE_FLY: composed, EPSILON: composed, FASTER: [fst]}
    costs = {name: _costs(timed) for name, timed in result.results.items()}
    rows = {}
    for name in contestants:
        rows[name] = (
            _row(name, result, utterances, files.get(name, [inputs.graph]))
            | _differences(costs[name], costs[FASTER])
            | oracles.get(name, {})
        )
    if settings.simple_frames:
        simple = PeerLattice(fst, inputs.words, options)
        rows[SIMPLE] = _simple_row(inputs, simple, settings, result.idle_mb)
        rows[SIMPLE]["graph_mb"] = rows[FASTER]["graph_mb"]
    some = _some(utterances, settings.every)
    seconds = {name: row["seconds"] for name, row in rows.items()}
    summary = {
        "one_best_speedup_vs_faster_decoder": seconds[FASTER] / seconds[ONE_BEST],
        "lattice_speedup_vs_faster_decoder": seconds[FASTER] / seconds[LATTICE],
        "cost_agreement": float((costs[ONE_BEST] - costs[FASTER] <= SAME_COST).mean()),
        "two_thread_speedup": _two_thread_speedup(Threads(static), some),
        "on_the_fly_time_ratio": seconds[ON_THE_FLY] / seconds[LATTICE],
        "rescoring_time_share": _rescoring_share(inputs, some),
    }
    return list(rows.values()), summary


def beams_table(inputs: Inputs, settings: Settings, beams: Sequence[float]) -> list[Row]:
    """Beam against word error rate and speed."""
    utterances = _some(inputs.utterances, settings.every)
    hcl, automaton = inputs.hcl(), inputs.first_pass_automaton()
    rows = []
    for beam in beams:
        options = replace(settings.options, beam=beam)
        contestants: dict[str, Contestant] = {
            ONE_BEST: StaticSearch(inputs.graph, options, lattice=False),
            LATTICE: StaticSearch(inputs.graph, options),
            ON_THE_FLY: OnTheFlySearch(hcl, automaton, options),
        }
        with progress_bar(f"beam {beam:g}", len(utterances)) as advance:
            result = race(contestants, utterances, advance)
        rows += [{"beam": beam} | _row(name, result, utterances, []) for name in contestants]
    return rows


def sizes_table(
    inputs: Inputs, settings: Settings, models: Path, sizes: Sequence[float], limit_gib: float
) -> tuple[list[Row], dict[str, float]]:
    """Size of the language model against memory and speed.

    Where building a static graph exceeds the limit, those of larger models are not tried.
    """
    utterances = _some(inputs.utterances, settings.every)
    hcl = inputs.hcl()
    rows = []
    exceeding: float | None = None
    for size in sorted(sizes):
        automaton = automaton_path(models, size)
        counts = NgramAutomaton.open(automaton, validate=False).metadata["counts"]
        ngrams = {"ngrams": sum(map(int, counts.split()))}
        graph = None if exceeding else inputs.static_graph(models, size, limit_gib)
        building: dict[str, float] = {}
        if graph is not None:
            building = {"build_seconds": graph.build_seconds, "build_gib": graph.build_gib}
        contestants: dict[str, Contestant] = {
            ON_THE_FLY: OnTheFlySearch(hcl, automaton, settings.options)
        }
        static_path = graph.path if graph is not None else None
        if static_path is None:
            note = f"building exceeds {limit_gib:g} GiB"
            if exceeding:
                note += f" with {exceeding:g} million already"
            exceeding = exceeding or size
            rows.append({"name": LATTICE} | ngrams | building | {"note": note})
        else:
            contestants[LATTICE] = StaticSearch(static_path, settings.options)
        with progress_bar(f"{size:g} million n-grams", len(utterances)) as advance:
            result = race(contestants, utterances, advance)
        on_the_fly = _row(ON_THE_FLY, result, utterances, [hcl, automaton]) | ngrams
        if static_path is not None:
            static = _row(LATTICE, result, utterances, [static_path]) | ngrams | building
            for ratio, field in (("time_ratio", "seconds"), ("memory_ratio", "memory_mb")):
                on_the_fly[ratio] = on_the_fly[field] / static[field]
            rows.append(static)
        rows.append(on_the_fly)
    return rows, _sizes_summary(rows)


def _sizes_summary(rows: Sequence[Row]) -> dict[str, float]:
    """Memory of both ways, and what the largest language model takes on the fly."""
    largest = max((row for row in rows if row["name"] == ON_THE_FLY), key=lambda row: row["ngrams"])
    summary = {
        "on_the_fly_ngrams": largest["ngrams"],
        "on_the_fly_rss_mb": largest["rss_mb"],
    }
    compared = [row for row in rows if "memory_ratio" in row]
    if compared:
        # Rows go from small to large.
        chosen = [row for row in compared if row["ngrams"] <= RATIO_NGRAMS] or compared[:1]
        summary["on_the_fly_memory_ratio"] = chosen[-1]["memory_ratio"]
        summary["on_the_fly_memory_ratio_ngrams"] = chosen[-1]["ngrams"]
    return summary


def _row(name: str, result: Race, utterances: Sequence[Utterance], files: Sequence[Path]) -> Row:
    """What all tables tell of a contestant."""
    timed = result.results[name]
    frames = sum(one.frames for one in utterances)
    row: Row = {"name": name} | _speed(frames, timed)
    row["memory_mb"] = result.peak_mb[name] - result.idle_mb
    row["rss_mb"] = result.peak_mb[name]
    if files:
        row["graph_mb"] = sum(file.stat().st_size for file in files) / _MB
    tokens = [one.found.tokens for one in timed if one.found.tokens is not None]
    if len(tokens) == len(timed):
        row["active_tokens"] = sum(tokens) / frames
    row["wer"] = _wer(utterances, timed)
    return row


def _speed(frames: int, timed: Sequence[Timed]) -> Row:
    seconds = sum(one.seconds for one in timed)
    return {
        "frames": frames,
        "seconds": seconds,
        "frames_per_second": frames / seconds,
    }


def _wer(utterances: Sequence[Utterance], timed: Sequence[Timed]) -> float:
    pairs = zip(utterances, timed, strict=True)
    return total(count_errors(one.words, each.found.words) for one, each in pairs).wer


def _costs(timed: Sequence[Timed]) -> npt.NDArray[np.float64]:
    return np.array([one.found.cost for one in timed])


def _differences(costs: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> Row:
    """How costs differ from the peer's, utterance by utterance."""
    difference = costs - others
    return {
        "mean_cost_difference": float(difference.mean()),
        "largest_cost_difference": float(difference.max()),
    }


def _some(utterances: Sequence[Utterance], every: int) -> list[Utterance]:
    return list(utterances[::every])


def _oracle_wers(worker: Worker, utterances: Sequence[Utterance]) -> Row:
    """Least word error rates of any path of the determinised and of the raw lattices."""
    words = sum(len(one.words) for one in utterances)
    errors, raw_errors = 0, 0
    with progress_bar("oracle WER", len(utterances)) as advance:
        for one in utterances:
            found, raw_found = worker.call("oracle_errors", one.scores, one.words)
            errors += found
            raw_errors += raw_found
            advance()
    return {"oracle_wer": 100.0 * errors / words, "raw_oracle_wer": 100.0 * raw_errors / words}


def _simple_row(inputs: Inputs, contestant: PeerLattice, settings: Settings, idle_mb: float) -> Row:
    """`LatticeSimpleDecoder` on the first frames of the test set."""
    timed: list[Timed] = []
    left = settings.simple_frames
    with (
        Worker(contestant) as worker,
        progress_bar("LatticeSimpleDecoder", settings.simple_frames) as advance,
    ):
        for one in inputs.utterances:
            frames = min(left, one.frames)
            if not frames:
                break
            timed.append(worker.search(one, frames))
            left -= frames
            for _ in range(frames):
                advance()
        peak_mb = worker.peak_mb()
    row = {"name": SIMPLE} | _speed(settings.simple_frames - left, timed)
    return row | {"memory_mb": peak_mb - idle_mb, "rss_mb": peak_mb}


def _two_thread_speedup(contestant: Threads, utterances: Sequence[Utterance]) -> float:
    """Wall time with one thread over that with two; the best of several tries of each."""
    files = [one.scores for one in utterances]
    best = {1: float("inf"), 2: float("inf")}
    with (
        Worker(contestant) as worker,
        progress_bar("threads", len(best) * THREAD_REPEATS) as advance,
    ):
        for _ in range(THREAD_REPEATS):
            for threads in best:
                best[threads] = min(best[threads], worker.call("seconds", files, threads))
                advance()
    return best[1] / best[2]


def _rescoring_share(inputs: Inputs, utterances: Sequence[Utterance]) -> float:
    """CPU time of the second pass over that of the first, with the model's own options."""
    first = second = 0.0
    with (
        Worker(Rescoring(inputs.bundle.path)) as worker,
        progress_bar("rescoring", len(utterances)) as advance,
    ):
        for one in utterances:
            seconds = worker.call("seconds", one.scores)
            first, second = first + seconds[0], second + seconds[1]
            advance()
    return second / first
