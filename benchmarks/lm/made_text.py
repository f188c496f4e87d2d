"""Text without end, made from a text: what its trigrams would say if they went on talking.

    python -m benchmarks.lm.made_text TEXT --words N --output MADE.txt [--seed N]

Every word follows the two words before it as one of their occurrences in TEXT, drawn at random, is
followed: a sample of the maximum-likelihood trigram model. Trigrams are TEXT's own, longer n-grams
are mostly new, so a large model comes out of a small text, with natural frequencies of words.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.data.io.files import read_lines, replace_text

STREAMS = 4096
BEGIN = 0
"""Stands twice before each sentence and once after it."""


def main() -> None:
    """Write the text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--words", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ids = {"": BEGIN}
    tokens = [BEGIN, BEGIN]
    for line in read_lines(arguments.text):
        tokens.extend(ids.setdefault(word, len(ids)) for word in line.split())
        tokens += [BEGIN, BEGIN]
    write(np.array(tokens, dtype=np.int64), list(ids), arguments)


def write(tokens: npt.NDArray[np.int64], words: list[str], arguments: argparse.Namespace) -> None:
    """Draw sentences in parallel streams, and write each as it ends."""
    keys = tokens[:-2] * len(words) + tokens[1:-1]
    positions = np.argsort(keys, kind="stable")
    keys = keys[positions]
    rng = np.random.default_rng(arguments.seed)
    before = np.full(STREAMS, BEGIN)
    last = np.full(STREAMS, BEGIN)
    sentences: list[list[str]] = [[] for _ in range(STREAMS)]
    written = 0
    with replace_text(arguments.output) as stream:
        while written < arguments.words:
            key = before * len(words) + last
            first = np.searchsorted(keys, key, side="left")
            end = np.searchsorted(keys, key, side="right")
            drawn = first + (rng.random(STREAMS) * (end - first)).astype(np.int64)
            following = tokens[positions[drawn] + 2]
            ended = following == BEGIN
            before = np.where(ended, BEGIN, last)
            last = following
            for index, word in enumerate(following.tolist()):
                if word != BEGIN:
                    sentences[index].append(words[word])
                elif sentences[index]:
                    stream.write(" ".join(sentences[index]) + "\n")
                    written += len(sentences[index])
                    sentences[index] = []


if __name__ == "__main__":
    main()
