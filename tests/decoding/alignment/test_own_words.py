"""An utterance's own language model, against all word sequences of a small world."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np
import pytest

from align_toys import (
    BREAK,
    LEXICON,
    PHONES,
    SIL,
    Item,
    best_score,
    context_tree,
    small_topology,
    standard_aligner,
)
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.alignment.align import Aligner, AlignmentError, AlignOptions
from recognizer.decoding.alignment.own_words import OwnWords
from recognizer.decoding.graph.options import GraphOptions

Way = tuple[tuple[Item, ...], float, tuple[str, ...]]

FOLLOWING, OTHER, SILENCE, FRAMES = 0.9, 0.3, 0.3, 4


def ways(words: tuple[str, ...], others: tuple[str, ...]) -> Iterator[Way]:
    """Everything that may be said, from the definition of the model."""
    share = OTHER if others else 0.0
    own = log((1 - share) / (len(words) + 1))

    def after(at: int | None, way: Way) -> Iterator[Way]:
        """Go on after the transcript's word `at`, or after another word (None)."""
        for pause in (False, True):
            items, score, said = way
            if pause:
                items = (*items, Item(SIL))
            if sum(item != BREAK for item in items) > FRAMES:
                continue
            score += log(SILENCE if pause else 1 - SILENCE)
            if at is not None:
                on = score + log(FOLLOWING)
                if at == len(words):
                    yield items, on, said
                else:
                    yield from say(words[at], at + 1, (items, on, said))
                score += log(1 - FOLLOWING)
            yield from backed((*items, BREAK), score, said)

    def backed(items: tuple[Item, ...], score: float, said: tuple[str, ...]) -> Iterator[Way]:
        yield items, score + own, said
        for index, word in enumerate(words):
            yield from say(word, index + 1, (items, score + own, said))
        for word in others:
            yield from say(word, None, (items, score + log(share / len(others)), said))

    def say(word: str, at: int | None, way: Way) -> Iterator[Way]:
        items, score, said = way
        for entry in LEXICON[word]:
            longer = (*items, *map(Item, PHONES.word_phones(entry.phones)))
            if sum(item != BREAK for item in longer) <= FRAMES:
                yield from after(at, (longer, score + log(entry.probability), (*said, word)))

    yield from after(0, ((), 0.0, ()))


@pytest.mark.parametrize(
    ("words", "others"), [(("a", "c"), ()), (("c", "a"), ("ab",)), (("ab",), ("a", "c"))]
)
def test_what_is_heard_is_the_best_of_everything(
    words: tuple[str, ...], others: tuple[str, ...]
) -> None:
    tree = context_tree()
    model = TransitionModel(small_topology(), PHONES, tree.tuples())
    options = AlignOptions(
        acoustic_scale=0.5, beam=100.0, graph=GraphOptions(silence_probability=SILENCE)
    )
    aligner = Aligner(LEXICON, PHONES, tree, model, options)
    every: dict[tuple[Item, ...], tuple[float, tuple[str, ...]]] = {}
    for items, score, said in ways(words, others):
        if items not in every or score > every[items][0]:
            every[items] = (score, said)
    rng = np.random.default_rng(len(words))
    different = 0
    for _ in range(6):
        scores = rng.normal(scale=6.0, size=(FRAMES, tree.num_pdfs)).astype(np.float32)
        totals = {
            items: score + best_score(items, scores, tree, model)
            for items, (score, _) in every.items()
        }
        best = max(totals, key=totals.__getitem__)
        found = aligner.hear(words, others, scores)
        assert found == every[best][1]
        assert found == aligner.hear(words, others, lambda pdfs, s=scores: s[:, pdfs])
        different += found != words
    assert different or not others


def test_what_cannot_be_heard() -> None:
    aligner, model = standard_aligner()
    scores = np.zeros((1, model.num_pdfs), dtype=np.float32)
    with pytest.raises(AlignmentError, match="no words within the beam, in 1 frames"):
        aligner.hear(("ab", "a"), (), scores)
    with pytest.raises(SpeechError, match="transcript: expected at least one word, found none"):
        aligner.hear((), ("a",), scores)
    for field in ("following", "other"):
        with pytest.raises(UsageError, match=f"{field}: expected a number between 0 and 1"):
            OwnWords(**{field: 1.0})
