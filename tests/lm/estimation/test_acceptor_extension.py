"""Phone language models with the counts of further sequences, against counting by hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.lm.estimation.acceptor import (
    EDGE,
    AcceptorOptions,
    NgramAcceptor,
    estimate_acceptor,
)
from recognizer.lm.estimation.acceptor_extension import extended_acceptor

SEQUENCES = st.lists(st.lists(st.integers(1, 4), max_size=7), min_size=1, max_size=10).filter(any)

Counts = dict[tuple[int, ...], Counter[int]]


def path(model: NgramAcceptor, sequence: list[int]) -> tuple[int, float]:
    """Last state of the one path, and its log probability without the end of the sequence."""
    state, total, successors = model.start, 0.0, model.successors()
    for symbol in sequence:
        state, log_prob = successors[state, symbol]
        assert model.last_symbols[state] == symbol
        total += log_prob
    return state, total


def count(sequences: list[list[int]], order: int) -> Counts:
    counts: Counts = defaultdict(Counter)
    for one in filter(None, sequences):
        padded = [EDGE, *one, EDGE]
        for i in range(1, len(padded)):
            counts[tuple(padded[max(0, i - order + 1) : i])][padded[i]] += 1
    return counts


@settings(deadline=None, max_examples=80)
@given(old=SEQUENCES, new=SEQUENCES, order=st.integers(2, 4))
def test_unpruned_models_have_the_relative_frequencies_of_both(
    old: list[list[int]], new: list[list[int]], order: int
) -> None:
    options = AcceptorOptions(order, order, 0)
    model = extended_acceptor(estimate_acceptor(old, options), new, options)
    # What probabilities tell of counts: multiples of the rarest.
    both: Counts = defaultdict(Counter)
    for history, counts in count(old, order).items():
        both[history].update({s: round(n / min(counts.values())) for s, n in counts.items()})
    for history, counts in count(new, order).items():
        both[history].update(counts)
    assert model.num_states == len(both)
    for sequence in filter(None, [*old, *new]):
        expected, padded = 0.0, [EDGE, *sequence, EDGE]
        for i in range(1, len(padded)):
            counts = both[tuple(padded[max(0, i - order + 1) : i])]
            expected += log(counts[padded[i]] / counts.total())
        state, found = path(model, sequence)
        assert found + model.final_log_probs[state] == pytest.approx(expected)


@settings(deadline=None, max_examples=80)
@given(
    old=SEQUENCES, new=SEQUENCES, order=st.integers(2, 4), unpruned=st.integers(2, 3),
    extra=st.integers(0, 6),
)  # fmt: skip
def test_every_sequence_old_and_new_has_a_path(
    old: list[list[int]], new: list[list[int]], order: int, unpruned: int, extra: int
) -> None:
    options = AcceptorOptions(order, min(order, unpruned), extra)
    before = estimate_acceptor(old, options)
    after = extended_acceptor(before, new, options)
    for sequence in filter(None, [*old, *new]):
        state, found = path(after, sequence)
        assert np.isfinite(found + after.final_log_probs[state])
    sums = np.bincount(after.sources, np.exp(after.log_probs), after.num_states)
    np.testing.assert_allclose(sums + np.exp(after.final_log_probs), 1)
    # What was there stays where it was: states, and where their arcs lead.
    successors = after.successors()
    for key, (state, _) in before.successors().items():
        assert successors[key][0] == state
    assert after.last_symbols[: before.num_states].tolist() == before.last_symbols.tolist()
    keys = list(zip(after.sources.tolist(), after.symbols.tolist(), strict=True))
    assert keys == sorted(set(keys))


def test_a_new_order_goes_on_in_the_state_that_knows_what_follows() -> None:
    """After 4 2, as after 1 2, comes 3: the state of the history 2 is there and is entered."""
    options = AcceptorOptions(2, 2, 0)
    before = estimate_acceptor([[1, 2, 3]] * 3 + [[1, 2, 1]], options)
    after = extended_acceptor(before, [[4, 2, 3]], options)
    assert after.num_states == before.num_states + 1  # of the symbol 4, which none has read
    state, _ = path(after, [4, 2])
    assert state == path(before, [1, 2])[0]
    # Three times 3 and once 1, and now once more 3.
    assert np.exp(after.successors()[state, 3][1]) == pytest.approx(4 / 5)
    assert np.exp(after.successors()[after.start, 4][1]) == pytest.approx(1 / 2)


def test_of_nothing_new_is_the_model_itself() -> None:
    options = AcceptorOptions(3, 2, 1)
    before = estimate_acceptor([[1, 2, 3], [1, 2, 1], [2, 2]], options)
    after = extended_acceptor(before, [[]], options)
    for name in ("sources", "symbols", "destinations", "last_symbols"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    np.testing.assert_allclose(after.log_probs, before.log_probs)
    np.testing.assert_allclose(after.final_log_probs, before.final_log_probs)
