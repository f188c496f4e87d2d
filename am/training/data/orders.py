"""The order in which an epoch draws utterances: it follows from seed and epoch alone."""

from __future__ import annotations

from collections.abc import Sequence, Sized

import numpy as np
import numpy.typing as npt

from recognizer.am.training.data.checked_data import TrainingUtterance


def epoch_order(
    utterances: Sequence[TrainingUtterance], seed: int, epoch: int, shards_at_once: int = 0
) -> npt.NDArray[np.int64]:
    """Order in which an epoch draws utterances: it follows from seed and epoch alone.

    Args:
        utterances: to be drawn, each once.
        seed: of the run.
        epoch: from 0.
        shards_at_once: draw from so many shards, themselves in random order, before the next are
            begun, so that so many need be near; 0 shuffles over everything.
    """
    rng = np.random.default_rng([seed, epoch])
    if not shards_at_once:
        return rng.permutation(len(utterances))
    shard_of = np.array([utterance.shard for utterance in utterances])
    shards = rng.permutation(np.unique(shard_of))
    return np.concatenate(
        [
            rng.permutation(
                np.flatnonzero(np.isin(shard_of, shards[begin : begin + shards_at_once]))
            )
            for begin in range(0, len(shards), shards_at_once)
        ]
    )


def epoch_by_length(utterances: Sequence[TrainingUtterance]) -> npt.NDArray[np.int64]:
    """Order of an epoch that takes the shortest utterances first.

    SortaGrad, Amodei et al. 2015, section 3.3. Their lengths are the frames of their first
    versions, or, where a source of features does not say how many it has, those of the targets.
    """
    sources = [utterance.features for utterance in utterances]
    if all(isinstance(source, Sized) for source in sources):
        lengths = [len(source) for source in sources if isinstance(source, Sized)]
    else:
        lengths = [len(utterance.target) for utterance in utterances]
    return np.argsort(lengths, kind="stable")


def epoch_in_buckets(
    utterances: Sequence[TrainingUtterance], seed: int, epoch: int, buckets: int, streams: int
) -> npt.NDArray[np.int64]:
    """A random order in which so many utterances in a row are about equally long.

    Where chunks are whole utterances, all streams then draw at once, and little of a chunk is
    padding. What is left of each bucket comes last.

    Args:
        utterances: to be drawn, each once; their lengths are those of `epoch_by_length`.
        seed: of the run.
        epoch: from 0.
        buckets: as many utterances in each, the shortest in the first.
        streams: utterances of one bucket that come in a row.
    """
    rng = np.random.default_rng([seed, epoch])
    rows, rest = [], []
    for bucket in np.array_split(epoch_by_length(utterances), buckets):
        mixed = rng.permutation(bucket)
        whole = len(mixed) - len(mixed) % streams
        rows += [mixed[begin : begin + streams] for begin in range(0, whole, streams)]
        rest.append(mixed[whole:])
    return np.concatenate([*(rows[index] for index in rng.permutation(len(rows))), *rest])
