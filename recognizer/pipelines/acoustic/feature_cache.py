"""Features of a corpus in several versions: computed once and mapped from files, or each time.

Files are shards of some hundred utterances, so that a corpus larger than memory can be written
and trained on shard by shard. What training gets are functions that read or compute the features
of one utterance when it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from recognizer.am.features.fbank import FbankOptions, fbank
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.augmentation.augment import WaveformAugmenter, augment, copy_rng
from recognizer.data.augmentation.speed import speed_perturb
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import UsageError
from recognizer.data.io.console import progress_bar
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays
from recognizer.data.parallel.processes import process_map
from recognizer.pipelines.acoustic.versions import Version

HalfArray = npt.NDArray[np.float16]

UTTERANCES_PER_SHARD = 500

_KIND, _VERSION = "features", 1
_OPEN_SHARDS = 16


class FeatureRows(Protocol):
    """The features of one utterance, to be had as often as wanted."""

    @property
    def shard(self) -> int:
        """Utterances that lie together have the same number."""

    def __call__(self, epoch: int = 0) -> HalfArray:
        """``[T, D]``; what is computed is augmented anew in each epoch."""

    def __len__(self) -> int:
        """T, or nearly so: computing may find a frame more or less."""


@dataclass(frozen=True)
class MappedRows:
    """Rows of a file of features; only its name and numbers go to other processes."""

    path: Path
    shard: int
    begin: int
    end: int

    def __call__(self, epoch: int = 0) -> HalfArray:
        """A copy, the same in each epoch, so that the file can be let go of."""
        return np.array(_open_shard(self.path)[self.begin : self.end])

    def __len__(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True)
class FeatureComputer:
    """Computes the features of versions; small, so that it can be sent to other processes.

    Attributes:
        corpus: name of the set, which tells utterances of the same id apart.
        options: of the filter bank.
        version: of the recordings.
        augmenter: makes augmented copies; None where the version is none.
    """

    corpus: str
    options: FbankOptions
    version: Version
    augmenter: WaveformAugmenter | None = None

    def __call__(self, utterance: Utterance, epoch: int = 0) -> HalfArray:
        """``[T, D]``: read the audio, change it, analyse it."""
        samples, speed = utterance.samples(), self.version.speed
        if not self.version.copy:
            samples = speed_perturb(samples, speed)
        else:
            if self.augmenter is None:
                raise UsageError(f"version {self.version}: expected an augmenter, found none")
            seed = self.augmenter.options.seed
            rng = copy_rng(seed, f"{self.corpus}/{utterance.id}", self.version.copy, epoch)
            samples, _ = augment(samples, self.augmenter, rng, speed)
        return fbank(samples, self.options).astype(np.float16)


@dataclass(frozen=True)
class ComputedRows:
    """Features that are computed from the recording each time."""

    utterance: Utterance
    computer: FeatureComputer
    shard: int

    def __call__(self, epoch: int = 0) -> HalfArray:
        """See `FeatureComputer`."""
        return self.computer(self.utterance, epoch)

    def __len__(self) -> int:
        samples = round(self.utterance.duration * SAMPLE_RATE)
        return self.computer.options.num_frames(round(samples / self.computer.version.speed))


@dataclass(frozen=True)
class FeatureFile:
    """One version of the features of a corpus, in files ``NAME@VERSION-SHARD.features``.

    Half precision keeps a log energy to 0.01, far below its noise, in half the memory.

    Attributes:
        path: what the files' names begin with.
    """

    path: Path

    @classmethod
    def of(cls, name: str, version: Version, directory: Path) -> FeatureFile:
        """That of a version of a corpus in a directory of such files."""
        return cls(directory / f"{name}@{version}")

    def __str__(self) -> str:
        return str(self.path)

    def shard(self, number: int) -> Path:
        """One of the files."""
        return self.path.with_name(f"{self.path.name}-{number:05d}.features")

    def load(self) -> dict[str, FeatureRows]:
        """By utterance. Only names and places are read.

        Raises:
            SpeechError: a file is damaged.
        """
        rows: dict[str, FeatureRows] = {}
        for number in count():
            path = self.shard(number)
            if not path.exists():
                return rows
            file = open_arrays(path, kind=_KIND, version=_VERSION)
            names = file["utterances"].tobytes().decode().split("\n")
            ends = np.cumsum(file["frames"]).tolist()
            for name, begin, end in zip(names, [0, *ends[:-1]], ends, strict=True):
                rows[name] = MappedRows(path, number, begin, end)
        return rows


@dataclass(frozen=True)
class ComputedFeatures:
    """One version of the features of a corpus, computed whenever they are asked for."""

    utterances: Sequence[Utterance]
    computer: FeatureComputer

    def load(self) -> Mapping[str, FeatureRows]:
        """By utterance."""
        return {
            utterance.id: ComputedRows(utterance, self.computer, index // UTTERANCES_PER_SHARD)
            for index, utterance in enumerate(self.utterances)
        }


FeatureTable = FeatureFile | ComputedFeatures
"""One version of the features of a corpus."""


def cache_features(
    computer: FeatureComputer, utterances: Sequence[Utterance], directory: Path, *, jobs: int = 1
) -> None:
    """Compute one version of a corpus's log mel energies; files that exist are kept.

    Args:
        computer: which version of which corpus.
        utterances: whose audio is read.
        directory: where the files are written, see `FeatureFile`.
        jobs: processes.
    """
    shards = [
        utterances[begin : begin + UTTERANCES_PER_SHARD]
        for begin in range(0, len(utterances), UTTERANCES_PER_SHARD)
    ]
    name, version = computer.corpus, computer.version
    file = FeatureFile.of(name, version, directory)
    missing = [n for n in range(len(shards)) if not file.shard(n).exists()]
    wanted = [utterance for number in missing for utterance in shards[number]]
    label = f"features of {name}, {_in_words(version)}"
    with progress_bar(label, len(wanted)) as advance:
        computed = process_map(computer, wanted, jobs, name)
        for number in missing:
            matrices = []
            for matrix in islice(computed, len(shards[number])):
                matrices.append(matrix)
                advance()
            names = "\n".join(utterance.id for utterance in shards[number])
            write_arrays(
                file.shard(number),
                {
                    "features": np.concatenate(matrices),
                    "frames": np.array([len(matrix) for matrix in matrices], dtype=np.int64),
                    "utterances": np.frombuffer(names.encode(), dtype=np.uint8),
                },
                kind=_KIND,
                version=_VERSION,
            )
        next(computed, None)  # ends its processes


def _in_words(version: Version) -> str:
    return (f"copy {version.copy} " if version.copy else "") + f"at speed {version.speed:g}"


@lru_cache(maxsize=_OPEN_SHARDS)
def _open_shard(path: Path) -> npt.NDArray[np.float16]:
    """The features of a file; only some files are mapped at a time."""
    return open_arrays(path, kind=_KIND, version=_VERSION)["features"]
