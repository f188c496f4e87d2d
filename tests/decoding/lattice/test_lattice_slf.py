from __future__ import annotations

from math import inf, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lattice_toys import compact, word_tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice
from recognizer.decoding.lattice.paths import best_path, n_best
from recognizer.decoding.lattice.posteriors import posteriors
from recognizer.decoding.lattice.slf import SlfLattice, read_slf, write_slf
from search_toys import SYMBOLS

seeds = st.integers(0, 2**32 - 1)
SHIFT = 0.01


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seeds, st.sampled_from([0.01, 0.03, 0.0125]), st.sampled_from(["l.slf", "l.slf.gz"]))
def test_what_is_written_is_read(tmp_path: Path, seed: int, shift: float, name: str) -> None:
    lattice = compact(seed, frames=6)
    write_slf(tmp_path / name, "spk-1", lattice, shift, 0.12)
    found = read_slf(tmp_path / name, shift, SYMBOLS)
    assert (found.utterance, found.acoustic_scale) == ("spk-1", 0.12)
    assert isinstance(found.lattice, CompactLattice)
    for array in (
        "state_frames",
        "sources",
        "targets",
        "words",
        "graph_costs",
        "acoustic_costs",
        "tid_offsets",
        "final_graph_costs",
        "final_acoustic_costs",
        "final_tid_offsets",
    ):
        one, other = getattr(lattice, array), getattr(found.lattice, array)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, err_msg=array)
    assert found.lattice.num_frames == 6
    assert set(found.lattice.tids.tolist()) <= {0}


def test_the_text_is_that_of_the_htk_book(tmp_path: Path) -> None:
    path = tmp_path / "l.slf"
    write_slf(path, "u", word_tree({(1,): 0.5, (1, 2): 0.5}), SHIFT, 0.5)
    half = repr(log(0.5))
    assert path.read_text() == (
        "VERSION=1.0\nUTTERANCE=u\nacscale=0.5 lmscale=1.0 wdpenalty=0.0\nstart=0 end=3\nN=4 L=4\n"
        "I=0 t=0.0\nI=1 t=0.01\nI=2 t=0.02\nI=3 t=0.02\n"
        "J=0 S=0 E=1 W=a a=-0.0 l=-0.0\nJ=1 S=1 E=2 W=b a=-0.0 l=-0.0\n"
        f"J=2 S=1 E=3 W=!NULL a=-0.0 l={half}\nJ=3 S=2 E=3 W=!NULL a=-0.0 l={half}\n"
    )


def read(tmp_path: Path, text: str, symbols: tuple[str, ...] | None = None) -> SlfLattice:
    (tmp_path / "l.slf").write_text(text)
    return read_slf(tmp_path / "l.slf", SHIFT, symbols)


# The form of The HTK Book's examples: words on links, scales in the header.
HTK = """VERSION=1.0
UTTERANCE=testf1.mfc
lmname=wdnet
lmscale=20.0 wdpenalty=-30.0
vocab=dict
# a comment
N=4 L=4
I=0 t=0.00
I=1 t=0.36
I=2 t=0.75
I=3 t=2.48
J=0 S=0 E=1 W=SILENCE v=0 a=-3239.01 l=0.00
J=1 S=1 E=2 W=FOUR v=0 a=-3820.77 l=-1.5
J=2 S=1 E=2 W=OH v=0 a=-3600.5 l=-2.5
J=3 S=2 E=3 W=SILENCE v=0 a=-246.99 l=-1.20
"""


def test_lattices_of_htk_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, HTK)
    assert found.utterance == "testf1.mfc"
    lattice = found.lattice
    assert isinstance(lattice, CompactLattice)
    assert lattice.symbols == ("<eps>", "SILENCE", "FOUR", "OH")
    assert lattice.state_frames.tolist() == [0, 36, 75, 248]
    # Scale and penalty are in the graph costs, so that paths cost what HTK says.
    assert lattice.graph_costs.tolist() == [30.0, 60.0, 80.0, 54.0]
    paths = list(n_best(lattice, found.acoustic_scale))
    assert [path.words[1] for path in paths] == ["OH", "FOUR"]
    assert paths[0].cost(1.0) == pytest.approx(3239.01 + 3600.5 + 246.99 + 30 + 80 + 54)
    assert posteriors(lattice, 0.05).arcs[[0, 3]].tolist() == pytest.approx([1.0, 1.0])


def test_words_may_stand_on_nodes_and_fields_have_long_names(tmp_path: Path) -> None:
    text = """VERSION=1.1
base=10 acscale=0.5
NODES=4 LINKS=4
I=7 time=0 WORD=!NULL
I=2 time=0.1 WORD=a v=1
I=3 time=0.1 WORD=b
I=9 time=0.3 WORD=!NULL
J=0 START=7 END=2 acoustic=-2
J=1 START=7 END=3 acoustic=-1 language=-3
J=2 START=2 END=9
J=3 START=3 END=9 l=-0.5 d=:b,0.1:
"""
    found = read(tmp_path, text, SYMBOLS)
    lattice = found.lattice
    assert isinstance(lattice, CompactLattice)
    assert best_path(lattice, found.acoustic_scale).words == ("a",)
    costs = {path.words: path.cost(0.5) for path in n_best(lattice, 0.5)}
    assert costs == pytest.approx({("a",): log(10), ("b",): 4 * log(10)})
    assert lattice.num_frames == 30


def test_a_lattice_that_is_not_deterministic_comes_state_by_state(tmp_path: Path) -> None:
    text = """N=4 L=5
I=0
I=1
I=2
I=3
J=0 S=0 E=1 W=a a=-1
J=1 S=0 E=2 W=a a=-2
J=2 S=1 E=2 W=!NULL
J=3 S=1 E=3 W=b
J=4 S=2 E=3 W=b a=-0.5
"""
    lattice = read(tmp_path, text).lattice
    assert isinstance(lattice, Lattice)
    paths = list(n_best(determinize(lattice, 1.0, inf), 1.0))
    assert [(path.words, path.cost(1.0)) for path in paths] == [(("a", "b"), 1.0)]


def test_words_are_escaped_as_in_htk(tmp_path: Path) -> None:
    words = ("<eps>", "'tis", "two words", 'say "x"', "back\\slash", "o'clock", "é")
    tree = word_tree({(1, 2, 3): 0.25, (4, 5, 2): 0.75})
    lattice = CompactLattice(**{**vars(tree), "symbols": words})
    write_slf(tmp_path / "l.slf", "id with space", lattice, SHIFT, 1.0)
    assert "W=\\'tis a=" in (tmp_path / "l.slf").read_text()
    for symbols in (words, None):
        found = read_slf(tmp_path / "l.slf", SHIFT, symbols)
        assert isinstance(found.lattice, CompactLattice)
        assert {path.words for path in n_best(found.lattice, 1.0)} == {
            path.words for path in n_best(lattice, 1.0)
        }
        assert found.utterance == "id with space"
    quoted = HTK.replace("W=FOUR", "W=\"say 'four'\"").replace("W=OH", r"W=\303\251't")
    assert read(tmp_path, quoted).lattice.symbols == ("<eps>", "SILENCE", "say 'four'", "é't")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("J=1 S=1 E=2", "J=1 S=1 E=9", ":13: E: expected a node of the file, found 9"),
        ("J=1 S=1 E=2", "J=1 S=1", ":13: expected a field E=, found none"),
        ("J=1 S=1", "J=1 S=x", ":13: S: expected an integer >= 0, found 'x'"),
        ("J=1", "J=0", ":13: expected link 0 once, found it twice"),
        ("a=-3820.77", "a=much", ":13: a: expected a finite number, found 'much'"),
        ("a=-3820.77", "-3820.77", ":13: expected name=value, found '-3820.77 l=-1.5'"),
        ("t=0.75", "t=0.25", ":13: expected a link forward in time, found one from node 1 to 2"),
        ("I=2", "I=1", ":10: expected node 1 once, found it twice"),
        ("N=4 L=4", "N=5 L=4", ": expected 5 nodes, found 4"),
        ("N=4 L=4", "N=4", ": header: expected a field L=, found none"),
        ("N=4 L=4", "N=4 L=5", ": expected 5 links, found 4"),
        ("vocab=dict", "start=8", ": start: expected a node, found 8"),
        ("vocab=dict", "base=0.0", ": header: base: expected the base of a logarithm, found 0.0"),
        ("vocab=dict", "SUBLAT=s", ":5: expected one lattice, found a sub-lattice"),
        ("S=1 E=2 W=OH", "S=1 E=0 W=OH", ":14: expected a link forward in time"),
        ("S=1 E=2 W=OH", "S=1 E=1 W=OH", ": expected a lattice without cycles, found one"),
        ("S=0 E=1", "S=1 E=2", ": expected one start node, found 2"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in HTK
    with pytest.raises(SpeechError) as caught:
        read(tmp_path, HTK.replace(old, new, 1))
    assert str(caught.value).startswith(f"{tmp_path / 'l.slf'}{message}")
    assert "\n" not in str(caught.value)


def test_unknown_words_and_impossible_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r":12: expected a word of the symbol table, found 'SIL"):
        read(tmp_path, HTK, SYMBOLS)
    path = tmp_path / "l.slf"
    with pytest.raises(UsageError, match="frame_shift: expected a finite number > 0, found 0"):
        read_slf(path, 0.0)
    with pytest.raises(UsageError, match="frame_shift"):
        write_slf(path, "u", compact(0), inf, 1.0)
    with pytest.raises(UsageError, match="acoustic_scale: expected a finite number > 0, found 0"):
        write_slf(path, "u", compact(0), SHIFT, 0.0)
