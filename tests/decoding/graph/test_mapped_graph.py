"""The mapped graph: the source's arcs up to the numbering of states, and its file."""

from __future__ import annotations

import re
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.mapped_graph import KIND, VERSION, MappedGraph
from recognizer.decoding.search.search import Decoder, SearchOptions
from search_toys import SYMBOLS, Arcs, random_arcs

# Transition-ids 1 to 6 on four pdfs, two of which are shared.
PDFS = np.array([-1, 2, 0, 2, 1, 3, 2], dtype=np.int32)
Row = tuple[float, ...]


def named_graph(seed: int, states: int = 12, arcs: int = 40) -> DecodingGraph:
    """A random graph whose states are known by an arc of their own: state n's costs n + 0.5."""
    rng = np.random.default_rng(seed)
    toy = random_arcs(rng, states=states, arcs=arcs, tids=6)
    named = tuple((state, state, 1, 0, state + 0.5) for state in range(states))
    ways = tuple((0, state, 2, 0, 0.0) for state in range(states))
    rows = tuple((*row[:4], row[4] / 16) for row in toy.rows)  # costs below 0.5
    return Arcs(rows + named + ways, toy.finals).graph()


def content(graph: DecodingGraph) -> tuple[int, list[Row], dict[int, float]]:
    """Start, arcs and final costs by the states' names."""
    fst = graph.to_arrays()
    columns = (fst.sources, fst.ilabels, fst.olabels, fst.costs, fst.next_states)
    rows = [tuple(map(float, row)) for row in zip(*columns, strict=True)]
    names = {int(row[0]): int(row[3] - 0.5) for row in rows if row[3] >= 0.5}
    assert sorted(names.values()) == list(range(graph.num_states))
    finals = {
        names[state]: float(cost) for state, cost in enumerate(graph.final_costs) if cost < inf
    }
    renamed = [(names[int(row[0])], *row[1:4], names[int(row[4])]) for row in rows]
    return names[graph.start], sorted(renamed), finals


@pytest.mark.parametrize("seed", range(8))
def test_the_graph_is_its_source_up_to_numbering(seed: int) -> None:
    source = named_graph(seed)
    mapped = MappedGraph.from_graph(source, PDFS)
    assert (mapped.num_states, mapped.num_arcs) == (source.num_states, source.num_arcs)
    assert mapped.num_pdfs == 4
    assert mapped.pdfs().tolist() == PDFS.tolist()
    again = mapped.to_graph()
    assert again.words == source.words == SYMBOLS
    assert content(again) == content(source)


@pytest.mark.parametrize("seed", range(4))
def test_the_file_keeps_every_bit(seed: int, tmp_path: Path) -> None:
    mapped = MappedGraph.from_graph(named_graph(seed), PDFS)
    mapped.save(tmp_path / "one.graph")
    opened = MappedGraph.open(tmp_path / "one.graph")
    assert (opened.start, opened.words) == (mapped.start, mapped.words)
    assert opened.arrays.keys() == mapped.arrays.keys()
    for name, array in mapped.arrays.items():
        assert opened.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(opened.arrays[name], array)
        assert not opened.arrays[name].flags.writeable
    opened.save(tmp_path / "two.graph")
    MappedGraph.from_graph(named_graph(seed), PDFS).save(tmp_path / "three.graph")
    first, second, third = (
        (tmp_path / f"{name}.graph").read_bytes() for name in ("one", "two", "three")
    )
    assert first == second == third
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".graph"] * 3


def lattice_arcs(graph: MappedGraph, seed: int) -> list[Row]:
    """What the search finds in it."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(5, 4)).astype(np.float32)
    lattice = Decoder(graph, None, SearchOptions(beam=30.0, lattice_beam=10.0)).decode(scores)
    columns = (lattice.sources, lattice.targets, lattice.tids, lattice.words)
    costs = (lattice.graph_costs, lattice.acoustic_costs)
    return sorted(tuple(map(float, row)) for row in zip(*columns, *costs, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_wide_offsets_are_searched_alike(seed: int, tmp_path: Path) -> None:
    """Graphs of more than 2^32 - 1 arcs have them; here a small one does."""
    narrow = MappedGraph.from_graph(named_graph(seed), PDFS)
    arrays = dict(narrow.arrays)
    arrays["wide_offsets"] = arrays.pop("offsets").astype(np.uint64)
    replace(narrow, arrays=arrays).save(tmp_path / "wide.graph")
    wide = MappedGraph.open(tmp_path / "wide.graph")
    assert wide.num_states == narrow.num_states
    assert content(wide.to_graph()) == content(narrow.to_graph())
    assert lattice_arcs(wide, seed) == lattice_arcs(narrow, seed) != []


def test_words_in_any_script(tmp_path: Path) -> None:
    words = ("<eps>", "naïve", "it's", "北京", "d")
    graph = replace(named_graph(0), words=words)
    MappedGraph.from_graph(graph, PDFS).save(tmp_path / "g.graph")
    assert MappedGraph.open(tmp_path / "g.graph").words == words


def spoilt(path: Path, to: Path, name: str, index: int, value: int) -> None:
    """A copy with one number changed, and right checksums."""
    opened = open_arrays(path, kind=KIND, version=VERSION)
    arrays = {key: np.array(array) for key, array in opened.arrays.items()}
    arrays[name].reshape(-1)[index] = value
    write_arrays(to, arrays, kind=KIND, version=VERSION, metadata=opened.metadata)


NAN = 0x7FC00000  # the bits of a float32


@pytest.mark.parametrize(
    ("name", "index", "value"),
    [
        ("arcs", 0, 12),  # a next state that does not exist
        ("arcs", 1, 4),  # a pdf that does not exist
        ("arcs", 1, 0x00200000 | 0),  # a transition-id that the pdf lacks
        ("arcs", 2, NAN),
        ("arc_words", 0, 5),
        ("epsilons", 0, 12),
        ("epsilons", 1, 5),
        ("epsilons", 2, NAN),
        ("offsets", 1, 1000),
        ("offsets", 0, 1),
        ("epsilon_offsets", 1, 1000),
        ("final_states", 0, 12),
        ("final_costs", 0, np.nan),
        ("tid_offsets", 1, 1000),
    ],
)
def test_changed_arrays_are_refused(tmp_path: Path, name: str, index: int, value: int) -> None:
    """Checksums may be right: what misleads the search must not get there."""
    MappedGraph.from_graph(named_graph(1), PDFS).save(tmp_path / "good.graph")
    bad = tmp_path / "bad.graph"
    spoilt(tmp_path / "good.graph", bad, name, index, value)
    with pytest.raises(SpeechError, match=f"^{re.escape(str(bad))}: graph: ") as caught:
        MappedGraph.open(bad)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["arcs", "ranks", "tids", "words", "final_costs", "offsets"])
def test_missing_arrays_and_wrong_lengths_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "g.graph"
    MappedGraph.from_graph(named_graph(1), PDFS).save(path)
    opened = open_arrays(path, kind=KIND, version=VERSION)
    arrays = {key: np.array(array) for key, array in opened.arrays.items()}
    for changed in ({name: arrays[name][:0]}, {name: arrays[name].astype(np.float64)}, {}):
        rest = {key: array for key, array in arrays.items() if key != name}
        write_arrays(path, rest | changed, kind=KIND, version=VERSION, metadata=opened.metadata)
        with pytest.raises(SpeechError, match=f"^{re.escape(str(path))}: ") as caught:
            MappedGraph.open(path)
        assert "\n" not in str(caught.value)


def test_truncated_and_foreign_files_end_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "g.graph"
    MappedGraph.from_graph(named_graph(2), PDFS).save(path)
    whole = path.read_bytes()
    for length in (0, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(SpeechError, match=f"^{re.escape(str(path))}: expected") as caught:
            MappedGraph.open(path)
        assert "\n" not in str(caught.value)
    write_arrays(path, {"states": np.zeros(3)}, kind="ngram-automaton", version=1)
    with pytest.raises(SpeechError, match="expected a file of kind 'decoding-graph'"):
        MappedGraph.open(path)
    write_arrays(path, {"states": np.zeros(3)}, kind=KIND, version=VERSION + 1)
    with pytest.raises(SpeechError, match=f"expected .* version {VERSION}, found"):
        MappedGraph.open(path)
    with pytest.raises(SpeechError, match="cannot be read: No such file"):
        MappedGraph.open(tmp_path / "none.graph")


def test_a_trusted_file_is_not_looked_through(tmp_path: Path) -> None:
    MappedGraph.from_graph(named_graph(1), PDFS).save(tmp_path / "good.graph")
    bad = tmp_path / "bad.graph"
    spoilt(tmp_path / "good.graph", bad, "arcs", 0, 12)
    assert MappedGraph.open(bad, validate=False).num_states == 12


@pytest.mark.parametrize(
    ("pdfs", "message"),
    [
        (PDFS[:5], "transition-id"),
        (np.array([-1, 2, 0, 2, 1, -3, 2]), "pdf"),
        (np.zeros(3), "expected integers"),
    ],
)
def test_pdfs_must_fit_the_labels(pdfs: np.ndarray, message: str) -> None:
    with pytest.raises(SpeechError, match=message):
        MappedGraph.from_graph(named_graph(0), pdfs)


def test_cycles_of_epsilons_are_refused() -> None:
    rows = ((0, 1, 0, 0, 0.0), (1, 0, 0, 0, 0.0), (0, 1, 1, 0, 0.0))
    with pytest.raises(SpeechError, match="cycle"):
        MappedGraph.from_graph(Arcs(rows, (inf, 0.0)).graph(), PDFS)
