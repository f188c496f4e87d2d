"""Room impulse responses simulated by pyroomacoustics, which is the extra `rooms`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.augmentation.reverberation import RoomResponse, write_responses
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.console import progress_bar
from recognizer.data.io.options import to_table
from recognizer.data.parallel.processes import process_map

_WALL_DISTANCE = 0.3  # metres that speaker and microphone keep from every wall
_IMAGES = 3  # order of the exact reflections; later ones are traced
_RAYS = 5000
_DECAY_DB = 60.0


@dataclass(frozen=True)
class RoomOptions:
    """Shoebox rooms with a speaker and a microphone, drawn at random from uniform distributions.

    Attributes:
        rooms: number of rooms, of which each gives one response.
        width: metres, of both horizontal sides.
        height: metres.
        reverberation_time: seconds in which the sound falls by 60 dB (T60, Sabine's formula).
        distance: metres from the speaker to the microphone; less in rooms too small for it.
        seed: of everything random.
    """

    rooms: int = 300
    width: tuple[float, float] = (2.5, 10.0)
    height: tuple[float, float] = (2.3, 4.0)
    reverberation_time: tuple[float, float] = (0.15, 0.8)
    distance: tuple[float, float] = (0.2, 4.0)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rooms < 1:
            raise UsageError(f"rooms: expected a number > 0, found {self.rooms}")
        if self.seed < 0:
            raise UsageError(f"seed: expected a number >= 0, found {self.seed}")
        for name, least in (
            ("width", 1.0), ("height", 1.0), ("reverberation_time", 0.05), ("distance", 0.01)
        ):  # fmt: skip
            value = getattr(self, name)
            if len(value) != 2 or not least <= value[0] <= value[1] < np.inf:
                raise UsageError(
                    f"{name}: expected two numbers, {least} <= low <= high, found {list(value)}"
                )


def simulate_rooms(path: Path, options: RoomOptions, *, jobs: int = 1) -> None:
    """Simulate rooms and write their responses to a file; the same options make the same file.

    The first reflections are computed by the image source method, the later ones by ray tracing:
    Scheibler, Bezzam, Dokmanic: Pyroomacoustics, ICASSP 2018.

    Args:
        path: see `recognizer.data.augmentation.reverberation.write_responses`.
        options: which rooms.
        jobs: processes.

    Raises:
        SpeechError: no pyroomacoustics.
    """
    import_pyroomacoustics()
    responses = process_map(partial(_response, options), range(options.rooms), jobs, "rooms")
    done = []
    with progress_bar("simulating rooms", options.rooms) as step:
        for response in responses:
            done.append(response)
            step()
    write_responses(path, done, to_table(options))


def _response(options: RoomOptions, number: int) -> RoomResponse:
    pyroomacoustics = import_pyroomacoustics()
    rng = np.random.default_rng([options.seed, number])
    seconds = rng.uniform(*options.reverberation_time)
    size = np.array(
        [rng.uniform(*options.width), rng.uniform(*options.width), rng.uniform(*options.height)]
    )
    # A room as large and as dry as this may not exist: its walls then absorb everything.
    volume = float(np.prod(size))
    surface = 2.0 * (size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    absorption = min(24.0 * np.log(10.0) / 343.0 * volume / (surface * seconds), 0.99)
    room = pyroomacoustics.ShoeBox(
        size,
        fs=SAMPLE_RATE,
        materials=pyroomacoustics.Material(absorption),
        max_order=_IMAGES,
        air_absorption=True,
        ray_tracing=True,
    )
    room.set_ray_tracing(n_rays=_RAYS)
    speaker, microphone = _positions(rng, size, rng.uniform(*options.distance))
    room.add_source(speaker)
    room.add_microphone(microphone)
    pyroomacoustics.seed(int(rng.integers(2**32)), int(rng.integers(2**32)))
    room.compute_rir()
    response = np.asarray(room.rir[0][0])
    arrival = np.linalg.norm(speaker - microphone) / room.c * SAMPLE_RATE
    # The fractional delays of pyroomacoustics put half of their filter before the arrival.
    direct = round(arrival) + pyroomacoustics.constants.get("frac_delay_length") // 2
    return RoomResponse(_audible(response).astype(np.float32), direct)


def _positions(rng: np.random.Generator, size: Any, distance: float) -> tuple[Any, Any]:
    """Speaker and microphone as far apart as wanted, or nearer in a room too small for that."""
    inner = size - 2.0 * _WALL_DISTANCE
    while True:
        speaker = _WALL_DISTANCE + inner * rng.uniform(size=3)
        direction = rng.normal(size=3)
        microphone = speaker + distance * direction / np.linalg.norm(direction)
        if (abs(microphone - size / 2.0) <= inner / 2.0).all():
            return speaker, microphone
        distance *= 0.99


def _audible(response: Any) -> Any:
    """The response up to where what remains is 60 dB below the whole."""
    remaining = np.cumsum(response[::-1] ** 2)[::-1]
    kept = int(np.count_nonzero(remaining > remaining[0] * 10.0 ** (-_DECAY_DB / 10.0)))
    return response[: max(kept, 1)]


def import_pyroomacoustics() -> Any:
    """The library that simulates rooms.

    Raises:
        SpeechError: it is not installed.
    """
    try:
        import pyroomacoustics
    except ImportError:
        raise SpeechError(
            "simulating rooms needs pyroomacoustics, which is not installed: "
            "pip install 'recognizer[rooms]'"
        ) from None
    return pyroomacoustics
