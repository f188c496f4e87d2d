"""Neural language models of random weights, made without torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recognizer.lm.neural.word_file import WordNetworkFile
from recognizer.lm.neural.word_options import WordNetworkOptions
from recognizer.lm.ngram.model import END, UNKNOWN


def random_network(words: Sequence[str], seed: int = 1, core: str = "lstm") -> WordNetworkFile:
    """Small, with weights that make histories matter."""
    options = WordNetworkOptions(
        core=core,  # type: ignore[arg-type]
        width=6,
        units=8,
        cutoffs=(4,),
        slots=4,
        slot_width=3,
    )
    random = np.random.default_rng(seed)
    vocabulary = (END, UNKNOWN, *words)
    shapes = options.shapes(len(vocabulary))
    tensors = {
        name: random.uniform(-1.5, 1.5, shape).astype(np.float32)
        for name, shape in sorted(shapes.items())
    }
    return WordNetworkFile(options, vocabulary, tensors)
