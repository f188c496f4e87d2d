"""Utterances as parallel streams of chunks: what truncated BPTT trains on.

N utterances run beside each other. Each chunk takes the next T frames of each; when an utterance
has ended, its stream draws the next one, which begins at the next chunk with a fresh state. The
streams refill independently, and what remains of a chunk after the end of an utterance is padding
without loss (Sak, Senior and Beaufays 2014, section 3). Networks and criteria that need the whole
utterance get whole utterances: a chunk is as long as the longest of its N.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.am.training.criteria.criterion import ChunkTargets
from recognizer.am.training.criteria.targets import Target, TokenSequence
from recognizer.am.training.data.checked_data import (
    TrainingUtterance,
    cut_features,
)
from recognizer.am.training.data.orders import epoch_by_length, epoch_in_buckets, epoch_order
from recognizer.am.training.data.sources import (
    Features,
    FeatureSource,
    read_draw,
    read_features,
)
from recognizer.data.errors import SpeechError
from recognizer.data.parallel.processes import prefetch_map

Augment = Callable[[npt.NDArray[np.float32], np.random.Generator], npt.NDArray[np.float32]]
"""``(features [T, D] float32, rng) -> features [T, D]``; must not change its argument in place."""


@dataclass(frozen=True)
class Chunk:
    """T frames of N streams.

    A network whose outputs are n frames apart makes T / n output rows of them.

    Attributes:
        features: of the input frames ``[T, N, D]`` float32.
        lengths: input frames of each stream before its padding ``[N]`` int64, with those that the
            output delay adds.
        fresh: streams whose utterance begins with this chunk ``[N]``: the network's state is zero
            before it.
        spanned: input frames of each stream's utterance that its output rows in this chunk are
            about ``[N]`` int64.
        targets: what the output rows are compared with.
        epoch: epoch of the utterance drawn last.
    """

    features: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.int64]
    fresh: npt.NDArray[np.bool_]
    spanned: npt.NDArray[np.int64]
    targets: ChunkTargets
    epoch: int

    @classmethod
    def empty(
        cls, frames: int, streams: int, dim: int, epoch: int, *, subsampling: int = 1
    ) -> Chunk:
        """Padding only."""
        fresh, begins, ends = np.zeros((3, streams), dtype=np.bool_)
        mask = np.zeros((frames // subsampling, streams), dtype=np.bool_)
        lengths, spanned = np.zeros((2, streams), dtype=np.int64)
        return cls(
            np.zeros((frames, streams, dim), dtype=np.float32),
            lengths,
            fresh,
            spanned,
            ChunkTargets([None] * streams, mask, begins, ends),
            epoch,
        )

    @property
    def frames(self) -> int:
        """Input frames of utterances whose output rows are in this chunk."""
        return int(self.spanned.sum())


@dataclass
class _Stream:
    """Where one stream stands; ``features`` None between utterances.

    ``position`` and the lengths count input frames, in multiples of the subsampling n.
    """

    delay: int
    subsampling: int
    epoch: int = 0
    index: int = -1
    position: int = 0
    features: npt.NDArray[Any] | None = None
    target: Target | None = None

    @property
    def length(self) -> int:
        """Input frames of the utterance with those that fill its last output and the delay."""
        assert self.features is not None
        return round_up(len(self.features), self.subsampling) + self.delay

    def fill(self, chunk: Chunk, n: int) -> None:
        """Move on by a chunk, whose stream n gets what comes next; the rest of it is padding."""
        assert self.features is not None and self.target is not None
        features, targets = chunk.features[:, n], chunk.targets
        frames, begin = len(self.features), self.position
        end = min(begin + len(features), self.length)
        real = min(end, frames) - begin
        if real > 0:
            features[:real] = self.features[begin : begin + real]
        features[max(real, 0) : end - begin] = self.features[-1]
        chunk.lengths[n] = end - begin
        chunk.fresh[n] = begin == 0
        step = self.subsampling
        first, last = max(begin - self.delay, 0), end - self.delay  # what the rows are about
        if first < last:
            targets.mask[(first + self.delay - begin) // step : (end - begin) // step, n] = True
            targets.pieces[n] = self.target.cut(first // step, last // step)
            targets.begins[n] = first == 0
            targets.ends[n] = end == self.length
            chunk.spanned[n] = min(last, frames) - first
        self.position = end
        if end == self.length:
            self.clear()

    def clear(self) -> None:
        """No utterance, and nothing that a resumed run would not know of the one before."""
        self.epoch, self.index, self.position = 0, -1, 0
        self.features = self.target = None


class StreamBatcher:
    """Iterator over chunks of N parallel utterances, for a number of epochs.

    All that is random (order of an epoch, version, augmentation) follows from the seed, the epoch
    and the utterance, so the position reached is a few integers: `state` and `restore`.

    Args:
        utterances: that have passed `recognizer.am.training.data.checked_data.CheckedData`.
        streams: N.
        chunk: T, a multiple of the subsampling; None makes chunks of whole utterances.
        delay: output delay d, a multiple of the subsampling: the output about frame t comes when
            frame t + d does; outputs before carry no loss, and an utterance's last frame is fed d
            more times.
        epochs: passes; streams take utterances of the next epoch without waiting for others.
        seed: of everything random.
        shuffle: without it, utterances come in order and only their first versions.
        augment: applied to an utterance when it is drawn.
        shards_at_once: see `recognizer.am.training.data.orders.epoch_order`.
        processes: that read or compute features before they are needed; 0: that is done when an
            utterance is drawn.
        sorted_epochs: the first so many passes take utterances by length, see
            `recognizer.am.training.data.orders.epoch_by_length`.
        length_buckets: the others take them from so many, see
            `recognizer.am.training.data.orders.epoch_in_buckets`; 0 for an order of all.
        subsampling: n, input frames from one output to the next. Shuffled utterances then begin
            with their frame 0 to n - 1, which is drawn: the shifted copies of Peddinti et al. 2018
            ("Low latency acoustic modeling using temporal convolution and LSTMs").
    """

    def __init__(
        self,
        utterances: Sequence[TrainingUtterance],
        *,
        streams: int,
        chunk: int | None,
        delay: int,
        epochs: int = 1,
        seed: int = 0,
        shuffle: bool = True,
        augment: Augment | None = None,
        shards_at_once: int = 0,
        processes: int = 0,
        sorted_epochs: int = 0,
        length_buckets: int = 0,
        subsampling: int = 1,
    ) -> None:
        if delay % subsampling or (chunk or 0) % subsampling:
            raise ValueError(f"chunk {chunk}, delay {delay}: expected multiples of {subsampling}")
        self._utterances = utterances
        self._chunk = chunk
        self._subsampling = subsampling
        self._epochs = epochs
        self._seed = seed
        self._shuffle = shuffle
        self._augment = augment
        self._shards_at_once = shards_at_once
        self._processes = processes
        self._sorted_epochs = sorted_epochs
        self._length_buckets = length_buckets
        self._prefetched: Generator[Features, None, None] | None = None
        self._streams = [_Stream(delay, subsampling) for _ in range(streams)]
        self._epoch = 0
        self._drawn = 0
        self._order = self._epoch_order(0)

    def state(self) -> dict[str, Any]:
        """The position reached, as numbers that JSON can hold."""
        return {
            "epoch": self._epoch,
            "drawn": self._drawn,
            "streams": [[s.epoch, s.index, s.position] for s in self._streams],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state` of a batcher with the same arguments.

        Raises:
            SpeechError: the state is of another number of streams or utterances.
        """
        positions = state["streams"]
        if len(positions) != len(self._streams):
            raise SpeechError(
                f"checkpoint: expected {len(self._streams)} streams, found {len(positions)}"
            )
        if max(index for _, index, _ in positions) >= len(self._utterances):
            raise SpeechError("checkpoint: it was made with other training utterances")
        self.close()
        self._epoch, self._drawn = state["epoch"], state["drawn"]
        self._order = self._epoch_order(self._epoch)
        for stream, (epoch, index, position) in zip(self._streams, positions, strict=True):
            if index < 0:
                stream.clear()
            else:
                self._load(stream, epoch, index)
                stream.position = position

    def close(self) -> None:
        """End the processes; should more chunks be wanted after all, new ones are started."""
        if self._prefetched is not None:
            self._prefetched.close()
            self._prefetched = None

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        """Next chunk; ends when the utterances of all epochs are used up."""
        active = [
            (n, stream)
            for n, stream in enumerate(self._streams)
            if stream.features is not None or self._draw(stream)
        ]
        if not active:
            raise StopIteration
        frames = self._chunk or max(stream.length for _, stream in active)
        some = active[0][1].features
        assert some is not None
        chunk = Chunk.empty(
            frames, len(self._streams), some.shape[1], self._epoch, subsampling=self._subsampling
        )
        for n, stream in active:
            stream.fill(chunk, n)
        return chunk

    def _epoch_order(self, epoch: int) -> npt.NDArray[np.int64]:
        if not self._shuffle:
            return np.arange(len(self._utterances))
        if epoch < self._sorted_epochs:
            return epoch_by_length(self._utterances)
        if self._length_buckets:
            streams = len(self._streams)
            return epoch_in_buckets(
                self._utterances, self._seed, epoch, self._length_buckets, streams
            )
        return epoch_order(self._utterances, self._seed, epoch, self._shards_at_once)

    def _draw(self, stream: _Stream) -> bool:
        while self._drawn == len(self._order):
            if self._epoch + 1 >= self._epochs:
                return False
            self._epoch += 1
            self._drawn = 0
            self._order = self._epoch_order(self._epoch)
        if self._processes and self._prefetched is None:
            self._prefetched = prefetch_map(
                read_draw,
                self._from(self._epoch, self._drawn),
                self._processes,
                "features to train on",
            )
        index = int(self._order[self._drawn])
        self._drawn += 1
        features = None
        if self._prefetched is not None:
            features = next(self._prefetched, None)
            assert features is not None  # as many are made as are drawn
        self._load(stream, self._epoch, index, features)
        return True

    def _from(self, epoch: int, drawn: int) -> Iterator[tuple[FeatureSource, int]]:
        """The features of all draws from one on, each with its epoch."""
        while epoch < self._epochs:
            for index in self._epoch_order(epoch)[drawn:].tolist():
                version, _ = self._version(epoch, index)
                yield self._utterances[index].versions[version][0], epoch
            epoch, drawn = epoch + 1, 0

    def _version(self, epoch: int, index: int) -> tuple[int, np.random.Generator]:
        """Which version of an utterance is drawn, and what else about it is random."""
        rng = np.random.default_rng([self._seed, epoch, index])
        alternatives = self._utterances[index].alternatives
        return int(rng.integers(1 + len(alternatives))) if self._shuffle else 0, rng

    def _load(
        self, stream: _Stream, epoch: int, index: int, features: Features | None = None
    ) -> None:
        utterance = self._utterances[index]
        version, rng = self._version(epoch, index)
        source, target = utterance.versions[version]
        if features is None:
            features = read_features(source, epoch)
        features = cut_features(features, target, self._subsampling)
        if self._chunk is not None and isinstance(target, TokenSequence):
            raise ValueError(f"{utterance.id}: a token sequence needs chunks of whole utterances")
        if self._augment is not None:
            features = self._augment(features.astype(np.float32), rng)
        shifts = min(self._subsampling, len(features)) if self._shuffle else 1
        if shift := int(rng.integers(shifts)):
            # Repeated at the end, so that there are as many outputs as before.
            features = np.concatenate((features[shift:], features[-1:].repeat(shift, 0)))
        stream.epoch, stream.index, stream.position = epoch, index, 0
        stream.features, stream.target = features, target


def round_up(number: int, multiple: int) -> int:
    """The least multiple that is not less than the number."""
    return -(-number // multiple) * multiple
