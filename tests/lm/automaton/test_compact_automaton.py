from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_models import FALLBACK, random_model, text
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays
from recognizer.lm import _builder
from recognizer.lm.automaton.automaton import KIND, VERSION, NgramAutomaton
from recognizer.lm.automaton.value_table import exact_table, nearest_table
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.model.prune import prune_ngrams
from recognizer.lm.ngram.model import NgramModel

NO_VALUES = np.empty(0, dtype=np.float32)


@st.composite
def models(draw: st.DrawFn) -> NgramModel:
    words = draw(st.sampled_from(["a", "abc", "abcdefghijklmnopqrstuvwxyz"]))
    model = random_model(
        draw(st.integers(0, 1000)), order=draw(st.integers(1, 5)), words=words, lines=40
    )
    above = sum(model.counts[1:])
    if above and draw(st.booleans()):
        model = prune_ngrams(model, ngrams=draw(st.integers(0, above)))
    return model


def raw(automaton: NgramAutomaton) -> NgramAutomaton:
    """In the compact layout without any table of values."""
    with mock.patch("recognizer.lm.automaton.layouts.exact_table", return_value=NO_VALUES):
        return automaton.compact()


def compacted(automaton: NgramAutomaton, *, tables: bool) -> NgramAutomaton:
    return automaton.compact() if tables else raw(automaton)


@settings(max_examples=60, deadline=None)
@given(model=models(), tables=st.booleans())
def test_exact_is_the_same_automaton(model: NgramModel, tables: bool) -> None:
    fast = NgramAutomaton.from_model(model)
    compact = compacted(fast, tables=tables)
    assert (fast.layout, compact.layout) == ("fast", "compact")
    assert compact.num_states == fast.num_states
    for state in range(fast.num_states):
        one, other = fast._native, compact._native
        assert one.explicit_arcs(state) == other.explicit_arcs(state)
        assert one.final(state) == other.final(state)
        assert one.backoff(state) == other.backoff(state)
        assert one.backoff_state(state) == other.backoff_state(state)
        for word in range(one.num_words + 2):
            assert one.advance(state, word) == other.advance(state, word)
    again = compact.fast()
    for name, array in fast.arrays.items():
        assert again.arrays[name].tobytes() == array.tobytes()
    assert again.metadata == fast.metadata


def test_larger_models_score_alike() -> None:
    """Several blocks of states and of bits, long lists of arcs."""
    lines = [" ".join(line.split()[::-1]) for line in text()] + text()
    model = estimate_ngrams(
        lines, options=EstimateOptions(order=5, discount_fallback=FALLBACK)
    ).model
    fast = NgramAutomaton.from_model(model)
    sentences = [line.split()[1:] for line in lines]
    expected = fast.score_sentences(sentences)
    assert fast.num_states > 2000
    for tables in (True, False):
        found = compacted(fast, tables=tables).score_sentences(sentences)
        for one, other in zip(expected, found, strict=True):
            assert np.array_equal(one, other)
    for bits in (8, 12, 16):
        quantised = fast.compact(bits=bits).sentence_log_probs(sentences)
        assert quantised == pytest.approx(fast.sentence_log_probs(sentences), rel=1e-2)
        assert quantised.sum() == pytest.approx(expected[0].sum() + expected[1].sum(), rel=1e-3)


def test_saved_and_opened(tmp_path: Path) -> None:
    compact = NgramAutomaton.from_model(random_model(6, order=4)).compact(bits=8)
    compact.save(tmp_path / "model.lm")
    opened = NgramAutomaton.open(tmp_path / "model.lm")
    assert opened.layout == "compact"
    assert opened.words == compact.words
    assert opened.order == 4
    assert opened.compact(bits=8).arrays.keys() == compact.arrays.keys()
    for name, array in compact.arrays.items():
        assert opened.arrays[name].tobytes() == array.tobytes()


def test_bits_of_values() -> None:
    automaton = NgramAutomaton.from_model(random_model(1))
    for bits in (7, 17):
        with pytest.raises(UsageError, match=f"expected 8 to 16, found {bits}"):
            automaton.compact(bits=bits)


@pytest.mark.parametrize(
    ("name", "place", "change", "message"),
    [
        ("sizes", 0, 1, "states: wrong size|spells_state|sizes"),
        ("sizes", 1, 1, "unigrams: wrong size"),
        ("sizes", 2, 100, "arcs: wrong size"),
        ("sizes", 3, 1, "sizes: bad width of words"),
        ("sizes", 4, 1, "log_prob_table: its size"),
        ("sizes", 5, 1, "backoff_table: its size"),
        ("sizes", 6, 1, "sizes: bad width of states"),
        ("spells_state", 0, 1, r"spells_state\[0\]: found a wrong count"),
        ("spells_state", 1, 1 << 63, r"spells_state\[0\]: found another number of states"),
        ("first_arcs", 0, 1, r"first_arcs\[0\]: found arcs out of order"),
        ("first_arcs", 1, 1 << 60, r"first_arcs\[0\]: found offsets out of range"),
        ("offsets", 3, 255, r"first_arcs\[\d+\]: found arcs|arcs\[\d+\]: found"),
        ("arcs", 20, 255, r"arcs\[\d+\]: found"),
        ("backoff_table", 0, np.nan, r"backoff_table\[0\]: found a value that is no number"),
        ("log_prob_table", 1, np.inf, r"log_prob_table\[1\]: found a value that is no number"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, place: int, change: float, message: str) -> None:
    path = tmp_path / "model.lm"
    automaton = NgramAutomaton.from_model(random_model(2, order=3))
    automaton.compact(bits=8).save(path)
    file = open_arrays(path, kind=KIND, version=VERSION)
    arrays = {key: array.copy() for key, array in file.arrays.items()}
    if arrays[name].dtype.kind == "f":
        arrays[name][place] = change
    else:
        arrays[name][place] ^= np.array(change, arrays[name].dtype)
    write_arrays(path, arrays, kind=KIND, version=VERSION, metadata=file.metadata)
    with pytest.raises(SpeechError, match=rf"model\.lm: damaged: ({message})"):
        NgramAutomaton.open(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_damage_leads_out_of_the_arrays(data: st.DataObject) -> None:
    """Any change of a byte is found, or leaves an automaton that can be walked."""
    good = NgramAutomaton.from_model(random_model(3, order=4)).compact(bits=8)
    arrays = {key: array.copy() for key, array in good.arrays.items()}
    name = data.draw(st.sampled_from(sorted(arrays)))
    if name.endswith("table"):
        return
    raw_bytes = arrays[name].view(np.uint8)
    place = data.draw(st.integers(0, len(raw_bytes) - 1))
    raw_bytes[place] ^= data.draw(st.integers(1, 255))
    try:
        changed = NgramAutomaton(arrays, good._vocabulary, good.metadata)
    except ValueError:
        return
    for state in range(changed.num_states):
        for word in "abcde":
            assert changed.score(state, word)[1] < changed.num_states
        assert np.isfinite(changed.final(state))


def test_pack_wants_sound_tables(tmp_path: Path) -> None:
    arrays, directory = NgramAutomaton.from_model(random_model(1)).arrays, str(tmp_path)
    for table in ([0.0], [0.0, 1.0, 2.0]):
        with pytest.raises(ValueError, match="expected no value or a power of two of them"):
            _builder.pack(arrays, np.array(table, dtype=np.float32), NO_VALUES, directory)
    with pytest.raises(ValueError, match="backoff_table: expected ascending values"):
        _builder.pack(arrays, NO_VALUES, np.array([1.0, 0.0], dtype=np.float32), directory)


def test_exact_tables() -> None:
    values = np.array([-2.0, -0.5, -2.0, 0.0], dtype=np.float32)
    assert exact_table([values]).tolist() == [-2.0, -0.5, 0.0, 0.0]
    assert exact_table([values[:1]]).tolist() == [-2.0, -2.0]
    assert len(exact_table([np.arange(5, dtype=np.float32)], max_bits=2)) == 0
    assert len(exact_table([np.arange(4, dtype=np.float32)], max_bits=2)) == 4


def test_nearest_tables() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(-5, 1.5, 20000), [-230.0]]).astype(np.float32)
    table = nearest_table([values[:1000], values[1000:]], 8)
    assert table.shape == (256,)
    assert (np.diff(table) >= 0).all()
    errors = np.abs(values[:, None] - table[None, :]).min(axis=1)
    # A uniform grid of 256 values over +-4.5 deviations has a mean squared error of 2.3e-4.
    assert (errors[:-1] ** 2).mean() < 1e-4
    assert errors[-1] < 1e-3
    few = np.array([0.0, -1.0, -1.0, -3.0], dtype=np.float32)
    assert set(nearest_table([few], 8).tolist()) == {-3.0, -1.0, 0.0}
