"""Simulated rooms: the asked reverberation, the direct sound where it is said to be, same bytes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognizer.data.augmentation.reverberation import read_responses, reverberate
from recognizer.data.augmentation.rooms import RoomOptions, simulate_rooms
from recognizer.data.errors import SpeechError, UsageError
from signals import delay, speech_like


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rooms": 0}, "rooms: expected a number > 0, found 0"),
        ({"seed": -1}, "seed: expected a number >= 0"),
        ({"width": (5.0, 3.0)}, r"width: expected two numbers, 1.0 <= low <= high, found \[5.0"),
        ({"height": (0.5, 3.0)}, "height: "),
        ({"reverberation_time": (0.0, 0.3)}, "reverberation_time: "),
        ({"distance": (1.0,)}, "distance: "),
        ({"distance": (1.0, float("nan"))}, "distance: "),
    ],
)
def test_impossible_rooms(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        RoomOptions(**changes)


def test_without_pyroomacoustics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(SpeechError, match=r"pip install 'recognizer\[rooms\]'"):
        simulate_rooms(tmp_path / "rooms", RoomOptions(rooms=1))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def simulator() -> None:
    pytest.importorskip("pyroomacoustics", reason="rooms need pyroomacoustics, the extra rooms")


@pytest.mark.usefixtures("simulator")
def test_the_same_options_make_the_same_file(tmp_path: Path) -> None:
    for name, rooms, seed in (("one", 3, 5), ("two", 3, 5), ("fewer", 2, 5), ("other", 3, 6)):
        simulate_rooms(tmp_path / name, RoomOptions(rooms=rooms, seed=seed))
    one = (tmp_path / "one").read_bytes()
    assert one == (tmp_path / "two").read_bytes()
    assert one != (tmp_path / "other").read_bytes()
    fewer = zip(read_responses(tmp_path / "fewer"), read_responses(tmp_path / "one"), strict=False)
    for first, second in fewer:  # a room does not depend on how many there are
        np.testing.assert_array_equal(first.samples, second.samples)


@pytest.mark.usefixtures("simulator")
def test_the_direct_sound_keeps_its_time(tmp_path: Path) -> None:
    near = RoomOptions(rooms=5, distance=(0.3, 1.0), reverberation_time=(0.15, 0.3))
    simulate_rooms(tmp_path / "rooms", near)
    for response in read_responses(tmp_path / "rooms"):
        assert abs(int(np.argmax(np.abs(response.samples))) - response.direct) <= 1
        assert abs(delay(speech_like(), reverberate(speech_like(), response))) <= 1


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("seconds", [0.2, 0.6])
def test_the_reverberation_time(tmp_path: Path, seconds: float) -> None:
    """Schroeder's integrated decay falls from -5 to -25 dB in a third of it."""
    options = RoomOptions(
        rooms=4, reverberation_time=(seconds, seconds), width=(4.0, 6.0), distance=(1.5, 1.5)
    )
    simulate_rooms(tmp_path / "rooms", options)
    times = []
    for response in read_responses(tmp_path / "rooms"):
        energy = np.cumsum(response.samples[::-1].astype(np.float64) ** 2)[::-1]
        decay = 10 * np.log10(energy / energy[0] + 1e-30)
        times.append(3 * (np.argmax(decay < -25) - np.argmax(decay < -5)) / 16000)
    assert np.mean(times) == pytest.approx(seconds, rel=0.35)


@pytest.mark.usefixtures("simulator")
def test_rooms_too_small_for_the_distance(tmp_path: Path) -> None:
    small = RoomOptions(rooms=2, width=(1.5, 1.5), height=(2.0, 2.0), distance=(9.0, 9.0))
    simulate_rooms(tmp_path / "rooms", small)
    assert all(one.direct < 1.4 / 343 * 16000 + 40 for one in read_responses(tmp_path / "rooms"))
