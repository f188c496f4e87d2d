"""Paths through the outputs of a network that was trained with CTC, and its best one.

Graves, Fernández, Gomez and Schmidhuber, "Connectionist Temporal Classification: Labelling
Unsegmented Sequence Data with Recurrent Neural Networks", ICML 2006, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLANK = 0
"""Output that stands for no token."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GreedyTokens:
    """The tokens of the path that takes the likeliest output of every frame.

    Attributes:
        tokens: outputs other than the blank ``[U]`` int64.
        frames: the output frame at which each begins ``[U]`` int64.
        log_prob: of the path, natural log.
    """

    tokens: IntArray
    frames: IntArray
    log_prob: float


def greedy_tokens(log_posteriors: npt.NDArray[np.floating]) -> GreedyTokens:
    """Best path decoding (section 3.2 of the paper) of log posteriors ``[T, S]``."""
    path = log_posteriors.argmax(1)
    frames = _beginnings(path)
    log_prob = float(log_posteriors[np.arange(len(path)), path].sum(dtype=np.float64))
    return GreedyTokens(path[frames], frames, log_prob)


def collapse(path: IntArray) -> IntArray:
    """The tokens of a path ``[T]``: repeats are one, and blanks none."""
    tokens: IntArray = path[_beginnings(path)]
    return tokens


def _beginnings(path: IntArray) -> IntArray:
    """The frames at which a path comes to another output that is no blank."""
    return np.flatnonzero((np.diff(path, prepend=BLANK) != 0) & (path != BLANK))
