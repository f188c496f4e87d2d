"""Utterances as parallel streams of chunks: what truncated BPTT trains on.

N utterances run beside each other. Each chunk takes the next T frames of each; when an utterance
has ended, its stream draws the next one, which begins at the next chunk with a fresh state. The
streams refill independently, and what remains of a chunk after the end of an utterance is padding
without loss (Sak, Senior and Beaufays 2014, section 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from data.errors import SpeechError

IGNORED = -1
"""Label of frames without loss."""

Features = npt.NDArray[Any]
Labels = npt.NDArray[np.int32]
Augment = Callable[[npt.NDArray[np.float32], np.random.Generator], npt.NDArray[np.float32]]
"""``(features [T, D] float32, rng) -> features [T, D]``; must not change its argument in place."""


@dataclass(frozen=True)
class TrainingUtterance:
    """Features and frame labels of one utterance.

    Attributes:
        id: name; it decides whether the utterance is held out.
        features: ``[T, D]`` float32 or float16, not normalised.
        labels: pdf-id of each frame ``[T]`` int32.
        alternatives: further versions (features, labels) of the same utterance, for instance with
            other speeds. Each epoch one version is drawn; held-out utterances use the first.
    """

    id: str
    features: Features
    labels: Labels
    alternatives: tuple[tuple[Features, Labels], ...] = ()

    @property
    def versions(self) -> tuple[tuple[Features, Labels], ...]:
        """All versions, the original first."""
        return ((self.features, self.labels), *self.alternatives)


@dataclass(frozen=True)
class Prepared:
    """Utterances whose versions have features and labels of equal length.

    Attributes:
        utterances: those that are usable.
        trimmed: versions cut to the shorter of features and labels.
        dropped: one line for each dropped utterance or version, with the reason.
    """

    utterances: tuple[TrainingUtterance, ...]
    trimmed: int
    dropped: tuple[str, ...]


def prepare(
    utterances: Sequence[TrainingUtterance], input_dim: int, outputs: int, tolerance: int
) -> Prepared:
    """Check every version, cut small differences of length, drop the others.

    Raises:
        SpeechError: no usable utterance is left, or two have the same id.
    """
    usable: list[TrainingUtterance] = []
    dropped: list[str] = []
    trimmed = 0
    seen: set[str] = set()
    for utterance in utterances:
        if utterance.id in seen:
            raise SpeechError(f"utterance {utterance.id}: expected unique ids, found it twice")
        seen.add(utterance.id)
        versions = []
        for features, labels in utterance.versions:
            reason = _fault(features, labels, input_dim, outputs, tolerance)
            if reason:
                dropped.append(f"{utterance.id}: {reason}")
                continue
            frames = min(len(features), len(labels))
            trimmed += len(features) != len(labels)
            versions.append((features[:frames], labels[:frames]))
        if versions:
            (features, labels), *others = versions
            usable.append(TrainingUtterance(utterance.id, features, labels, tuple(others)))
    if not usable:
        found = f"; the first: {dropped[0]}" if dropped else ""
        raise SpeechError(f"training data: expected usable utterances, found none{found}")
    return Prepared(tuple(usable), trimmed, tuple(dropped))


def _fault(features: Features, labels: Labels, input_dim: int, outputs: int, tolerance: int) -> str:
    if features.ndim != 2 or features.shape[1] != input_dim:
        return f"expected features [T, {input_dim}], found {list(features.shape)}"
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        return f"expected integer labels [T], found {labels.dtype} {list(labels.shape)}"
    if min(len(features), len(labels)) == 0:
        return "empty"
    if abs(len(features) - len(labels)) > tolerance:
        return f"{len(features)} frames of features, {len(labels)} labels"
    if labels.min() < 0 or labels.max() >= outputs:
        return f"expected labels 0 to {outputs - 1}, found {labels.min()} to {labels.max()}"
    if not np.isfinite(features).all():
        return "features are not finite"
    return ""


def is_held_out(utterance_id: str, fraction: float) -> bool:
    """Whether an utterance belongs to the held-out part: a hash of its id decides, nothing else."""
    digest = hashlib.sha256(utterance_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


def feature_statistics(
    utterances: Sequence[TrainingUtterance],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and inverse standard deviation of the features over all frames ``[D]``, ``[D]``."""
    total = np.zeros(utterances[0].features.shape[1], dtype=np.float64)
    squares = np.zeros_like(total)
    frames = 0
    for utterance in utterances:
        x = utterance.features.astype(np.float64)
        total += x.sum(0)
        squares += np.einsum("td,td->d", x, x)
        frames += len(x)
    mean = total / frames
    variance = np.maximum(squares / frames - mean**2, 1e-10)
    return mean.astype(np.float32), (1.0 / np.sqrt(variance)).astype(np.float32)


@dataclass(frozen=True)
class Chunk:
    """T frames of N streams.

    Attributes:
        features: ``[T, N, D]`` float32.
        labels: pdf-ids ``[T, N]`` int64, delayed; `IGNORED` where there is no loss.
        fresh: ``[N]``, streams whose utterance begins with this chunk: their state is zero before
            it.
        epoch: epoch of the utterance drawn last.
    """

    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    fresh: npt.NDArray[np.bool_]
    epoch: int


@dataclass
class _Stream:
    """Where one stream stands; ``index`` -1 once the utterances have run out."""

    epoch: int = 0
    index: int = -1
    position: int = 0
    features: npt.NDArray[Any] | None = None
    labels: npt.NDArray[Any] | None = None


class StreamBatcher:
    """Iterator over chunks of N parallel utterances, for a number of epochs.

    All that is random (order of an epoch, version, augmentation) follows from the seed, the epoch
    and the utterance, so the place reached is a few integers: `state` and `restore`.

    Args:
        utterances: as `prepare` returns them.
        streams: N.
        chunk: T.
        delay: output delay: the label of frame t is expected at t + delay; the first ``delay``
            frames of an utterance carry no loss, and its last frame is fed ``delay`` more times.
        epochs: passes; streams take utterances of the next epoch without waiting for others.
        seed: of everything random.
        shuffle: without it, utterances come in order and only their first versions.
        augment: applied to an utterance when it is drawn.
    """

    def __init__(
        self,
        utterances: Sequence[TrainingUtterance],
        *,
        streams: int,
        chunk: int,
        delay: int,
        epochs: int = 1,
        seed: int = 0,
        shuffle: bool = True,
        augment: Augment | None = None,
    ) -> None:
        self._utterances = utterances
        self._chunk = chunk
        self._delay = delay
        self._epochs = epochs
        self._seed = seed
        self._shuffle = shuffle
        self._augment = augment
        self._dim = utterances[0].features.shape[1]
        self._streams = [_Stream() for _ in range(streams)]
        self._epoch = 0
        self._drawn = 0
        self._order = self._epoch_order(0)

    def state(self) -> dict[str, Any]:
        """Place reached, as numbers that JSON can hold."""
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
        places = state["streams"]
        if len(places) != len(self._streams):
            raise SpeechError(
                f"checkpoint: expected {len(self._streams)} streams, found {len(places)}"
            )
        if max(index for _, index, _ in places) >= len(self._utterances):
            raise SpeechError("checkpoint: it was made with other training utterances")
        self._epoch, self._drawn = state["epoch"], state["drawn"]
        self._order = self._epoch_order(self._epoch)
        for stream, (epoch, index, position) in zip(self._streams, places, strict=True):
            if index < 0:
                stream.index, stream.features, stream.labels = -1, None, None
            else:
                self._load(stream, epoch, index)
                stream.position = position

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        """Next chunk; ends when the utterances of all epochs are used up."""
        T, N = self._chunk, len(self._streams)
        features = np.zeros((T, N, self._dim), dtype=np.float32)
        labels = np.full((T, N), IGNORED, dtype=np.int64)
        fresh = np.zeros(N, dtype=np.bool_)
        alive = False
        for n, stream in enumerate(self._streams):
            if stream.features is None and not self._draw(stream):
                continue
            alive = True
            assert stream.features is not None and stream.labels is not None
            frames = len(stream.features)
            begin = stream.position
            fresh[n] = begin == 0
            end = min(begin + T, frames + self._delay)
            real = min(end, frames) - begin
            if real > 0:
                features[:real, n] = stream.features[begin : begin + real]
            features[max(real, 0) : end - begin, n] = stream.features[-1]
            skip = max(self._delay - begin, 0)
            if begin + skip < end:
                labels[skip : end - begin, n] = stream.labels[
                    begin + skip - self._delay : end - self._delay
                ]
            if end == frames + self._delay:
                stream.index, stream.features, stream.labels = -1, None, None
            stream.position = end
        if not alive:
            raise StopIteration
        return Chunk(features, labels, fresh, self._epoch)

    def _epoch_order(self, epoch: int) -> npt.NDArray[np.int64]:
        count = len(self._utterances)
        if not self._shuffle:
            return np.arange(count)
        return np.random.default_rng([self._seed, epoch]).permutation(count)

    def _draw(self, stream: _Stream) -> bool:
        if self._drawn == len(self._order):
            if self._epoch + 1 >= self._epochs:
                return False
            self._epoch += 1
            self._drawn = 0
            self._order = self._epoch_order(self._epoch)
        index = int(self._order[self._drawn])
        self._drawn += 1
        self._load(stream, self._epoch, index)
        return True

    def _load(self, stream: _Stream, epoch: int, index: int) -> None:
        versions = self._utterances[index].versions
        rng = np.random.default_rng([self._seed, epoch, index])
        version = int(rng.integers(len(versions))) if self._shuffle else 0
        features, labels = versions[version]
        if self._augment is not None:
            features = self._augment(features.astype(np.float32), rng)
        stream.epoch, stream.index, stream.position = epoch, index, 0
        stream.features, stream.labels = features, labels
