"""Alignments of letters and phones against enumeration of all of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Pronunciation
from recognizer.lm.pronunciation.alignment import Graphone, align_lexicon

SIZES = ((1, 0), (1, 1), (1, 2), (2, 1))

Path = tuple[Graphone, ...]


def alignments(word: str, phones: tuple[str, ...]) -> Iterator[Path]:
    if not word and not phones:
        yield ()
    for letters, sounds in SIZES:
        if letters <= len(word) and sounds <= len(phones):
            first = Graphone(word[:letters], phones[:sounds])
            for rest in alignments(word[letters:], phones[sounds:]):
                yield (first, *rest)


def expectation_maximisation(
    paths: list[list[Path]], iterations: int
) -> tuple[dict[Graphone, float], float]:
    """The probabilities after some iterations; the log likelihood before the last."""
    graphones = {g for entry in paths for path in entry for g in path}
    probs = dict.fromkeys(graphones, 1 / len(graphones))
    log_likelihood = 0.0
    for _ in range(iterations):
        counts: Counter[Graphone] = Counter()
        log_likelihood = 0.0
        for entry in paths:
            weights = [math.prod(probs[g] for g in path) for path in entry]
            log_likelihood += math.log(sum(weights))
            for path, weight in zip(entry, weights, strict=True):
                for graphone in path:
                    counts[graphone] += weight / sum(weights)
        probs = {g: counts[g] / counts.total() for g in graphones}
    return probs, log_likelihood


ENTRIES = st.lists(
    st.tuples(
        st.text("abc", min_size=1, max_size=4),
        st.lists(st.sampled_from("XY"), min_size=1, max_size=5).map(tuple),
    ),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(ENTRIES, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_equal_to_enumeration(pairs: list[tuple[str, tuple[str, ...]]], iterations: int) -> None:
    paths = [list(alignments(word, phones)) for word, phones in pairs]
    entries = [Pronunciation(word, phones) for word, phones in pairs]
    if not any(paths):
        with pytest.raises(SpeechError, match="at most two phones a letter, found none"):
            align_lexicon(entries, iterations=iterations)
        return
    aligned = align_lexicon(entries, iterations=iterations)
    assert aligned.left_out == tuple(e for e, p in zip(entries, paths, strict=True) if not p)
    paths = [entry for entry in paths if entry]
    probs, log_likelihood = expectation_maximisation(paths, iterations)
    assert aligned.log_likelihood == pytest.approx(log_likelihood, abs=1e-9)

    def cost(path: Path) -> float:
        return -sum(
            math.log(max(probs[g], 1e-300)) * max(len(g.letters), len(g.phones)) for g in path
        )

    for found, entry in zip(aligned.entries, paths, strict=True):
        assert found in entry
        assert cost(found) == pytest.approx(min(map(cost, entry)), abs=1e-6)


def test_likelihood_grows() -> None:
    words = ("phone F OW N", "shoe SH UW", "she SH IY", "box B AA K S", "hop HH AA P", "ob AA B")
    fields = [word.split() for word in words]
    entries = [Pronunciation(word, tuple(phones)) for word, *phones in fields]
    grown = [align_lexicon(entries, iterations=n).log_likelihood for n in range(1, 9)]
    assert all(one < two for one, two in pairwise(grown))
    aligned = align_lexicon(entries)
    tokens = [[graphone.token for graphone in entry] for entry in aligned.entries]
    assert tokens[2] == ["sh}SH", "e}IY"]
    assert tokens[3] == ["b}B", "o}AA", "x}K|S"]


def test_tokens_are_read_back() -> None:
    for graphone in (Graphone("x", ("K", "S")), Graphone("e", ()), Graphone("sh", ("}",))):
        assert Graphone.parse(graphone.token) == graphone
    for token in ("dog", "}K", "abc}K", "a}K|S|T", "a}K||S"):
        with pytest.raises(SpeechError, match="expected letters and phones such as"):
            Graphone.parse(token)


@pytest.mark.parametrize(
    ("word", "phones", "message"),
    [
        ("a}b", ("A",), r"word 'a}b': expected letters, found '}'"),
        ("ab", ("A|B",), r"word 'ab': expected phones without '\|', found A\|B"),
    ],
)
def test_characters_that_stand_between_others(word, phones, message) -> None:
    with pytest.raises(SpeechError, match=message):
        align_lexicon([Pronunciation(word, phones)])


def test_no_iterations() -> None:
    with pytest.raises(UsageError, match="iterations: expected at least 1, found 0"):
        align_lexicon([Pronunciation("a", ("A",))], iterations=0)
