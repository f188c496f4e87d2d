"""Reverberation by room impulse responses, which are kept in one file."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.data.audio.reading import Samples
from recognizer.data.augmentation.filtering import convolve
from recognizer.data.augmentation.noise import mean_power
from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays

_KIND, _VERSION = "room-impulse-responses", 1


@dataclass(frozen=True, eq=False)
class RoomResponse:
    """What a microphone in a room hears of an impulse.

    Attributes:
        samples: float32 `[M]`, at 16 kHz.
        direct: the sample at which the direct sound arrives, in [0, M).
    """

    samples: npt.NDArray[np.float32]
    direct: int


def reverberate(samples: Samples, response: RoomResponse) -> Samples:
    """Speech as a distant microphone hears it.

    The direct sound keeps its time, so that labels keep theirs, and the recording its level, as
    with Kaldi's ``wav-reverberate --shift-output --normalize-output``. What still sounds when the
    recording ends is cut off.

    Args:
        samples: float32 `[N]`.
        response: of the room.

    Returns:
        float32 `[N]`, scaled down where it would otherwise leave [-1, 1].
    """
    heard = convolve(samples, response.samples, response.direct)
    power = mean_power(heard)
    if power == 0.0:
        return samples
    gain = np.sqrt(mean_power(samples) / power)
    loudest = max(1.0, float(np.abs(samples).max()))
    peak = float(np.abs(heard).max())
    heard *= np.float32(min(gain, loudest / peak))
    return heard


def write_responses(
    path: str | os.PathLike[str], responses: Sequence[RoomResponse], origin: object
) -> None:
    """Write responses whole or not at all.

    Args:
        path: the file.
        responses: at least one.
        origin: what they were made from, as plain values; stored beside them.
    """
    write_arrays(
        path,
        {
            "samples": np.concatenate([one.samples for one in responses]).astype(np.float32),
            "lengths": np.array([len(one.samples) for one in responses], np.int64),
            "direct": np.array([one.direct for one in responses], np.int64),
        },
        kind=_KIND,
        version=_VERSION,
        metadata={"origin": json.dumps(origin)},
    )


@functools.lru_cache(maxsize=4)
def read_responses(path: Path) -> tuple[RoomResponse, ...]:
    """The responses of a file of `write_responses`; their samples are mapped.

    Raises:
        SpeechError: the file is missing, or damaged.
    """
    file = open_arrays(path, kind=_KIND, version=_VERSION)
    file.verify()
    ends = np.cumsum(file["lengths"])
    if not len(ends) or ends[-1] != len(file["samples"]) or len(file["direct"]) != len(ends):
        raise SpeechError(f"{path}: expected the samples of {len(ends)} responses, found others")
    return tuple(
        RoomResponse(file["samples"][end - length : end], int(direct))
        for end, length, direct in zip(ends, file["lengths"], file["direct"], strict=True)
    )
