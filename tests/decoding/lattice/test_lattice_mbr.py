from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import product
from math import inf

import kaldialign
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_toys import compact, path_probabilities, path_words, word_tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.mbr import MbrResult, confidences, mbr
from recognizer.decoding.lattice.paths import best_path
from search_toys import SYMBOLS, ladder

Words = tuple[str, ...]
seeds = st.integers(0, 2**32 - 1)
INSERTION = 1.0 + 1e-5
# The algorithm's insertions cost 1e-5 more, and no toy has more than a few.
TOLERANCE = 1e-3


def sequences(seed: int) -> dict[tuple[int, ...], float]:
    """A few word sequences with probabilities."""
    rng = np.random.default_rng(seed)
    found = {
        tuple(rng.integers(1, 4, int(rng.integers(0, 5))).tolist())
        for _ in range(int(rng.integers(1, 7)))
    }
    return dict(zip(sorted(found), rng.dirichlet(np.ones(len(found))).tolist(), strict=True))


def named(weights: dict[tuple[int, ...], float]) -> dict[Words, float]:
    return {tuple(SYMBOLS[w] for w in words): weight for words, weight in weights.items()}


def risk(words: Words, probabilities: dict[Words, float]) -> float:
    """Expected number of word errors, by enumeration."""
    return sum(
        probability * kaldialign.edit_distance(list(spoken), list(words))["total"]
        for spoken, probability in probabilities.items()
    )


def alignment(words: Words, hypothesis: list[str | None]) -> list[str | None]:
    """What each bin of the hypothesis gets of the spoken words at the least cost.

    Ties go to a pair, then to an insertion, then to a deletion, as in the paper. The last step of
    a path leads to the one end and has no word.
    """
    spoken = (*words, None)
    costs = [[0.0] * (len(hypothesis) + 1) for _ in range(len(spoken) + 1)]
    steps = [[""] * (len(hypothesis) + 1) for _ in range(len(spoken) + 1)]
    for i, q in product(range(len(spoken) + 1), range(len(hypothesis) + 1)):
        options = []
        if i and q:
            options.append((costs[i - 1][q - 1] + (spoken[i - 1] != hypothesis[q - 1]), "pair"))
        if i:
            inserted = INSERTION if spoken[i - 1] is not None else 0.0
            options.append((costs[i - 1][q] + inserted, "insertion"))
        if q:
            options.append((costs[i][q - 1] + (hypothesis[q - 1] is not None), "deletion"))
        if options:
            costs[i][q], steps[i][q] = min(options, key=lambda option: option[0])
    bins: list[str | None] = []
    i, q = len(spoken), len(hypothesis)
    while i or q:
        step = steps[i][q]
        if step != "insertion":
            bins.append(spoken[i - 1] if step == "pair" else None)
        i -= step != "deletion"
        q -= step != "insertion"
    return bins[::-1]


def check_bins(result: MbrResult) -> None:
    assert len(result.bins) == 2 * len(result.words) + 1
    for one in result.bins:
        assert sum(one.posteriors) == pytest.approx(1.0, abs=1e-9)
        assert list(one.posteriors) == sorted(one.posteriors, reverse=True)
        assert all(0.0 < posterior <= 1.0 for posterior in one.posteriors)
        assert all(begin <= end for begin, end in one.times)
    assert all(0.0 <= confidence <= 1.0 for confidence in result.confidences)


@given(seeds, st.integers(0, 5))
def test_bins_and_risk_are_those_of_all_paths(seed: int, choice: int) -> None:
    weights = sequences(seed)
    probabilities = named(weights)
    words = list(probabilities)[choice % len(probabilities)]
    result = confidences(word_tree(weights), words, 1.0)
    check_bins(result)
    assert result.words == words
    assert result.risk == pytest.approx(risk(words, probabilities), abs=TOLERANCE)
    hypothesis: list[str | None] = [None]
    for word in words:
        hypothesis += [word, None]
    expected: list[dict[str | None, float]] = [defaultdict(float) for _ in hypothesis]
    for spoken, probability in probabilities.items():
        for sums, word_or_none in zip(expected, alignment(spoken, hypothesis), strict=True):
            sums[word_or_none] += probability
    for one, sums in zip(result.bins, expected, strict=True):
        assert dict(zip(one.words, one.posteriors, strict=True)) == pytest.approx(sums, abs=1e-9)
    assert list(result.confidences) == pytest.approx(
        [expected[2 * place + 1][word] for place, word in enumerate(words)], abs=1e-9
    )


@given(seeds)
def test_no_word_of_any_bin_would_be_better(seed: int) -> None:
    weights = sequences(seed)
    probabilities = named(weights)
    result = mbr(word_tree(weights), 1.0)
    check_bins(result)
    chosen = [one.words[0] for one in result.bins]
    assert [word for word in chosen if word is not None] == list(result.words)
    assert result.risk == pytest.approx(risk(result.words, probabilities), abs=TOLERANCE)
    likeliest = max(probabilities, key=lambda words: probabilities[words])
    assert risk(result.words, probabilities) <= risk(likeliest, probabilities) + TOLERANCE


def test_the_least_risk_of_all_word_sequences_is_mostly_found() -> None:
    """The recursion climbs from the best path, so that it may end on a lower hill."""
    everything = [words for n in range(6) for words in product(SYMBOLS[1:4], repeat=n)]
    least = 0
    for seed in range(60):
        weights = sequences(seed)
        probabilities = named(weights)
        found = risk(mbr(word_tree(weights), 1.0).words, probabilities)
        least += found < min(risk(words, probabilities) for words in everything) + TOLERANCE
    assert least >= 50


@given(seeds)
def test_where_paths_share_states_the_risk_is_not_underestimated(seed: int) -> None:
    lattice = compact(seed)
    probabilities: dict[Words, float] = defaultdict(float)
    for path, probability in path_probabilities(lattice, 0.5).items():
        probabilities[path_words(lattice, path)] += probability
    path = best_path(lattice, 0.5)
    result, fixed = mbr(lattice, 0.5), confidences(lattice, path, 0.5)
    for each in (result, fixed):
        check_bins(each)
        assert each.risk >= risk(each.words, probabilities) - 1e-9
    assert result.risk <= fixed.risk + 1e-9
    assert fixed.words == path.words


def test_words_of_all_paths_are_certain() -> None:
    lattice = word_tree({(1, 2, 3): 0.6, (1, 4, 3): 0.3, (1, 3): 0.1})
    result = mbr(lattice, 1.0)
    assert result.words == ("a", "b", "c")
    assert result.confidences == pytest.approx((1.0, 0.6, 1.0), abs=1e-9)
    assert result.bins[3].words == ("b", "d", None)
    assert result.bins[3].posteriors == pytest.approx((0.6, 0.3, 0.1), abs=1e-9)
    assert result.risk == pytest.approx(0.4, abs=TOLERANCE)
    assert confidences(lattice, ["a", "d", "c"], 1.0).confidences == pytest.approx((1.0, 0.3, 1.0))
    assert confidences(lattice, ["nowhere"], 1.0).confidences == (0.0,)
    assert confidences(lattice, ["b", "nowhere"], 1.0).words == ("b", "nowhere")


def test_times_are_means_of_the_arcs() -> None:
    # All of it at once, or by halves: word "a" ends after one frame in either.
    lattice = word_tree({(1,): 0.5, (1, 2): 0.5})
    result = confidences(lattice, ["a", "b"], 1.0)
    assert result.times == ((0.0, 1.0), (1.0, 2.0))
    single = determinize(ladder(3), 1.0, 1e-9)
    assert mbr(single, 1.0).times == ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0))


def test_scales_apply_to_their_costs() -> None:
    lattice = replace(
        word_tree({(1,): 0.5, (2,): 0.5}),
        graph_costs=np.array([1.0, 0.0]),
        acoustic_costs=np.array([0.0, 3.0]),
    )
    for acoustic_scale, graph_scale in ((1.0, 1.0), (0.1, 1.0), (0.1, 0.0), (0.0, 2.0)):
        odds = np.exp(3.0 * acoustic_scale - graph_scale)
        result = mbr(lattice, acoustic_scale, graph_scale)
        assert result.words == (("a",) if odds > 1.0 else ("b",))
        assert result.confidences[0] == pytest.approx(
            max(odds, 1 / odds) / (1 + max(odds, 1 / odds))
        )


def test_lattices_without_paths_and_impossible_scales_are_refused() -> None:
    lattice = word_tree({(1,): 1.0})
    with pytest.raises(SpeechError, match="expected a path from the start to a final state"):
        mbr(replace(lattice, final_graph_costs=np.full(2, inf)), 1.0)
    with pytest.raises(UsageError, match="acoustic_scale"):
        confidences(lattice, ["a"], -1.0)
