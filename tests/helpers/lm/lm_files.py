"""N-grams in files, as hypothesis draws them or as a model has them, for the tests of lm/."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from recognizer.lm.ngram.model import BEGIN, END, UNKNOWN, NgramModel

Ngrams = dict[tuple[str, ...], tuple[str, str]]
"""Log10 probability and back-off, as they stand in a file."""


def arpa(ngrams: Ngrams, order: int, rng: random.Random | None = None) -> str:
    """An ARPA file; rows above unigrams shuffled."""
    sections = []
    for n in range(1, order + 1):
        rows = [
            "\t".join([prob, " ".join(words), *([backoff] if n < order and backoff else [])])
            for words, (prob, backoff) in ngrams.items()
            if len(words) == n
        ]
        if rng is not None and n > 1:
            rng.shuffle(rows)
        sections.append(rows)
    lines = ["\\data\\", *(f"ngram {n}={len(rows)}" for n, rows in enumerate(sections, start=1))]
    for n, rows in enumerate(sections, start=1):
        lines += ["", f"\\{n}-grams:", *rows]
    return "\n".join([*lines, "", "\\end\\", ""])


@st.composite
def arpas(draw: st.DrawFn) -> str:
    """Any back-off model: suffixes missing, `<s>` and `</s>` anywhere, rows in any order."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    order = draw(st.integers(1, 6))
    vocabulary = [BEGIN, END, *"abcd"[: draw(st.integers(1, 4))]]
    if draw(st.booleans()):
        vocabulary.append(UNKNOWN)
    rng.shuffle(vocabulary)

    def values() -> tuple[str, str]:
        backoff = rng.choice(["", "0", "-0.0", "0.25", f"{-rng.random():.4f}"])
        return f"{-3 * rng.random():.{rng.randint(1, 9)}f}", backoff

    ngrams = {(word,): values() for word in vocabulary}
    below = list(ngrams)
    for _ in range(1, order):
        share = draw(st.sampled_from([0.0, 0.1, 0.4]))
        # Words that a sentence cannot have there are rarer, or there would be little else.
        below = [
            (*history, word)
            for history in below
            for word in vocabulary
            if rng.random() < share * (0.3 if word == BEGIN or END in history else 1)
        ][:200]
        ngrams.update((ngram, values()) for ngram in below)
    return arpa(ngrams, order, rng)


def write_records(directory: Path, model: NgramModel) -> None:
    order = [UNKNOWN, BEGIN, END]
    order += [word for word in model.vocabulary if word not in order]
    ids = {word: index for index, word in enumerate(order)}
    renumbered = np.array([ids[word] for word in model.vocabulary], dtype=np.uint32)
    directory.mkdir()
    (directory / "vocabulary.txt").write_text("".join(f"{word}\n" for word in order))
    for n, level in enumerate(model.levels, start=1):
        records = np.empty(len(level), [("ids", "<u4", (n,)), ("prob", "<f4"), ("backoff", "<f4")])
        records["ids"] = renumbered[model.ngrams(n)]
        records["prob"], records["backoff"] = level.log10_probs, level.log10_backoffs
        records.tofile(directory / f"{n}.records")
    summary = {"order": model.order, "counts": list(model.counts), "sorted": None}
    (directory / "records.json").write_text(json.dumps(summary))
