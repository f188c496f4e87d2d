from __future__ import annotations

import gzip
from dataclasses import fields, replace
from math import inf
from pathlib import Path

import kaldifst
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lattice_toys import compact, timed_lattice
from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.kaldi import read_kaldi_lattices, write_kaldi_lattices
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice
from recognizer.decoding.lattice.paths import n_best
from search_toys import SCALE, SYMBOLS, compact_paths, ladder, lattice_paths

seeds = st.integers(0, 2**32 - 1)
with_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def same(a: Lattice | CompactLattice, b: Lattice | CompactLattice) -> None:
    assert type(a) is type(b)
    for field in fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other, err_msg=field.name)
        elif field.name != "beam":
            assert one == other


@with_files
@given(st.lists(seeds, max_size=3), st.booleans(), st.booleans())
def test_what_is_written_is_read(
    tmp_path: Path, seeds: list[int], raw: bool, word_symbols: bool
) -> None:
    path = tmp_path / "lat.txt"
    lattices = [
        (f"utterance-{i}", timed_lattice(seed) if raw else compact(seed))
        for i, seed in enumerate(seeds)
    ]
    write_kaldi_lattices(path, lattices, word_symbols=word_symbols)
    found = list(read_kaldi_lattices(path, SYMBOLS, word_symbols=word_symbols))
    assert [utterance for utterance, _ in found] == [utterance for utterance, _ in lattices]
    for (_, one), (_, other) in zip(lattices, found, strict=True):
        same(one, other)


def test_the_text_is_that_of_kaldi(tmp_path: Path) -> None:
    path = tmp_path / "lat.txt"
    lattice = replace(
        compact(5),
        **{
            name: np.round(getattr(compact(5), name), 2)
            for name in ("graph_costs", "acoustic_costs", "final_acoustic_costs")
        },
    )
    write_kaldi_lattices(path, [("spk1-utt1", lattice)])
    lines = path.read_bytes().decode().split("\n")
    assert lines[0] == "spk1-utt1 "
    first = lattice.tids[: lattice.tid_offsets[1]].tolist()
    assert lines[1] == (
        f"0\t{lattice.targets[0]}\t{lattice.words[0]}\t{lattice.graph_costs[0]},"
        f"{lattice.acoustic_costs[0]},{'_'.join(map(str, first))}"
    )
    assert lines[-2:] == ["", ""]
    write_kaldi_lattices(path, [("u", ladder(1))], word_symbols=True)
    assert path.read_text() == "u \n0\t1\t1\ta\t0.5,1.0\n0\t1\t2\tb\t1.0,1.0\n1\n\n"


@given(seed=seeds)
@with_files
def test_state_level_lattices_are_printed_as_by_openfst(tmp_path: Path, seed: int) -> None:
    lattice = timed_lattice(seed, exact=True)
    peer = kaldifst.Lattice()
    for _ in range(lattice.num_states):
        peer.add_state()
    peer.start = 0
    for arc in range(lattice.num_arcs):
        peer.add_arc(
            int(lattice.sources[arc]),
            kaldifst.LatticeArc(
                ilabel=int(lattice.tids[arc]),
                olabel=int(lattice.words[arc]),
                weight=kaldifst.LatticeWeight(
                    float(lattice.graph_costs[arc]), float(lattice.acoustic_costs[arc])
                ),
                nextstate=int(lattice.targets[arc]),
            ),
        )
    for state in np.flatnonzero(np.isfinite(lattice.final_costs)).tolist():
        peer.set_final(state, kaldifst.LatticeWeight(float(lattice.final_costs[state]), 0.0))
    text = "u \n" + peer.to_str(fst_field_separator="\t") + "\n"
    path = tmp_path / "lat.txt"
    path.write_text(text)
    ((_, found),) = read_kaldi_lattices(path, SYMBOLS)
    same(lattice, found)
    # Apart from 1.0 for 1, ours is the same text.
    write_kaldi_lattices(path, [("u", lattice)])
    assert path.read_text().replace(".0,", ",").replace(".0\n", "\n") == text


def test_archives_may_be_gzipped_and_the_same_makes_the_same_file(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "lat.1.gz", tmp_path / "b" / "lat.1.gz"]
    for path in paths:
        path.parent.mkdir()
        write_kaldi_lattices(path, [("u", compact(1)), ("v", timed_lattice(2))])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert gzip.decompress(paths[0].read_bytes()).startswith(b"u \n0\t")
    kinds = [type(lattice) for _, lattice in read_kaldi_lattices(paths[0], SYMBOLS)]
    assert kinds == [CompactLattice, Lattice]


def read(tmp_path: Path, text: str, *, word_symbols: bool = False) -> Lattice | CompactLattice:
    path = tmp_path / "lat.txt"
    path.write_text(text)
    ((_, lattice),) = read_kaldi_lattices(path, SYMBOLS, word_symbols=word_symbols)
    return lattice


def test_states_are_brought_into_order(tmp_path: Path) -> None:
    text = "u \n3 1 2 0.5,1,7_7\n3 0 1 0.25,2,8\n1 2 3 0,1,9\n0 1 4 0,0,9\n2 1.5,0,4\n5 6 1\n\n"
    lattice = read(tmp_path, text)
    assert isinstance(lattice, CompactLattice)
    assert list(zip(lattice.sources, lattice.targets, lattice.words, strict=True)) == [
        (0, 2, 2),
        (0, 1, 1),
        (1, 2, 4),
        (2, 3, 3),
    ]
    assert lattice.state_frames.tolist() == [0, 1, 2, 3]
    assert lattice.num_frames == 4
    assert [path.words for path in n_best(lattice, 1.0)] == [("b", "c"), ("a", "d", "c")]


def test_a_lattice_that_is_not_deterministic_comes_state_by_state(tmp_path: Path) -> None:
    # As lattice-align-words leaves it: silence has arcs of its own.
    text = "u \n0 1 0 0.5,1,7_7\n1 2 1 0,2,8_9_9\n1 2 1 0,1,8_8_9\n2 0.25,3,7\n\n"
    lattice = read(tmp_path, text)
    assert isinstance(lattice, Lattice)
    found = {(path.words, path.tids, path.graph, path.acoustic) for path in lattice_paths(lattice)}
    assert found == {
        ((1,), (7, 7, 8, 9, 9, 7), 0.75, 6.0),
        ((1,), (7, 7, 8, 8, 9, 7), 0.75, 5.0),
    }
    assert sorted(lattice.state_frames.tolist()) == [0, 1, 2, 3, 3, 4, 4, 5, 6]
    (path,) = compact_paths(determinize(lattice, SCALE, inf))
    assert (path.tids, path.acoustic) == ((7, 7, 8, 8, 9, 7), 5.0)


def test_weights_of_zero_may_be_missing(tmp_path: Path) -> None:
    lattice = read(tmp_path, "u\n0 1 1\n1\n")
    assert isinstance(lattice, CompactLattice)
    assert (lattice.graph_costs.tolist(), lattice.final_graph_costs.tolist()) == ([0.0], [inf, 0.0])
    lattice = read(tmp_path, "u\n0 1 5 a\n1\n", word_symbols=True)
    assert isinstance(lattice, Lattice)
    assert (lattice.tids.tolist(), lattice.words.tolist()) == ([5], [1])
    assert isinstance(read(tmp_path, "u\n0\n"), CompactLattice)
    assert isinstance(read(tmp_path, "u\n0 0.5,0\n"), Lattice)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 1 0,0,1\n", "1: expected an utterance id alone, found '0 1 1 0,0,1'"),
        ("u\n\n", "1: expected a lattice, found no line of it"),
        ("u\nx 1 1 0,0,1\n", "2: expected a state, found 'x'"),
        ("u\n0 -1 1 0,0,1\n", "2: expected a state, found '-1'"),
        ("u\n0 1 9 0,0,1\n", "2: expected a word id below 5, found 9"),
        ("u\n0 1 a 0,0,1\n", "2: expected a word id, found 'a'"),
        ("u\n0 1 1 0,0,1\n1 2 3 4 0,0\n", "3: expected a line of a CompactLattice as before"),
        ("u\n0 1 1 1 0,0\n1 0,0,1\n", "3: expected a line of a Lattice as before"),
        ("u\n0 1 1 1 0,0 7\n", "2: expected at most 5 fields, found 6"),
        ("u\n0 1 1 0,nan,1\n", "2: expected a finite cost, found 'nan'"),
        ("u\n0 1 1 0,0,1_x\n", "2: expected a transition-id, found 'x'"),
        ("u\n0 1 1 1 0\n", "2: expected a weight graph,acoustic or graph,acoustic,tids, found '0'"),
        ("u\n0 1 1 0,0,1\n1\n1\n", "4: expected state 1 to be final once, found twice"),
        ("u\n0 1 1 0,0,1\n", "1: expected a path from the start to a final state, found none"),
        ("u\n0 1 1 0,0,1\n1 0 1 0,0,1\n1\n", "1: expected a lattice without cycles"),
        (
            "u\n0 1 1 0,0,1\n0 1 2 0,0,1_1\n1\n",
            "1: state 1: expected as many frames on every path to it, found 1 and 2",
        ),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpeechError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'lat.txt'}:{message}")
    assert "\n" not in str(caught.value)


def test_unknown_words_and_impossible_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r":2: expected a word of the symbol table, found 'e'"):
        read(tmp_path, "u\n0 1 e 0,0,1\n1\n", word_symbols=True)
    path = tmp_path / "new.txt"
    for utterance in ("", "two words", " u"):
        with pytest.raises(SpeechError, match="expected an utterance id without white space"):
            write_kaldi_lattices(path, [(utterance, compact(0))])
    assert not path.exists()
