"""N-gram models without back-off: counts, merged states, and what remains of the likelihood."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, product
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.estimation.acceptor import (
    EDGE,
    AcceptorOptions,
    NgramAcceptor,
    estimate_acceptor,
)

SEQUENCES = st.lists(st.lists(st.integers(1, 4), max_size=9), min_size=1, max_size=12).filter(any)


def log_prob(model: NgramAcceptor, sequence: list[int], *, end: bool = True) -> float:
    state, total, successors = model.start, 0.0, model.successors()
    for symbol in sequence:
        if (state, symbol) not in successors:
            return -np.inf
        state, score = successors[state, symbol]
        assert model.last_symbols[state] == symbol
        total += score
    return total + (float(model.final_log_probs[state]) if end else 0.0)


def relative_frequency(sequences: list[list[int]], sequence: list[int], order: int) -> float:
    """By the n-grams themselves: count of history and symbol by count of history."""
    pairs: Counter[tuple[tuple[int, ...], int]] = Counter()
    histories: Counter[tuple[int, ...]] = Counter()

    def ngrams(symbols: list[int]) -> list[tuple[tuple[int, ...], int]]:
        padded = [EDGE, *symbols, EDGE]
        return [
            (tuple(padded[max(0, i - order + 1) : i]), padded[i]) for i in range(1, len(padded))
        ]

    for one in filter(None, sequences):
        for history, symbol in ngrams(one):
            pairs[history, symbol] += 1
            histories[history] += 1
    total = 0.0
    for history, symbol in ngrams(sequence):
        if not pairs[history, symbol]:
            return -np.inf
        total += log(pairs[history, symbol] / histories[history])
    return total


@settings(deadline=None, max_examples=60)
@given(sequences=SEQUENCES, order=st.integers(2, 4))
def test_without_merging_it_is_relative_frequency(sequences: list[list[int]], order: int) -> None:
    model = estimate_acceptor(sequences, AcceptorOptions(order, 2, 1000))
    for sequence in [*filter(None, sequences), [1, 2], [3], [4, 4, 1]]:
        expected = relative_frequency(sequences, sequence, order)
        assert log_prob(model, sequence) == pytest.approx(expected)


@settings(deadline=None, max_examples=80)
@given(
    sequences=SEQUENCES, order=st.integers(2, 5), unpruned=st.integers(2, 3),
    extra=st.integers(0, 6),
)  # fmt: skip
def test_merged_models_keep_all_training_sequences_and_their_sums(
    sequences: list[list[int]], order: int, unpruned: int, extra: int
) -> None:
    unpruned = min(order, unpruned)
    model = estimate_acceptor(sequences, AcceptorOptions(order, unpruned, extra))
    whole = estimate_acceptor(sequences, AcceptorOptions(order, unpruned, 10_000))
    lower = estimate_acceptor(sequences, AcceptorOptions(unpruned, unpruned, 0))
    assert model.num_states <= whole.num_states
    padded = [[EDGE, *one] for one in sequences if one]
    basic = {
        tuple(one[max(0, i - unpruned + 2) : i + 1]) for one in padded for i in range(len(one))
    }
    assert model.num_states <= len(basic) + extra
    sums = np.bincount(model.sources, np.exp(model.log_probs), model.num_states)
    np.testing.assert_allclose(sums + np.exp(model.final_log_probs), 1)
    reached = {model.start}
    for _ in range(model.num_states):
        reached |= {int(model.destinations[a]) for a in range(model.num_arcs)
                    if int(model.sources[a]) in reached}  # fmt: skip
    assert reached == set(range(model.num_states))
    likelihoods = [
        sum(log_prob(one, sequence) for sequence in sequences if sequence)
        for one in (whole, model, lower)
    ]
    assert np.isfinite(likelihoods).all()
    # Merging loses likelihood, and never more than shorter n-grams throughout.
    assert likelihoods[0] + 1e-9 >= likelihoods[1] >= likelihoods[2] - 1e-9
    # Pairs that were never seen stay impossible, whatever is merged.
    pairs = {pair for one in padded for pair in pairwise(one)}
    for sequence in product(range(1, 5), repeat=3):
        if np.isfinite(log_prob(model, list(sequence), end=False)):
            assert {(EDGE, sequence[0]), sequence[:2], sequence[1:]} <= pairs


def test_the_cheapest_history_is_merged_first() -> None:
    """After 1 2 comes 3, after 2 2 as after anything else 3 or 4 alike: only that is merged."""
    sequences = [[1, 2, 3], [2, 2, 3], [2, 2, 4], [3, 2, 3], [3, 2, 4], [4, 2, 3], [4, 2, 4]] * 9
    model = estimate_acceptor(sequences, AcceptorOptions(3, 2, 4))
    successors = model.successors()
    ways = {}
    for first in (1, 2, 3, 4):
        state, _ = successors[successors[model.start, first][0], 2]
        ways[first] = state
    assert len({ways[2], ways[3], ways[4]}) < 3
    assert ways[1] not in (ways[2], ways[3], ways[4])
    state = ways[1]
    assert (state, 4) not in successors and exp(successors[state, 3][1]) == pytest.approx(1)


def test_order_of_sequences_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 6, rng.integers(1, 20)).tolist() for _ in range(60)]
    models = [
        estimate_acceptor(given, AcceptorOptions(4, 2, 10))
        for given in (sequences, sequences[::-1])
    ]
    np.testing.assert_array_equal(models[0].destinations, models[1].destinations)
    np.testing.assert_allclose(models[0].log_probs, models[1].log_probs)


def test_files_give_the_same_model(tmp_path: Path) -> None:
    model = estimate_acceptor([[1, 2, 3], [2, 3]])
    model.write(tmp_path / "model")
    found = NgramAcceptor.read(tmp_path / "model")
    assert found.start == model.start
    assert found.successors() == model.successors()
    np.testing.assert_array_equal(found.final_log_probs, model.final_log_probs)
    np.testing.assert_array_equal(found.last_symbols, model.last_symbols)
    with pytest.raises(SpeechError, match="missing"):
        NgramAcceptor.read(tmp_path / "missing")


@pytest.mark.parametrize("options", [(1, 1, 0), (2, 3, 0), (4, 1, 0), (3, 2, -1)])
def test_impossible_options_are_refused(options: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="phone language model"):
        AcceptorOptions(*options)


@pytest.mark.parametrize("sequences", [[], [[]], [[1, 0, 2]]])
def test_impossible_sequences_are_refused(sequences: list[list[int]]) -> None:
    with pytest.raises(SpeechError, match="phone language model"):
        estimate_acceptor(sequences)
