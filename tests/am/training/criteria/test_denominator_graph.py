"""Denominator graphs: files, and faults in one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recognizer.am.training.criteria.denominator_graph import DenominatorGraph
from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import write_arrays
from sequence_toys import random_denominator

GRAPH = random_denominator(np.random.default_rng(0), states=4, arcs=5, outputs=3)


def test_files_give_the_same_graph(tmp_path: Path) -> None:
    path = tmp_path / "denominator"
    GRAPH.write(path)
    found = DenominatorGraph.read(path)
    for field in dataclasses.fields(GRAPH):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(GRAPH, field.name))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"pdfs": GRAPH.pdfs + 1}, "pdfs 0 to 2, found"),
        ({"sources": GRAPH.sources - 1}, "sources 0 to 3"),
        ({"destinations": GRAPH.destinations.astype(np.int64)}, "destinations int32"),
        ({"log_probs": GRAPH.log_probs[1:]}, r"log_probs float32 \[9\]"),
        ({"log_probs": GRAPH.log_probs * np.float32(np.nan)}, "finite"),
        ({"occupancy": GRAPH.occupancy * np.float32(2)}, "sums to 1"),
        ({"occupancy": GRAPH.occupancy.astype(np.float64)}, "occupancy float32"),
        ({"start": 4}, "start state"),
        ({"destinations": GRAPH.destinations * 0 + np.int32(GRAPH.start)}, "a way to it"),
        ({"sources": GRAPH.sources * 0 + np.int32(GRAPH.start)}, "leaves it"),
    ],
)  # fmt: skip
def test_faults_are_told_in_one_line(change: dict[str, object], fault: str) -> None:
    with pytest.raises(SpeechError, match=f"denominator graph: .*{fault}") as caught:
        dataclasses.replace(GRAPH, **change)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    with pytest.raises(SpeechError, match="other"):
        DenominatorGraph.read(path)
    write_arrays(path, {"sources": GRAPH.sources}, kind="denominator", version=1)
    with pytest.raises(SpeechError, match="other: expected arrays of a denominator graph"):
        DenominatorGraph.read(path)
    GRAPH.write(path)
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 255
    path.write_bytes(bytes(damaged))
    with pytest.raises(SpeechError, match="other"):
        DenominatorGraph.read(path)
