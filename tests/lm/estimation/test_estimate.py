from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_models import (
    FALLBACK,
    FIXTURES,
    as_dict,
    compare,
    distribution,
    histories,
    kneser_ney,
    random_lines,
    text,
)
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.ngram.model import SPECIAL_WORDS

SENTENCES = st.lists(
    st.lists(st.sampled_from(list("abcd")), max_size=6).map(" ".join), min_size=1, max_size=25
)


@pytest.mark.parametrize(
    ("fixture", "options"),
    [
        ("order4", EstimateOptions(4, discount_fallback=FALLBACK)),
        ("order3-cutoffs", EstimateOptions(3, (0, 1, 2), FALLBACK)),
    ],
)
def test_equals_lmplz(fixture: str, options: EstimateOptions) -> None:
    expected = read_arpa(FIXTURES / f"{fixture}.arpa.gz")
    assert compare(expected, estimate_ngrams(text(), options=options).model) < 1e-6


def test_equals_lmplz_with_a_limited_vocabulary() -> None:
    expected = read_arpa(FIXTURES / "order3-vocabulary.arpa.gz")
    vocabulary = [word for word in expected.vocabulary if word not in SPECIAL_WORDS]
    options = EstimateOptions(3, discount_fallback=FALLBACK)
    assert len(vocabulary) == 40
    assert compare(expected, estimate_ngrams(text(), vocabulary, options).model) < 1e-6


@pytest.mark.parametrize("order", [1, 2, 3, 6, 8])
@pytest.mark.parametrize("continuation_counts", [True, False])
def test_equals_the_equations(order: int, continuation_counts: bool) -> None:
    lines = random_lines(order, words="abcdefgh", lines=80)
    options = EstimateOptions(
        order, discount_fallback=FALLBACK, continuation_counts=continuation_counts
    )
    found = as_dict(estimate_ngrams(lines, options=options).model)
    expected = kneser_ney(lines, order, continuation_counts=continuation_counts)
    found.pop(("<s>",))  # a convention: log10 probability 0
    assert found.keys() == expected.keys()
    for ngram, prob in expected.items():
        assert 10 ** found[ngram][0] == pytest.approx(prob, rel=2e-6)


@settings(deadline=None, max_examples=60)
@given(SENTENCES, st.integers(1, 4), st.integers(0, 1), st.booleans())
def test_every_history_sums_to_one(
    lines: list[str], order: int, cutoff: int, continuation_counts: bool
) -> None:
    cutoffs = (0, cutoff)[:order]
    options = EstimateOptions(order, cutoffs, FALLBACK, continuation_counts)
    model = estimate_ngrams(lines, ["a", "b", "z"], options).model
    for history in histories(model):
        assert sum(distribution(model, history).values()) == pytest.approx(1, abs=2e-6)


@settings(deadline=None, max_examples=30)
@given(SENTENCES, st.integers(2, 4))
def test_known_suffixes_are_the_suffixes(lines: list[str], order: int) -> None:
    model = estimate_ngrams(lines, options=EstimateOptions(order, discount_fallback=FALLBACK)).model
    searched = type(model)(model.vocabulary, model.levels).suffixes
    for one, other in zip(model.suffixes, searched, strict=True):
        np.testing.assert_array_equal(one, other)


def test_words_that_do_not_occur_get_what_unknown_words_get() -> None:
    model = estimate_ngrams(text(), ["the", "fox", "xylophone"], EstimateOptions(2)).model
    ngrams = as_dict(model)
    assert model.vocabulary == (*SPECIAL_WORDS, "the", "fox", "xylophone")
    assert ngrams[("xylophone",)] == ngrams[("<unk>",)]


def test_a_cut_word_leaves_ids_consistent() -> None:
    lines = ["rare"] + ["b a c b", "a c a b c"] * 4 + ["c c c", "a a b b"]
    model = estimate_ngrams(lines, options=EstimateOptions(3, (1, 1, 1), FALLBACK)).model
    assert "rare" not in model.vocabulary
    assert ("b", "a", "c") in as_dict(model)


def test_small_text_needs_a_fallback() -> None:
    with pytest.raises(
        SpeechError, match=r"discounts of 1-grams: expected .* found that no 1-gram"
    ):
        estimate_ngrams(["a b", "a"], options=EstimateOptions(2))
    assert estimate_ngrams(
        ["a b", "a"], options=EstimateOptions(2, discount_fallback=FALLBACK)
    ).model


def test_no_text_is_an_error() -> None:
    with pytest.raises(SpeechError, match="expected sentences, found none"):
        estimate_ngrams([], options=EstimateOptions(2))


@pytest.mark.parametrize("special", SPECIAL_WORDS)
def test_special_words_in_the_text_are_an_error(special: str) -> None:
    with pytest.raises(SpeechError, match=rf"model:2: expected words, found {special}"):
        estimate_ngrams(["a b", f"a {special} b"], options=EstimateOptions(2))


@pytest.mark.parametrize("vocabulary", [["a", "a"], ["a", "<s>"]])
def test_bad_vocabulary(vocabulary: list[str]) -> None:
    with pytest.raises(UsageError, match="vocabulary"):
        estimate_ngrams(["a"], vocabulary)


@pytest.mark.parametrize(
    "options",
    [
        {"order": 0},
        {"order": 9},
        {"cutoffs": (1, 0)},
        {"cutoffs": (-1,)},
        {"order": 2, "cutoffs": (0, 0, 0)},
        {"discount_fallback": (0.5, 2.5, 1)},
    ],
)
def test_bad_options(options: dict) -> None:
    with pytest.raises(UsageError):
        EstimateOptions(**options)
