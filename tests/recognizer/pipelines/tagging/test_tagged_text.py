"""Stretches of text that a tagger is trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.text.tags import TaggedWord
from recognizer.pipelines.tagging import tagged_text
from recognizer.pipelines.tagging.tagged_text import TaggedText, number_tagged


def numbered(lengths: list[int]) -> TaggedText:
    """A text whose every word is another one, in sentences of these lengths."""
    words = iter(f"w{number:03}" for number in range(sum(lengths)))
    sentences = [
        [TaggedWord(next(words), "." if at == length - 1 else "", "lower") for at in range(length)]
        for length in lengths
    ]
    return number_tagged(sentences, 1 + sum(lengths), 1 + sum(lengths))


@pytest.mark.parametrize(("kind", "begins", "ends"), [(0, 1, 1), (1, 1, 0), (2, 0, 1), (3, 0, 0)])
@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=6), length=st.integers(1, 6))
def test_stretches_have_the_borders_of_their_kind(kind, begins, ends, lengths, length):
    text = numbered(lengths)
    length = min(length, sum(lengths))
    borders = {0, *np.cumsum(lengths).tolist()}
    fitting = [
        start
        for start in range(sum(lengths) - length + 1)
        if (not begins or start in borders) and (not ends or start + length in borders)
    ]
    shares = np.eye(4)[kind]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tagged_text, "_SHARES", shares)
        batch = text.batch(50 * length, length, length, [1])
    assert batch.word_ids.shape == batch.marks.shape == (50, length)
    index = {number: at for at, number in enumerate(text.word_ids.tolist())}
    starts = {index[row[0]] for row in batch.word_ids.tolist()}
    assert starts <= set(fitting or range(sum(lengths) - length + 1))
    if len(fitting) < 4:
        assert starts == set(fitting) or not fitting
    for row in batch.word_ids.tolist():
        assert [index[number] for number in row] == list(
            range(index[row[0]], index[row[0]] + length)
        )
