"""Combination of systems against the enumeration of all their paths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from math import inf

import kaldialign
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_toys import compact, path_probabilities, word_tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.arc_times import ArcTimes
from recognizer.decoding.lattice.combination import SystemLattice, combine
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.lattice.mbr import MbrResult, mbr
from search_toys import SYMBOLS

Words = tuple[str, ...]
SCALE = 0.5
INSERTION = 1.0 + 1e-5
TOLERANCE = 1e-3  # for what insertions cost more
seeds = st.integers(0, 2**32 - 1)
weights = st.sampled_from([0.2, 0.5, 1.0, 3.0])


def random_tree(seed: int) -> CompactLattice:
    rng = np.random.default_rng(seed)
    found = {
        tuple(rng.integers(1, 4, int(rng.integers(0, 5))).tolist())
        for _ in range(int(rng.integers(1, 6)))
    }
    shares = rng.dirichlet(np.ones(len(found))).tolist()
    return word_tree(dict(zip(sorted(found), shares, strict=True)))


def mixture(systems: Sequence[tuple[CompactLattice, float]]) -> dict[Words, float]:
    """The weighted mean of the systems' probabilities of word sequences, by enumeration."""
    total = sum(weight for _, weight in systems)
    found: dict[Words, float] = defaultdict(float)
    for lattice, weight in systems:
        for path, probability in path_probabilities(lattice, SCALE).items():
            words = tuple(lattice.symbols[lattice.words[arc]] for arc in path)
            found[words] += probability * weight / total
    return found


def risk(words: Words, probabilities: dict[Words, float]) -> float:
    return sum(
        probability * kaldialign.edit_distance(list(spoken), list(words))["total"]
        for spoken, probability in probabilities.items()
    )


def combined(systems: Sequence[tuple[CompactLattice, float]]) -> MbrResult:
    return combine([SystemLattice(lattice, SCALE, weight) for lattice, weight in systems])


@given(st.lists(st.tuples(seeds, weights), min_size=1, max_size=3))
def test_the_risk_is_the_expected_errors_over_all_systems(given: list[tuple[int, float]]) -> None:
    systems = [(random_tree(seed), weight) for seed, weight in given]
    probabilities = mixture(systems)
    result = combined(systems)
    assert result.risk == pytest.approx(risk(result.words, probabilities), abs=TOLERANCE)
    for lattice, _ in systems:
        alone = mbr(lattice, SCALE).words
        best = max(path_probabilities(lattice, SCALE).items(), key=lambda item: item[1])[0]
        path = tuple(lattice.symbols[lattice.words[arc]] for arc in best)
        assert result.risk <= risk(path, probabilities) + TOLERANCE, alone
    for one in result.bins:
        assert sum(one.posteriors) == pytest.approx(1.0, abs=1e-9)


def transcribed(
    systems: Sequence[tuple[CompactLattice, float]],
    hypothesis: Sequence[str | None],
    preference: tuple[int, int, int],
) -> tuple[float, list[dict[str | None, float]]]:
    """Figures 4 and 5 of the paper in plain Python: the risk and the words of the bins.

    Ways of alignment that cost the same but for rounding are chosen by preference: 0 is a pair, 1
    an insertion, 2 a deletion. States are pairs of a system and its state; shares of arcs come from
    enumerated paths, so that nothing but the recursion is the same as what is tested.
    """
    total = sum(weight for _, weight in systems)
    steps: dict[tuple[object, object, str | None], float] = defaultdict(float)
    reached: dict[object, float] = defaultdict(float)
    for number, (lattice, weight) in enumerate(systems):
        for path, probability in path_probabilities(lattice, SCALE).items():
            share = probability * weight / total
            states = [(number, 0), *((number, int(lattice.targets[arc])) for arc in path)]
            labels = [None, *(lattice.symbols[lattice.words[arc]] for arc in path), None]
            along = [(-1, 0), *states, (len(systems), 0)]
            for source, target, label in zip(along[:-1], along[1:], labels, strict=True):
                steps[source, target, label] += share
                reached[target] += share
    arcs = sorted(steps.items(), key=lambda item: item[0][:2])  # states are in topological order
    size = len(hypothesis)
    alpha: dict[object, list[float]] = defaultdict(lambda: [0.0] * (size + 1))
    start = alpha[-1, 0]

    def along_arc(label: str | None, before: list[float]) -> tuple[list[float], list[int]]:
        insertion = 0.0 if label is None else INSERTION
        found, ways = [before[0] + insertion], [1]
        for q in range(1, size + 1):
            word = hypothesis[q - 1]
            options = (
                before[q - 1] + (label != word),
                before[q] + insertion,
                found[q - 1] + (word is not None),
            )
            found.append(min(options))
            ways.append(next(way for way in preference if options[way] - found[-1] < 1e-9))
        return found, ways

    for q in range(1, size + 1):
        start[q] = start[q - 1] + (hypothesis[q - 1] is not None)
    order = sorted({target for _, target, _ in steps})
    for state in order:
        for (source, target, label), share in arcs:
            if target == state:
                found, _ = along_arc(label, alpha[source])
                for q in range(size + 1):
                    alpha[state][q] += share / reached[state] * found[q]
    end = (len(systems), 0)
    beta: dict[object, list[float]] = defaultdict(lambda: [0.0] * (size + 1))
    beta[end][size] = 1.0
    bins: list[dict[str | None, float]] = [defaultdict(float) for _ in hypothesis]
    for state in reversed(order):
        for (source, target, label), share in arcs:
            if target != state:
                continue
            _, ways = along_arc(label, alpha[source])
            passing = [share / reached[state] * value for value in beta[state]]
            for q in range(size, 0, -1):
                if ways[q] == 0:
                    beta[source][q - 1] += passing[q]
                    bins[q - 1][label] += passing[q]
                elif ways[q] == 1:
                    beta[source][q] += passing[q]
                else:
                    passing[q - 1] += passing[q]
                    bins[q - 1][None] += passing[q]
            beta[source][0] += passing[0]
    for q in range(size, 0, -1):
        bins[q - 1][None] += beta[-1, 0][q]
        beta[-1, 0][q - 1] += beta[-1, 0][q]
    return alpha[end][size], bins


@given(st.lists(st.tuples(seeds, weights), min_size=1, max_size=2))
def test_bins_are_those_of_the_papers_recursion(given: list[tuple[int, float]]) -> None:
    systems = [(compact(seed, frames=3), weight) for seed, weight in given]
    result = combined(systems)
    hypothesis: list[str | None] = [None]
    for word in result.words:
        hypothesis += [word, None]
    (expected_risk, bins), (_, others) = (
        transcribed(systems, hypothesis, preference) for preference in ((0, 1, 2), (2, 1, 0))
    )
    assert result.risk == pytest.approx(expected_risk, abs=1e-9)
    for one, expected, other in zip(result.bins, bins, others, strict=True):
        if expected == pytest.approx(other, abs=1e-9):  # rounding has no influence
            kept = {word: value for word, value in expected.items() if value > 0.0}
            found = dict(zip(one.words, one.posteriors, strict=True))
            assert found == pytest.approx(kept, abs=1e-9)
    # Where the systems' paths share states, the recursion overestimates.
    assert result.risk >= risk(result.words, mixture(systems)) - 1e-9


@given(seeds)
def test_one_system_or_the_same_twice_is_minimum_bayes_risk(seed: int) -> None:
    lattice = compact(seed)
    alone = mbr(lattice, SCALE)
    for systems in ([(lattice, 1.0)], [(lattice, 0.3), (lattice, 0.7)]):
        result = combined(systems)
        assert result.words == alone.words
        assert result.risk == pytest.approx(alone.risk, abs=1e-9)


def test_systems_outvote_each_other_by_their_weights() -> None:
    one, other = word_tree({(1, 2): 1.0}), word_tree({(1, 3): 0.9, (1, 2): 0.1})
    a, b, c = SYMBOLS[1:4]
    assert combined([(one, 1.0), (other, 1.0)]).words == (a, b)  # 0.55 to 0.45
    assert combined([(one, 1.0), (other, 3.0)]).words == (a, c)
    result = combined([(one, 1.0), (other, 3.0)])
    assert result.confidences == pytest.approx((1.0, 0.675), abs=1e-9)
    # Likelihoods of another size change nothing.
    louder = replace(other, acoustic_costs=other.acoustic_costs + 1000.0)
    assert combined([(one, 1.0), (louder, 3.0)]).confidences == pytest.approx(result.confidences)


def test_words_and_times_of_systems_of_different_tables_and_frames() -> None:
    one = word_tree({(1, 2): 1.0})
    other = replace(word_tree({(2, 1): 1.0}), symbols=("<eps>", SYMBOLS[2], SYMBOLS[1]))
    result = combine(
        [
            SystemLattice(one, 1.0, frame_shift=0.01),
            SystemLattice(other, 1.0, frame_shift=0.03),
        ]
    )
    assert result.words == SYMBOLS[1:3]
    assert result.confidences == pytest.approx((1.0, 1.0))
    assert np.array(result.times) == pytest.approx(np.array([(0.0, 0.02), (0.02, 0.04)]))
    times = ArcTimes(np.array([3, 7], dtype=np.int32), np.array([5, 9], dtype=np.int32))
    exact = combine([SystemLattice(one, 1.0, times=times)])
    assert np.array(exact.times) == pytest.approx(np.array([(0.03, 0.05), (0.07, 0.09)]))


def test_confidences_have_a_scale_of_their_own() -> None:
    lattice = word_tree({(1,): 0.8, (2,): 0.2})
    result = combine([SystemLattice(lattice, 1.0)], confidence_scale=0.5)
    assert result.words == (SYMBOLS[1],)
    assert result.confidences == pytest.approx((2.0 / 3.0,))  # square roots of 0.8 and 0.2


def test_impossible_combinations_are_refused() -> None:
    lattice = word_tree({(1,): 1.0})
    with pytest.raises(UsageError, match="at least one system"):
        combine([])
    for weight in (0.0, -1.0, inf, float("nan")):
        with pytest.raises(UsageError, match="weight: expected a finite number > 0"):
            SystemLattice(lattice, 1.0, weight)
    with pytest.raises(UsageError, match="confidence_scale"):
        combine([SystemLattice(lattice, 1.0)], 0.0)
    with pytest.raises(SpeechError, match="expected a path from the start"):
        combine([SystemLattice(replace(lattice, final_graph_costs=np.full(2, inf)), 1.0)])
