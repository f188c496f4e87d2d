from __future__ import annotations

import importlib.util
import itertools
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoff_models import BackoffModel
from lm_models import FALLBACK, as_dict, log10_prob, random_model, text
from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays
from recognizer.lm import _automaton
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.model.language_model import KenlmModel
from recognizer.lm.model.prune import prune_ngrams
from recognizer.lm.ngram.model import BEGIN, END, LOG_OF_10, UNKNOWN, NgramModel

SMALL = """\\data\\
ngram 1=6
ngram 2=5
ngram 3=3

\\1-grams:
-1.5\t<unk>\t0
0\t<s>\t-0.25
-0.5\t</s>
-0.6\ta\t-0.1
-0.7\tb\t-0.2
-0.8\tc\t-0.3

\\2-grams:
-0.3\t<s> a\t-0.05
-0.4\ta b\t-0.15
-0.45\ta c\t-0.35
-0.2\tb </s>
-0.1\tb c

\\3-grams:
-0.125\t<s> a b
-0.15\ta b c
-0.35\ta c b

\\end\\
"""
"""The bigram `c b`, suffix of `a c b`, is not there, as after pruning."""


def small(tmp_path: Path) -> NgramModel:
    path = tmp_path / "small.arpa"
    path.write_text(SMALL)
    return read_arpa(path)


def arcs(automaton: NgramAutomaton, state: int) -> dict[str, tuple[float, int]]:
    first, last = automaton.arrays["states"][state : state + 2, 0].astype(int)
    rows = automaton.arrays["arcs"][first:last]
    log_probs = np.ascontiguousarray(rows[:, 1]).view(np.float32)
    return {
        automaton.words[int(word)]: (float(log_prob), int(target))
        for word, log_prob, target in zip(rows[:, 0], log_probs, rows[:, 2], strict=True)
    }


def test_states_are_histories(tmp_path: Path) -> None:
    automaton = NgramAutomaton.from_model(small(tmp_path))
    # Empty, <s>, then a, b, c, then `<s> a`, `a b`, `a c`; `b c` is no history.
    assert automaton.words == (UNKNOWN, "a", "b", "c")
    assert automaton.num_states == 8
    assert automaton.start() == 1
    backoff_states = [automaton._native.backoff_state(s) for s in range(8)]
    assert backoff_states == [0, 0, 0, 0, 0, 2, 3, 4]
    targets = [{w: t for w, (_, t) in arcs(automaton, s).items()} for s in range(8)]
    assert targets == [
        {UNKNOWN: 0, "a": 2, "b": 3, "c": 4},
        {"a": 5},
        {"b": 6, "c": 7},
        {"c": 4},
        {},
        {"b": 6},
        {"c": 4},
        {"b": 3},
    ]
    assert arcs(automaton, 2)["b"][0] == pytest.approx(-0.4 * LOG_OF_10)
    finals = automaton.arrays["finals"]
    assert np.flatnonzero(~np.isnan(finals)).tolist() == [0, 3]
    assert automaton.final(6) == pytest.approx((-0.15 - 0.2) * LOG_OF_10)
    assert automaton.final(7) == pytest.approx((-0.35 - 0.3 - 0.5) * LOG_OF_10)


def test_words_and_ids(tmp_path: Path) -> None:
    automaton = NgramAutomaton.from_model(small(tmp_path))
    assert "a" in automaton
    for no_word in (BEGIN, END, UNKNOWN, "d", 1):
        assert no_word not in automaton
    ids = automaton.word_ids(["c", "<eps>", "a", BEGIN, UNKNOWN])
    assert ids.dtype == np.int32
    assert ids.tolist() == [3, -1, 1, -1, 0]
    assert automaton.word_ids([]).tolist() == []
    with pytest.raises(SpeechError, match="no line feed in a word"):
        automaton.word_ids(["a", "b\nc"])
    assert automaton.order == 3
    log_prob, state = automaton.score(automaton.start(), "d")
    assert log_prob == pytest.approx((-0.25 - 1.5) * LOG_OF_10)
    assert state == 0
    for word in (4, 2**31, 2**32 - 1):
        assert automaton._native.advance(5, word) == (-np.inf, 0)
    with pytest.raises(ValueError, match="state: expected less than 8, found 8"):
        automaton.final(8)


@st.composite
def models(draw: st.DrawFn) -> NgramModel:
    order = draw(st.integers(1, 6))
    model = random_model(draw(st.integers(0, 1000)), order=order, lines=25)
    above = sum(model.counts[1:])
    if above and draw(st.booleans()):
        model = prune_ngrams(model, ngrams=draw(st.integers(0, above)))
    return model


@settings(max_examples=60, deadline=None)
@given(model=models(), words=st.lists(st.sampled_from("abcdez"), max_size=9))
def test_scores_are_those_of_the_definition(model: NgramModel, words: list[str]) -> None:
    automaton = NgramAutomaton.from_model(model)
    ngrams = as_dict(model)
    state = automaton.start()
    history: tuple[str, ...] = (BEGIN,)
    for word in [*words, END]:
        known = word if word in model.word_ids else UNKNOWN
        expected = log10_prob(ngrams, history[-model.order :], known) * LOG_OF_10
        if word == END:
            assert automaton.final(state) == pytest.approx(expected, abs=1e-5)
        else:
            log_prob, state = automaton.score(state, word)
            assert log_prob == pytest.approx(expected, abs=1e-5)
            history = (*history, known)


@settings(max_examples=30, deadline=None)
@given(model=models())
def test_a_state_stands_for_the_longest_known_history(model: NgramModel) -> None:
    """Each state of the automaton meets one history of the model only, as long as it can be."""
    automaton = NgramAutomaton.from_model(model)
    ngrams = as_dict(model)
    histories = {ngram[:-1] for ngram in ngrams} | {n for n in ngrams if ngrams[n][1]} | {(BEGIN,)}
    history_of: dict[int, tuple[str, ...]] = {}
    for length in range(4):
        for words in itertools.product("abc", repeat=length):
            state = automaton.start()
            history: tuple[str, ...] = (BEGIN,)
            for word in words:
                state = automaton.score(state, word)[1]
                history = (*history, word if word in model.word_ids else UNKNOWN)
            while history not in histories:
                history = history[1:]
            assert history_of.setdefault(state, history) == history
    assert len(set(history_of.values())) == len(history_of)


def test_sentences_at_once() -> None:
    model = random_model(5, order=4)
    automaton = NgramAutomaton.from_model(model)
    exact = BackoffModel(model)
    sentences = [["a", "b", "z"], [], ["c", "c", "a", "a"]]
    log_probs, ends, offsets = automaton.score_sentences(sentences)
    assert offsets.tolist() == [0, 3, 3, 7]
    totals = automaton.sentence_log_probs(sentences)
    for index, sentence in enumerate(sentences):
        state, expected = exact.start(), []
        for word in sentence:
            gain, state = exact.score(state, word)
            expected.append(gain)
        assert log_probs[offsets[index] : offsets[index + 1]] == pytest.approx(expected, abs=1e-5)
        assert ends[index] == pytest.approx(exact.final(state), abs=1e-5)
        assert totals[index] == pytest.approx(sum(expected) + exact.final(state), abs=1e-5)


@pytest.mark.parametrize("layout", ["fast", "compact"])
@pytest.mark.parametrize("resident", [False, True])
def test_many_sentences_at_once_score_as_each_alone(layout: str, resident: bool) -> None:
    """Also with words that are none, which the native side takes for impossible."""
    automaton = NgramAutomaton.from_model(random_model(7, order=4))
    automaton = automaton if layout == "fast" else automaton.compact()
    native = (automaton.resident() if resident else automaton)._native
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 30, 100)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    words = rng.integers(-1, native.num_words, int(offsets[-1])).astype(np.int32)
    for at_once in (1, 2, 16, 200):
        log_probs, ends = native.score(words, offsets, at_once)
        for index in range(len(lengths)):
            state = native.start
            for place in range(offsets[index], offsets[index + 1]):
                expected, state = native.advance(state, int(words[place]) % 2**32)
                assert log_probs[place] == expected
            assert ends[index] == native.final(state)
    with pytest.raises(ValueError, match="at_once: expected at least 1"):
        native.score(words, offsets, 0)


LAYOUTS = {
    "fast": lambda automaton: automaton,
    "compact": lambda automaton: automaton.compact(),
    "8 bits": lambda automaton: automaton.compact(bits=8),
}


@settings(max_examples=60, deadline=None)
@given(
    model=models(),
    layout=st.sampled_from(list(LAYOUTS)),
    resident=st.booleans(),
    at_once=st.integers(1, 4),
    data=st.data(),
)
def test_sentences_score_as_word_by_word(
    model: NgramModel, layout: str, resident: bool, at_once: int, data: st.DataObject
) -> None:
    """To the last bit, where histories of any length are known or have been pruned."""
    automaton = LAYOUTS[layout](NgramAutomaton.from_model(model))
    native = (automaton.resident() if resident else automaton)._native
    words = st.integers(-1, native.num_words) | st.sampled_from([-(2**31), 2**31 - 1])
    sentences = data.draw(st.lists(st.lists(words, max_size=12), max_size=6))
    offsets = np.cumsum([0, *map(len, sentences)], dtype=np.int64)
    ids = np.array([word for sentence in sentences for word in sentence], dtype=np.int32)
    log_probs, ends = native.score(ids, offsets, at_once)
    expected, expected_ends = [], []
    for sentence in sentences:
        state = native.start
        for word in sentence:
            log_prob, state = native.advance(state, word % 2**32)
            expected.append(log_prob)
        expected_ends.append(native.final(state))
    assert log_probs.tolist() == expected
    assert ends.tolist() == expected_ends


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_a_long_sentence(layout: str) -> None:
    native = LAYOUTS[layout](NgramAutomaton.from_model(random_model(9, order=6)))._native
    words = np.random.default_rng(0).integers(0, native.num_words, 20000).astype(np.int32)
    log_probs, ends = native.score(words, np.array([0, len(words)]), 1)
    state = native.start
    for word, log_prob in zip(words.tolist(), log_probs.tolist(), strict=True):
        expected, state = native.advance(state, word)
        assert log_prob == expected
    assert ends.tolist() == [native.final(state)]


MANY_WORDS = "abcdefghijklmnopqrstuvwxyzäöüßéèêçñ0123456789"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), order=st.integers(1, 5), compact=st.booleans())
def test_a_resident_automaton_is_the_same(seed: int, order: int, compact: bool) -> None:
    """Histories have no arcs, few of them, and more than an index leaves in their lists."""
    mapped = NgramAutomaton.from_model(random_model(seed, order, MANY_WORDS, lines=200))
    mapped = mapped.compact() if compact else mapped
    found = mapped.resident()
    assert ("slots" in found.arrays, "slots" in mapped.arrays) == (True, False)
    assert (len(found.arrays["slots"]) > 0) == (order > 1)
    type(found._native)(found.arrays, True)  # holds what an automaton has to
    one, other = mapped._native, found._native
    for state in range(mapped.num_states):
        assert one.explicit_arcs(state) == other.explicit_arcs(state)
        assert one.final(state) == other.final(state)
        for word in range(one.num_words + 2):
            assert one.advance(state, word) == other.advance(state, word)
    assert found.resident()._native.advance(1, 1) == one.advance(1, 1)


@pytest.mark.parametrize("compact", [False, True])
def test_a_resident_automaton_writes_the_file_it_came_from(tmp_path: Path, compact: bool) -> None:
    automaton = NgramAutomaton.from_model(random_model(8, 4, MANY_WORDS, lines=300))
    (automaton.compact() if compact else automaton).save(tmp_path / "one")
    opened = NgramAutomaton.open(tmp_path / "one", resident=True)
    assert len(opened.arrays["slots"]) > 0
    opened.save(tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == (tmp_path / "one").read_bytes()
    opened.compact().save(tmp_path / "compact")
    automaton.compact().save(tmp_path / "expected")
    assert (tmp_path / "compact").read_bytes() == (tmp_path / "expected").read_bytes()


@pytest.mark.parametrize("compact", [False, True])
def test_slots_that_no_index_made(compact: bool) -> None:
    automaton = NgramAutomaton.from_model(random_model(8, 4, MANY_WORDS, lines=300))
    automaton = (automaton.compact() if compact else automaton).resident()
    arrays = {**automaton.arrays, "slots": np.ones_like(automaton.arrays["slots"])}
    with pytest.raises(ValueError, match="slots: expected an empty one"):
        type(automaton._native)(arrays, True)
    if not compact:
        arrays["slots"] = np.full_like(arrays["slots"], 2**32 - 1)
        with pytest.raises(ValueError, match=r"slots\[0\]: found a destination out of range"):
            type(automaton._native)(arrays, True)
        del arrays["slots"]
        with pytest.raises(ValueError, match="found arcs in a table that is not there"):
            type(automaton._native)(arrays, True)


@pytest.mark.skipif(
    importlib.util.find_spec("kenlm") is None,
    reason="KenLM is not installed (it does not compile on Python 3.13)",
)
@pytest.mark.parametrize("pruned", [False, True])
def test_scores_are_kenlms(tmp_path: Path, pruned: bool) -> None:
    lines = text()
    model = estimate_ngrams(
        lines, options=EstimateOptions(order=5, discount_fallback=FALLBACK)
    ).model
    if pruned:
        model = prune_ngrams(model, ngrams=1500)
    write_arpa(model, tmp_path / "model.arpa", decimals=9)
    model = read_arpa(tmp_path / "model.arpa")
    kenlm = KenlmModel(tmp_path / "model.arpa")
    automaton = NgramAutomaton.from_model(model)
    rng = random.Random(0)
    words = sorted({word for line in lines for word in line.split()})
    sentences = [line.split() for line in lines]
    sentences += [[*rng.choices(words, k=6), "zebra", "the"] for _ in range(200)]
    log_probs, ends, offsets = automaton.score_sentences(sentences)
    for other in (automaton.resident(), automaton.compact(), automaton.compact().resident()):
        for one, another in zip(
            automaton.score_sentences(sentences), other.score_sentences(sentences), strict=True
        ):
            assert np.array_equal(one, another)
    for index, sentence in enumerate(sentences):
        state = kenlm.start()
        for word, found in zip(sentence, log_probs[offsets[index] :], strict=False):
            expected, state = kenlm.score(state, word)
            assert found == pytest.approx(expected, abs=1e-5)
        assert ends[index] == pytest.approx(kenlm.final(state), abs=1e-5)


def test_saved_and_opened(tmp_path: Path) -> None:
    automaton = NgramAutomaton.from_model(random_model(6, order=4))
    automaton.save(tmp_path / "model.lm")
    opened = NgramAutomaton.open(tmp_path / "model.lm")
    assert opened.words == automaton.words
    assert opened.order == 4
    assert opened.metadata == automaton.metadata
    for name, array in automaton.arrays.items():
        assert opened.arrays[name].tobytes() == array.tobytes()
        assert opened.arrays[name].dtype == array.dtype


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("arcs", (5, 2), 99, r"arcs\[5\]: found a destination out of range"),
        ("arcs", (5, 0), 99, r"arcs\[5\]: found a word out of range"),
        ("arcs", (6, 0), 2, r"arcs\[6\]: found words out of order"),
        ("arcs", (5, 1), 0x7FC00000, r"arcs\[5\]: found a log_prob that is none"),
        ("states", (4, 0), 99, r"states\[3\]: found arcs out of order"),
        ("states", (3, 0), 6 | 2**63, r"states\[3\]: found arcs in a table that is not there"),
        ("states", (3, 0), 6 | 0x7FFFFF << 40, r"arcs\[6\]: found a word that its state says"),
        ("states", (4, 1), 4 << 32, r"states\[4\]: found a back-off to a state that is not before"),
        ("states", (4, 1), 0x7F800000, r"states\[4\]: found a back-off that is no number"),
        ("states", (0, 1), 1, "states: expected no back-off from the empty history"),
        ("states", (8, 0), 3, "states: expected arcs from the first to the last"),
        ("finals", (0,), np.nan, "finals: expected </s> in the empty history"),
        ("finals", (3,), -np.inf, r"finals\[3\]: found a log_prob that is none"),
    ],
)
def test_damaged_files(
    tmp_path: Path, name: str, place: tuple[int, ...], value: float, message: str
) -> None:
    path = tmp_path / "model.lm"
    NgramAutomaton.from_model(small(tmp_path)).save(path)
    arrays = {
        key: array.copy()
        for key, array in open_arrays(path, kind="ngram-automaton", version=1).arrays.items()
    }
    arrays[name][place] = value
    write_arrays(path, arrays, kind="ngram-automaton", version=1, metadata={"counts": "6 5 3"})
    with pytest.raises(SpeechError, match=f"model.lm: damaged: {message}"):
        NgramAutomaton.open(path)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    for arrays in ({}, {"vocabulary": np.zeros(3, np.uint8)}):
        write_arrays(path, arrays, kind="ngram-automaton", version=1)
        with pytest.raises(SpeechError, match=r"model\.lm: expected an array"):
            NgramAutomaton.open(path)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=3), unique=True
    ),
    st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=3)),
)
def test_words_are_found_by_their_spelling(vocabulary: list[str], words: list[str]) -> None:
    asked = words + vocabulary

    def encoded(lines: list[str]) -> np.ndarray:
        return np.frombuffer("".join(f"{line}\n" for line in lines).encode(), dtype=np.uint8)

    found = _automaton.word_ids(encoded(vocabulary), encoded(asked)).tolist()
    assert found == [vocabulary.index(word) if word in vocabulary else -1 for word in asked]


def test_a_line_feed_follows_every_word(tmp_path: Path) -> None:
    whole, torn = (np.frombuffer(text, dtype=np.uint8) for text in (b"a\nb\n", b"a\nb"))
    for pair in ((whole, torn), (torn, whole)):
        with pytest.raises(ValueError, match="words: expected a line feed behind each of them"):
            _automaton.word_ids(*pair)
