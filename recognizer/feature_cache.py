"""Features of a corpus at several speeds, computed once and kept in files for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from am.features import FbankOptions, fbank
from data.augment import speed_perturb
from data.corpus import Utterance
from data.errors import SpeechError
from recognizer.console import console
from recognizer.processes import process_map

HalfArray = npt.NDArray[np.float16]


@dataclass(frozen=True)
class FeatureFile:
    """The features of one corpus at one speed: `file[utterance_id]` is float16 ``[T, D]``.

    Half precision keeps a log energy to 0.01, far below its noise, in half the memory.
    """

    path: Path

    @classmethod
    def of(cls, name: str, speed: float, directory: Path) -> FeatureFile:
        """The file of a corpus at a speed in a directory of such files."""
        return cls(directory / f"{name}@{speed:g}.safetensors")

    def load(self) -> dict[str, HalfArray]:
        """All features, by utterance.

        Raises:
            SpeechError: the file is missing or damaged.
        """
        try:
            with safe_open(self.path, framework="numpy") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise SpeechError(f"{self.path}: expected a whole feature file: {error}") from None


def cache_features(
    name: str,
    utterances: Sequence[Utterance],
    options: FbankOptions,
    speeds: Sequence[float],
    directory: Path,
    *,
    jobs: int = 1,
) -> dict[float, FeatureFile]:
    """Compute log mel energies of a corpus at each speed; files that exist are kept.

    Args:
        name: of the files.
        utterances: whose audio is read.
        options: options of the filter bank.
        speeds: factors of `data.augment.speed_perturb`; 1.0 is the recording itself.
        directory: where ``NAME@SPEED.safetensors`` are written.
        jobs: processes.
    """
    files: dict[float, FeatureFile] = {}
    for speed in speeds:
        files[speed] = FeatureFile.of(name, speed, directory)
        path = files[speed].path
        if path.exists():
            continue
        compute = partial(_features, options=options, speed=speed)
        tensors = dict(
            zip(
                (utterance.id for utterance in utterances),
                track(
                    process_map(compute, utterances, jobs, name),
                    f"features of {name} at speed {speed:g}",
                    total=len(utterances),
                    console=console,
                ),
                strict=True,
            )
        )
        temporary = path.with_name(path.name + ".tmp")
        save_file(tensors, temporary, metadata={"speed": f"{speed:g}"})
        temporary.replace(path)
    return files


def _features(utterance: Utterance, options: FbankOptions, speed: float) -> HalfArray:
    return fbank(speed_perturb(utterance.samples(), speed), options).astype(np.float16)
