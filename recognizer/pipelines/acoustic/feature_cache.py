"""Features of a corpus at several speeds: computed once and mapped from files, or each time.

Files are shards of some hundred utterances, so that a corpus larger than memory can be written
and trained on shard by shard. What training gets are functions that read or compute the features
of one utterance when it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count, islice
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from rich.progress import track

from recognizer.am.features.fbank import FbankOptions, fbank
from recognizer.data.augmentation.speed import speed_perturb
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.io.console import console
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays
from recognizer.data.parallel.processes import process_map

HalfArray = npt.NDArray[np.float16]

UTTERANCES_PER_SHARD = 500

_KIND, _VERSION = "features", 1
_OPEN_SHARDS = 16


class FeatureRows(Protocol):
    """The features of one utterance, to be had as often as wanted."""

    @property
    def shard(self) -> int:
        """Utterances that lie together have the same number."""

    def __call__(self) -> HalfArray:
        """``[T, D]``."""

    def __len__(self) -> int:
        """T, or nearly so: computing may find a frame more or less."""


@dataclass(frozen=True)
class MappedRows:
    """Rows of a file of features; only its name and numbers go to other processes."""

    path: Path
    shard: int
    begin: int
    end: int

    def __call__(self) -> HalfArray:
        """A copy, so that the file can be let go of."""
        return np.array(_open_shard(self.path)[self.begin : self.end])

    def __len__(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True)
class ComputedRows:
    """Features that are computed from the recording each time."""

    utterance: Utterance
    options: FbankOptions
    speed: float
    shard: int

    def __call__(self) -> HalfArray:
        """Read, perturb, analyse."""
        return _features(self.utterance, self.options, self.speed)

    def __len__(self) -> int:
        return self.options.num_frames(round(len(self.utterance.samples()) / self.speed))


@dataclass(frozen=True)
class FeatureFile:
    """The features of one corpus at one speed, in files ``NAME@SPEED-SHARD.features``.

    Half precision keeps a log energy to 0.01, far below its noise, in half the memory.

    Attributes:
        path: what the files' names begin with.
    """

    path: Path

    @classmethod
    def of(cls, name: str, speed: float, directory: Path) -> FeatureFile:
        """That of a corpus at a speed in a directory of such files."""
        return cls(directory / f"{name}@{speed:g}")

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
    """The features of one corpus at one speed, computed whenever they are asked for."""

    utterances: Sequence[Utterance]
    options: FbankOptions
    speed: float

    def load(self) -> Mapping[str, FeatureRows]:
        """By utterance."""
        return {
            utterance.id: ComputedRows(
                utterance, self.options, self.speed, index // UTTERANCES_PER_SHARD
            )
            for index, utterance in enumerate(self.utterances)
        }


FeatureTable = FeatureFile | ComputedFeatures
"""The features of one corpus at one speed."""


def cache_features(
    name: str,
    utterances: Sequence[Utterance],
    options: FbankOptions,
    speeds: Sequence[float],
    directory: Path,
    *,
    jobs: int = 1,
) -> None:
    """Compute log mel energies of a corpus at each speed; files that exist are kept.

    Args:
        name: of the files, see `FeatureFile`.
        utterances: whose audio is read.
        options: options of the filter bank.
        speeds: factors of `recognizer.data.augmentation.speed.speed_perturb`; 1.0 is the recording
            itself.
        directory: where the files are written.
        jobs: processes.
    """
    shards = [
        utterances[begin : begin + UTTERANCES_PER_SHARD]
        for begin in range(0, len(utterances), UTTERANCES_PER_SHARD)
    ]
    for speed in speeds:
        file = FeatureFile.of(name, speed, directory)
        missing = [n for n in range(len(shards)) if not file.shard(n).exists()]
        wanted = [utterance for number in missing for utterance in shards[number]]
        compute = partial(_features, options=options, speed=speed)
        computed = iter(
            track(
                process_map(compute, wanted, jobs, name),
                f"features of {name} at speed {speed:g}",
                total=len(wanted),
                console=console,
                disable=not wanted,
            )
        )
        for number in missing:
            matrices = list(islice(computed, len(shards[number])))
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
        next(computed, None)  # ends the bar


@lru_cache(maxsize=_OPEN_SHARDS)
def _open_shard(path: Path) -> npt.NDArray[np.float16]:
    """The features of a file; only some files are mapped at a time."""
    return open_arrays(path, kind=_KIND, version=_VERSION)["features"]


def _features(utterance: Utterance, options: FbankOptions, speed: float) -> HalfArray:
    return fbank(speed_perturb(utterance.samples(), speed), options).astype(np.float16)
