from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lm_models import as_dict, random_model
from recognizer.data.errors import SpeechError
from recognizer.lm.model.prune import prune_ngrams
from recognizer.lm.ngram.model import NO_NODE, NgramLevel, NgramModel


def test_levels_are_sorted_and_find_their_rows() -> None:
    model = random_model(1, order=4)
    for order, level in enumerate(model.levels, start=1):
        pairs = list(zip(level.parents.tolist(), level.words.tolist(), strict=True))
        assert pairs == sorted(set(pairs))
        rows = model.find(order, level.parents, level.words)
        np.testing.assert_array_equal(rows, np.arange(len(level)))
    assert model.find(5, np.array([0]), np.array([1])).tolist() == [NO_NODE]
    assert model.find(2, np.array([2]), np.array([3])).tolist() == [NO_NODE]  # </s> goes nowhere


def test_children_of_a_history() -> None:
    model = random_model(2)
    offsets = model.child_offsets(1)
    a = model.word_ids["a"]
    children = {model.vocabulary[w] for w in model.levels[1].words[offsets[a] : offsets[a + 1]]}
    assert children == {ngram[1] for ngram in as_dict(model) if len(ngram) == 2 and ngram[0] == "a"}
    assert not model.child_offsets(3).any()


def test_suffixes_are_the_longest_known() -> None:
    model = prune_ngrams(random_model(3, order=4), ngrams=60)
    ngrams = [
        tuple(model.vocabulary[i] for i in ids)
        for order in range(1, model.order + 1)
        for ids in model.ngrams(order)
    ]
    nodes = {ngram: node for node, ngram in enumerate(ngrams)}
    suffixes = np.concatenate(model.suffixes)
    for ngram, node in nodes.items():
        shorter = ngram[1:]
        while shorter and shorter not in nodes:
            shorter = shorter[1:]
        assert suffixes[node] == nodes.get(shorter, NO_NODE)


def test_find() -> None:
    model = random_model(4)

    def row_of(ngram: Sequence[str]) -> int:
        row = NO_NODE
        for order, word in enumerate(ngram, start=1):
            row = int(model.find(order, np.array([row]), np.array([model.word_ids[word]]))[0])
            if row == NO_NODE:
                break
        return row

    for ngram in as_dict(model):
        row = row_of(ngram)
        assert tuple(model.vocabulary[i] for i in model.ngrams(len(ngram))[row]) == ngram
    assert row_of(["</s>", "a"]) == NO_NODE
    assert row_of(["a", "b", "c", "d"]) == NO_NODE  # longer than the model's order


def test_inconsistent_models_are_refused() -> None:
    level = NgramLevel(
        np.arange(3, dtype=np.int32), np.full(3, -1, dtype=np.int64), np.zeros(3), np.zeros(3)
    )
    with pytest.raises(ValueError, match="one unigram for each word"):
        NgramModel(("<unk>", "<s>"), (level,))
    with pytest.raises(ValueError, match="must hold <unk>, <s>, </s>"):
        NgramModel(("a", "<s>", "</s>"), (level,))
    with pytest.raises(ValueError, match="of one length"):
        NgramLevel(level.words, level.parents, np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="int32"):
        NgramLevel(level.words.astype(np.int64), level.parents, np.zeros(3), np.zeros(3))


def test_no_more_ngrams_than_nodes_can_number(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(0)
    monkeypatch.setattr("recognizer.lm.ngram.model.MAX_NGRAMS", sum(model.counts) - 1)
    with pytest.raises(SpeechError, match=r"in memory: expected at most \d+ n-grams, found \d+"):
        NgramModel(model.vocabulary, model.levels)
