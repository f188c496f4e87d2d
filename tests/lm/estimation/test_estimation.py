"""The steps of estimation: text counted in parts, as on several machines, gives the same bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_models import random_lines
from recognizer.data.errors import SpeechError
from recognizer.lm.estimation.options import EstimateOptions, determine_discounts
from recognizer.lm.estimation.steps import (
    ModelWords,
    adjust_counts,
    compute_backoffs,
    count_ngrams,
    discounts_of,
    join_words,
    merge_counts,
    open_tokens,
    tokenise,
    write_records,
)
from recognizer.lm.ngram.model import SPECIAL_WORDS
from recognizer.lm.resources import MIN_MEMORY, Resources
from recognizer.lm.text.text_files import split_words

RESOURCES = Resources(memory=MIN_MEMORY, threads=2)


def encoded(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def counts_in_parts(parts: list[list[str]], order: int, directory: Path) -> tuple[list[str], bytes]:
    """The words of all parts, and the merged counts, each part counted for itself."""
    texts = []
    for index, lines in enumerate(parts):
        part = directory / str(index)
        part.mkdir(parents=True)
        tokenise([(f"part {index}", [encoded(lines)])], part)
        texts.append(open_tokens(part))
    words, counts, ids = join_words([(text.words, text.counts) for text in texts])
    assert counts[2] == sum(map(len, parts))
    runs = []
    for text, part_ids in zip(texts, ids, strict=True):
        part = text.token_path.parent
        runs += count_ngrams(text, order, part, RESOURCES, num_words=len(words), ids=part_ids).paths
    merged = directory / "merged"
    merge_counts(runs, order, merged, RESOURCES, num_words=len(words))
    return words, merged.read_bytes()


@pytest.mark.parametrize("order", [1, 3, 6])
def test_parts_give_what_one_machine_gives(tmp_path: Path, order: int) -> None:
    lines = random_lines(1, "abcdefghijklm", 3000)
    whole = counts_in_parts([lines], order, tmp_path / "whole")
    parts = counts_in_parts([lines[:900], lines[900:901], lines[901:]], order, tmp_path / "parts")
    assert parts == whole


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.text(st.sampled_from("aé漢😀\u00a0 \t\r\x1f"), max_size=8), min_size=1, max_size=8),
    st.integers(1, 7),
)
def test_pieces_of_any_size_are_one_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    directory = tmp_path_factory.mktemp("pieces")
    content = encoded(lines)
    pieces = [content[i : i + size] for i in range(0, len(content), size)]
    tokenise([("text", pieces)], directory)
    text = open_tokens(directory)
    tokens = np.fromfile(text.token_path, dtype=np.uint32)
    shown = " ".join(text.words[token] for token in tokens)
    assert shown == " ".join(" ".join([*split_words(line), "</s>"]) for line in lines)
    assert text.words[:3] == list(SPECIAL_WORDS)
    assert text.counts.sum() == text.num_tokens == len(tokens)


def test_discounts_that_counts_do_not_determine() -> None:
    fallback = (0.5, 1.0, 1.5)
    assert determine_discounts(2, [0, 100, 40, 20, 12], None) == pytest.approx(
        (1 - 2 * 100 / 180 * 40 / 100, 2 - 3 * 100 / 180 * 20 / 40, 3 - 4 * 100 / 180 * 12 / 20)
    )
    assert determine_discounts(2, [0, 1, 0, 1, 1], fallback) == fallback
    with pytest.raises(SpeechError, match=r"2-grams: .* no 2-gram has the count 2"):
        determine_discounts(2, [0, 1, 0, 1, 1], None)
    with pytest.raises(SpeechError, match=r"that of count 3 would be -"):
        determine_discounts(3, [0, 100, 40, 1, 40], None)


def test_the_summary_of_records_is_json(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    tokenise([("text", [b"a b\na b c\n"])], tmp_path / "text")
    text = open_tokens(tmp_path / "text")
    words = ModelWords.choose(text.words, text.counts, None)
    steps = [tmp_path / name for name in ("counts", "adjusted", "backoffs", "records")]
    for step in steps:
        step.mkdir()
    options = EstimateOptions(2, discount_fallback=(0.5, 1.0, 1.5))
    counts = count_ngrams(text, 2, steps[0], RESOURCES, num_words=len(words.words))
    adjusted = adjust_counts(counts, words, options, steps[1], RESOURCES)
    discounts = discounts_of(adjusted, options)
    backoffs = compute_backoffs(adjusted, words, discounts, steps[2], RESOURCES)
    write_records(adjusted, backoffs, words, discounts, steps[3], RESOURCES)
    summary = json.loads((steps[3] / "records.json").read_text())
    assert summary == {"order": 2, "counts": [6, 5], "sorted": None}
    record = np.dtype([("ids", "<u4", (2,)), ("prob", "<f4"), ("backoff", "<f4")])
    assert len(np.fromfile(steps[3] / "2.records", record)) == 5
