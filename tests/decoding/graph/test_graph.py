"""The graph's arrays, their checks and their way to kaldifst and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.graph import DecodingGraph

WORDS = ("<eps>", "a", "it's")


def random_fst(seed: int, states: int = 40, arcs: int = 300) -> FstArrays:
    rng = np.random.default_rng(seed)
    finals = np.where(rng.random(states) < 0.2, rng.random(states), np.inf)
    return FstArrays.from_arcs(
        rng.integers(0, states, arcs),
        rng.integers(0, 5, arcs),
        rng.integers(0, len(WORDS), arcs),
        rng.integers(0, 100, arcs) / 16,
        rng.integers(0, states, arcs),
        finals,
        start=int(rng.integers(0, states)),
    )


def arc_set(graph: DecodingGraph) -> list[tuple[float, ...]]:
    fst = graph.to_arrays()
    columns = (fst.sources, fst.ilabels, fst.olabels, fst.costs, fst.next_states)
    return sorted(tuple(map(float, arc)) for arc in zip(*columns, strict=True))


def same(one: DecodingGraph, other: DecodingGraph) -> bool:
    return (
        one.start == other.start
        and one.words == other.words
        and np.array_equal(one.final_costs, other.final_costs)
        and all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("offsets", "num_emitting", "ilabels", "olabels", "costs", "next_states")
        )
    )


@pytest.mark.parametrize("seed", range(5))
def test_emitting_arcs_come_first_and_none_is_lost(seed: int) -> None:
    fst = random_fst(seed)
    graph = DecodingGraph.from_arrays(fst, WORDS)
    for state in range(graph.num_states):
        first, last = graph.offsets[state : state + 2]
        emitting = int(graph.num_emitting[state])
        assert (graph.ilabels[first : first + emitting] > 0).all()
        assert (graph.ilabels[first + emitting : last] == 0).all()
    columns = (fst.sources, fst.ilabels, fst.olabels, fst.costs, fst.next_states)
    assert arc_set(graph) == sorted(tuple(map(float, arc)) for arc in zip(*columns, strict=True))


def test_kaldifst_and_back() -> None:
    graph = DecodingGraph.from_arrays(random_fst(3), WORDS)
    assert same(
        DecodingGraph.from_arrays(FstArrays.from_kaldifst(graph.to_kaldifst()), WORDS), graph
    )


def test_kaldifst_itself_reads_the_same_arcs() -> None:
    import kaldifst

    graph = DecodingGraph.from_arrays(random_fst(4, states=5, arcs=12), WORDS)
    fst = graph.to_kaldifst()
    assert fst.start == graph.start
    found = [
        (float(state), arc.ilabel, arc.olabel, arc.weight.value, float(arc.nextstate))
        for state in range(graph.num_states)
        for arc in kaldifst.ArcIterator(fst, state)
    ]
    assert sorted(found) == arc_set(graph)


def test_export_relabels_to_pdf_plus_one() -> None:
    graph = DecodingGraph.from_arrays(random_fst(1), WORDS)
    pdf = np.array([-1, 7, 7, 0, 3], dtype=np.int32)
    exported = FstArrays.from_kaldifst(graph.to_kaldifst(pdf))
    expected = np.where(graph.ilabels > 0, pdf[graph.ilabels] + 1, 0)
    assert np.array_equal(exported.ilabels, expected)
    with pytest.raises(SpeechError, match="expected transition-ids below 3, found 4"):
        graph.to_kaldifst(pdf[:3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": 40}, "expected a start state"),
        ({"costs": np.full(300, np.nan, dtype=np.float32)}, "finite costs"),
        ({"next_states": np.full(300, 40, dtype=np.int32)}, "next states"),
        ({"olabels": np.full(300, 3, dtype=np.int32)}, "word ids"),
        ({"ilabels": np.zeros(300, dtype=np.int32)}, "emitting arcs before"),
        ({"costs": np.zeros(299, dtype=np.float32)}, r"costs: expected float32 \[300\]"),
    ],
)
def test_impossible_graphs_are_refused(change: dict[str, object], message: str) -> None:
    graph = DecodingGraph.from_arrays(random_fst(0), WORDS)
    with pytest.raises(SpeechError, match=message):
        replace(graph, **change)  # type: ignore[arg-type]
