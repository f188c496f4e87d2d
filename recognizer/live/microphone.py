"""A microphone, by way of PortAudio and the package sounddevice."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError

_LOOK_SECONDS = 0.1
"""How long an end that was asked for may go unnoticed."""

_MOST_WAITING = 60.0
"""Seconds of speech that may wait to be recognised."""


class Microphone:
    """Samples of a microphone, as they are spoken.

    Args:
        stopped: asked ten times a second whether to end. What was said before is still given.
        device: name, a part of it, or number; None: the system's default.
        sample_rate: samples per second; None: the device's own.
        channels: of the device, which are mixed.

    Raises:
        SpeechError: sounddevice or PortAudio is not installed, there is no such device, or it
            cannot be opened.
    """

    def __init__(
        self,
        stopped: Callable[[], bool],
        device: str | None = None,
        sample_rate: int | None = None,
        channels: int = 1,
    ) -> None:
        self._stopped = stopped
        self._sounddevice = _sounddevice()
        self._device = int(device) if device is not None and device.isdecimal() else device
        try:
            found = self._sounddevice.query_devices(self._device, "input")
        except (ValueError, self._sounddevice.PortAudioError) as error:
            raise SpeechError(self._missing(error)) from None
        self.name = str(found["name"])
        self._sample_rate = sample_rate or round(found["default_samplerate"])
        self._channels = channels
        self._waiting: queue.SimpleQueue[npt.NDArray[np.float32]] = queue.SimpleQueue()
        self._seconds = 0.0
        self._behind = False

    def pieces(self) -> Iterator[tuple[npt.NDArray[np.float32], int]]:
        """Samples ``[n, channels]`` in [-1, 1] and their rate, until it is stopped.

        Raises:
            SpeechError: the microphone cannot be opened or is gone, or recognition falls a minute
                behind the speaker.
        """
        sounddevice = self._sounddevice
        try:
            with sounddevice.InputStream(
                samplerate=self._sample_rate,
                device=self._device,
                channels=self._channels,
                dtype="float32",
                callback=self._arrived,
            ) as stream:
                while not self._stopped():
                    try:
                        samples = self._waiting.get(timeout=_LOOK_SECONDS)
                    except queue.Empty:
                        if not stream.active:
                            raise SpeechError(f"{self.name}: the microphone has stopped") from None
                        continue
                    self._seconds -= len(samples) / self._sample_rate
                    yield samples, self._sample_rate
                    if self._behind:
                        raise SpeechError(
                            f"{self.name}: recognition is {_MOST_WAITING:g} s behind the speaker: "
                            "expected a faster machine"
                        )
        except sounddevice.PortAudioError as error:
            raise SpeechError(f"{self.name}: {_line(error)}") from None
        while not self._waiting.empty():  # what was said before the end was asked for
            yield self._waiting.get(), self._sample_rate

    def _arrived(
        self, samples: npt.NDArray[np.float32], frames: int, time: Any, status: Any
    ) -> None:
        """Called by PortAudio's own thread."""
        if self._seconds > _MOST_WAITING:
            self._behind = True
            return
        self._seconds += len(samples) / self._sample_rate
        self._waiting.put(samples.copy())

    def _missing(self, error: Exception) -> str:
        """What is said of a device that is not there."""
        devices = self._sounddevice.query_devices()
        names = [str(one["name"]) for one in devices if one["max_input_channels"] > 0]
        if not names:
            return "microphone: expected one, found no device that records"
        wanted = "a default" if self._device is None else repr(self._device)
        return f"microphone: expected {wanted} ({_line(error)}), found {', '.join(names)}"


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise SpeechError(
            "a microphone needs sounddevice: pip install 'recognizer[microphone]'"
        ) from None
    except OSError as error:  # the package is there, the library is not
        raise SpeechError(
            f"a microphone needs PortAudio (Debian, Ubuntu: apt install libportaudio2): {error}"
        ) from None
    return sounddevice


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
