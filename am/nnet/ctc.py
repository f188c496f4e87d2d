"""Paths through the outputs of a network that was trained with CTC, and its best one.

Graves, Fernández, Gomez and Schmidhuber, "Connectionist Temporal Classification: Labelling
Unsegmented Sequence Data with Recurrent Neural Networks", ICML 2006, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import UsageError

PRUNED = -1e4
"""Score of an output that is not considered: finite, and beyond every beam."""

BLANK = 0
"""Output that stands for no token."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CtcPruning:
    """Which outputs the search considers in a frame: the likeliest ones.

    Amodei et al. 2015, "Deep Speech 2", section 7.3 (beam search): of thousands of characters only
    a few are worth looking at.

    Attributes:
        share: the fewest whose probabilities add up to at least this (the paper: 0.99).
        most: but no more than so many (the paper: 40).
    """

    share: float = 0.99
    most: int = 40

    def __post_init__(self) -> None:
        if isinstance(self.share, bool) or not 0 < self.share <= 1:
            raise UsageError(f"share: expected a number above 0, at most 1, found {self.share!r}")
        if isinstance(self.most, bool) or not isinstance(self.most, int) or self.most < 1:
            raise UsageError(f"most: expected an integer >= 1, found {self.most!r}")

    def prune(self, log_posteriors: npt.NDArray[np.float32]) -> None:
        """Give the other outputs of each frame the score `PRUNED`, in place.

        Args:
            log_posteriors: ``[T, S]``, natural log.
        """
        most = min(self.most, log_posteriors.shape[1])
        best = np.argpartition(-log_posteriors, most - 1, axis=1)[:, :most]
        scores = np.take_along_axis(log_posteriors, best, 1)
        order = np.argsort(-scores, axis=1, kind="stable")
        best = np.take_along_axis(best, order, 1)
        scores = np.take_along_axis(scores, order, 1)
        shares = np.exp(scores, dtype=np.float64)
        # Of the likelier ones together: where that is enough, an output is not needed.
        enough = np.cumsum(shares, axis=1) - shares >= self.share
        log_posteriors[:] = PRUNED
        np.put_along_axis(log_posteriors, best, np.where(enough, PRUNED, scores), 1)


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
