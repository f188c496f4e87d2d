"""What is trained on: utterances with features and targets, checked in one pass.

Features may be arrays, or functions that read or compute them each time they are asked for, so
that a corpus need not fit into memory. Targets are always in memory: frame labels take 4 bytes a
frame.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sized
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.training.criteria.criterion import Criterion
from recognizer.am.training.criteria.targets import FrameLabels, Target
from recognizer.am.training.data.sources import Features, FeatureSource, read_features
from recognizer.am.training.data.statistics import FeatureStatistics
from recognizer.data.errors import SpeechError


@dataclass(frozen=True)
class TrainingUtterance:
    """Features and target of one utterance.

    Attributes:
        id: name; it decides whether the utterance is held out.
        features: of each input frame.
        target: what the network's outputs are compared with: frame labels, tokens or a graph.
        alternatives: further versions (features, target) of the same utterance, for instance with
            other speeds. Each epoch one version is drawn; held-out utterances use the first.
        shard: utterances whose features lie together on the disk have the same number.
    """

    id: str
    features: FeatureSource
    target: Target
    alternatives: tuple[tuple[FeatureSource, Target], ...] = ()
    shard: int = 0

    @property
    def versions(self) -> tuple[tuple[FeatureSource, Target], ...]:
        """All versions, the original first."""
        return ((self.features, self.target), *self.alternatives)

    def load(self, version: int = 0, subsampling: int = 1) -> tuple[Features, Target]:
        """Features and target of a version that `CheckedData.of` has passed, equally long.

        Args:
            version: number of the version.
            subsampling: input frames from one output of the network to the next.
        """
        source, target = self.versions[version]
        return cut_features(read_features(source), target, subsampling), target


@dataclass(frozen=True)
class CheckedData:
    """Utterances that are fit for training, and what was counted on the way.

    Attributes:
        training: to be trained on.
        held_out: never trained on.
        frames: input frames of the first versions of all training utterances.
        mean: of their features ``[D]`` float32.
        inv_std: inverse standard deviation ``[D]`` float32, see `FeatureStatistics`.
        label_counts: how many of these frames have each label ``[S]``; zeros where targets are no
            frame labels.
        trimmed: versions cut to the shorter of features and target.
        dropped: one line for each dropped utterance or version, with the reason.
    """

    training: tuple[TrainingUtterance, ...]
    held_out: tuple[TrainingUtterance, ...]
    frames: int
    mean: npt.NDArray[np.float32]
    inv_std: npt.NDArray[np.float32]
    label_counts: npt.NDArray[np.int64]
    trimmed: int
    dropped: tuple[str, ...]

    @classmethod
    def of(
        cls,
        utterances: Iterable[TrainingUtterance],
        *,
        criterion: Criterion,
        input_dim: int,
        outputs: int,
        tolerance: int,
        subsampling: int = 1,
        held_out_fraction: float = 0.0,
        held_out: Iterable[TrainingUtterance] = (),
        mean_window: int = 0,
        mean_prior: int = 0,
    ) -> CheckedData:
        """Check every version, cut small differences of length, drop the others, count.

        Args:
            utterances: to be split into training and held-out ones.
            criterion: says which targets are wanted and fit.
            input_dim: D, features of a frame.
            outputs: S, labels are below it.
            tolerance: features and target of a version may differ by so many input frames; only
                frame labels may be the longer of the two.
            subsampling: input frames from one output of the network to the next; targets count
                outputs.
            held_out_fraction: share of the utterances that is held out.
            held_out: further ones that are held out.
            mean_window: of the network's running mean.
            mean_prior: of it, see `recognizer.am.nnet.options.NetworkShape`.

        Raises:
            SpeechError: nothing is left to train on or held out, or two have the same id.
        """
        statistics = FeatureStatistics(input_dim, mean_window, mean_prior)
        check = _Check(criterion, input_dim, outputs, tolerance, subsampling, statistics)
        training: list[TrainingUtterance] = []
        apart: list[TrainingUtterance] = []
        for utterance in utterances:
            is_apart = is_held_out(utterance.id, held_out_fraction)
            if (kept := check.utterance(utterance, counted=not is_apart)) is not None:
                (apart if is_apart else training).append(kept)
        for utterance in held_out:
            if (kept := check.utterance(utterance, counted=False)) is not None:
                apart.append(kept)
        if not training or not apart:
            first = f"; the first dropped: {check.dropped[0]}" if check.dropped else ""
            raise SpeechError(
                "training data: expected utterances to train on and held-out ones (the option "
                f"held_out_fraction), found {len(training)} and {len(apart)}{first}"
            )
        return cls(
            tuple(training), tuple(apart), statistics.frames, statistics.mean, statistics.inv_std,
            check.label_counts, check.trimmed, tuple(check.dropped),
        )  # fmt: skip

    def part(self, index: int, parts: int) -> CheckedData:
        """The share of one of several workers, with the counts of the whole."""
        return dataclasses.replace(self, training=self.training[index::parts], held_out=())


class _Check:
    """Passes over utterances one by one."""

    def __init__(
        self,
        criterion: Criterion,
        input_dim: int,
        outputs: int,
        tolerance: int,
        subsampling: int,
        statistics: FeatureStatistics,
    ) -> None:
        self._criterion = criterion
        self._input_dim, self._outputs, self._tolerance = input_dim, outputs, tolerance
        self._subsampling = subsampling
        self._statistics = statistics
        self._seen: set[str] = set()
        self.label_counts = np.zeros(outputs, dtype=np.int64)
        self.trimmed = 0
        self.dropped: list[str] = []

    def utterance(self, utterance: TrainingUtterance, *, counted: bool) -> TrainingUtterance | None:
        """The utterance with its usable versions, or None; ``counted`` in the statistics."""
        if utterance.id in self._seen:
            raise SpeechError(f"utterance {utterance.id}: expected unique ids, found it twice")
        self._seen.add(utterance.id)
        versions: list[tuple[FeatureSource, Target]] = []
        for source, target in utterance.versions:
            features: Features | Sized
            if versions and callable(source) and isinstance(source, Sized):
                features = source
            else:
                features = read_features(source)
            if fault := self._fault(features, target):
                self.dropped.append(f"{utterance.id}: {fault}")
                continue
            frames = self._output_frames(features)
            self.trimmed += target.output_frames not in (None, frames)
            if isinstance(target, FrameLabels):
                target = target.cut(0, frames)
            if counted and not versions and isinstance(features, np.ndarray):
                self._count(cut_features(features, target, self._subsampling), target)
            versions.append((source, target))
        if not versions:
            return None
        (source, target), *others = versions
        return dataclasses.replace(
            utterance, features=source, target=target, alternatives=tuple(others)
        )

    def _fault(self, features: Features | Sized, target: Target) -> str:
        wanted, found = self._criterion.target, type(target)
        if found is not wanted:
            return f"expected a target of kind {wanted.__name__}, found {found.__name__}"
        given = features if isinstance(features, np.ndarray) else None
        if given is not None and (given.ndim != 2 or given.shape[1] != self._input_dim):
            return f"expected features [T, {self._input_dim}], found {list(given.shape)}"
        frames, spanned = self._output_frames(features), target.output_frames
        if frames == 0 or spanned == 0:
            return "empty"
        if spanned is not None:
            excess = (frames - spanned) * self._subsampling
            labelled = isinstance(target, FrameLabels)
            if excess > self._tolerance or excess < (-self._tolerance if labelled else 0):
                what = f"{spanned} labels" if labelled else f"a graph of {spanned}"
                if self._subsampling == 1:
                    return f"{frames} frames of features, {what}"
                return f"{len(features)} frames of features make {frames} outputs, {what}"
            frames = min(frames, spanned)
        if fault := self._criterion.fault(target, frames, self._outputs):
            return fault
        if given is not None and not np.isfinite(given).all():
            return "features are not finite"
        return ""

    def _output_frames(self, features: Sized) -> int:
        return -(-len(features) // self._subsampling)

    def _count(self, features: Features, target: Target) -> None:
        self._statistics.add(features)
        if isinstance(target, FrameLabels):
            self.label_counts += np.bincount(target.labels, minlength=self._outputs)


def is_held_out(utterance_id: str, fraction: float) -> bool:
    """Whether an utterance belongs to the held-out part: a hash of its id decides, nothing else."""
    digest = hashlib.sha256(utterance_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


def cut_features(features: Features, target: Target, subsampling: int) -> Features:
    """The frames that the target is about."""
    frames = target.output_frames
    return features if frames is None else features[: frames * subsampling]
