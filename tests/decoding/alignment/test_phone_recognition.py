"""The likeliest phones under a phone language model, beside all paths."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from recognizer.data.errors import SpeechError
from recognizer.decoding.alignment.phone_recognition import PhoneRecognizer
from recognizer.lm.estimation.acceptor import NgramAcceptor

PHONES = (1, 2, 3)


class Biphones:
    """Pdfs of a phone's first and further frames after each left neighbour, as a tree has them."""

    def pdfs(self, left: int, phone: int, right: int) -> tuple[int, int]:
        assert right == 0
        return 4 * left + phone, 16 + 4 * (left // 2) + phone


def bigrams(rng: np.random.Generator) -> NgramAcceptor:
    """A bigram of three phones, of which 2 is never the last and never follows itself."""
    pairs = [(a, b) for a, b in product((0, *PHONES), PHONES) if (a, b) != (2, 2)]
    sources, symbols = np.array(pairs, dtype=np.int32).T
    finals = np.array([-np.inf, -1.0, -np.inf, -0.5])
    log_probs = rng.normal(size=len(pairs))
    last = np.arange(4, dtype=np.int32)
    return NgramAcceptor(sources, symbols, symbols, log_probs, finals, last, 0)


def sequences(frames: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All sequences of phones with how many frames each takes."""
    for number in range(1, frames + 1):
        for lengths in product(range(1, frames + 1), repeat=number):
            if sum(lengths) == frames:
                for phones in product(PHONES, repeat=number):
                    yield phones, lengths


@pytest.mark.parametrize("seed", range(6))
def test_the_path_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, tree = bigrams(rng), Biphones()
    scores = rng.normal(scale=2.0, size=(5, 32)).astype(np.float32)
    arcs = {
        (a, b): log_prob
        for a, b, log_prob in zip(
            model.sources.tolist(), model.symbols.tolist(), model.log_probs, strict=True
        )
    }

    def score(phones: tuple[int, ...], lengths: tuple[int, ...]) -> float:
        total, frame, left = 0.0, 0, 0
        for phone, length in zip(phones, lengths, strict=True):
            first, further = tree.pdfs(left, phone, 0)
            total += arcs.get((left, phone), -np.inf) + scores[frame, first]
            total += scores[frame + 1 : frame + length, further].sum()
            frame, left = frame + length, phone
        return total + model.final_log_probs[left]

    best, _ = max(sequences(5), key=lambda one: score(*one))
    assert PhoneRecognizer(model, tree).phones(scores) == best


def test_no_frames_have_no_path() -> None:
    recogniser = PhoneRecognizer(bigrams(np.random.default_rng(0)), Biphones())
    with pytest.raises(SpeechError, match="expected more than 0 frames"):
        recogniser.phones(np.zeros((0, 32), dtype=np.float32))
