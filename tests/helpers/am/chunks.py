"""Chunks of training made by hand, for tests of networks and criteria."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recognizer.am.training.criteria.criterion import ChunkTargets
from recognizer.am.training.criteria.cross_entropy import IGNORED
from recognizer.am.training.criteria.targets import FrameLabels
from recognizer.am.training.data.batching import Chunk


def labelled_chunk(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], *, fresh: bool = True
) -> Chunk:
    """Features ``[T, N, D]`` with labels ``[T, N]``, `IGNORED` where there are none.

    What follows the last label of a stream is padding.
    """
    mask = labels != IGNORED
    pieces = [
        FrameLabels(labels[mask[:, n], n]) if mask[:, n].any() else None
        for n in range(labels.shape[1])
    ]
    lengths = (np.arange(1, len(labels) + 1)[:, None] * mask).max(0)
    flags = np.full(labels.shape[1], fresh)
    targets = ChunkTargets(pieces, mask, flags, flags)
    return Chunk(features, lengths, flags, mask.sum(0), targets, 0)
