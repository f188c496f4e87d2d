"""Audio that arrives piece by piece, of any rate and number of channels, as 16 kHz mono float32."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from recognizer.data.audio.conversion import (
    Samples,
    as_floats,
    check_finite,
    check_rate,
    check_scale,
    mean_of_channels,
)
from recognizer.data.audio.limits import MAX_CHANNELS
from recognizer.data.audio.resampling import Resampler
from recognizer.data.errors import UsageError


class Piece(NamedTuple):
    """A piece of audio that was checked.

    Attributes:
        mono: ``[n]``, at its own rate.
        rate: samples per second.
        channels: of which it was made.
    """

    mono: Samples
    rate: float
    channels: int


class AudioStream:
    """Pieces of one recording as 16 kHz mono samples.

    What all calls give, joined, is what `recognizer.data.audio.reading.as_audio` gives of the whole
    recording, bit for bit and however it was cut, with two exceptions, which can be told of whole
    recordings only: integers of 16 bits that are held in floats are refused, and the channels'
    mean is taken even if they cancel each other.

    Args:
        channel: which channel to take, counted from 1; None is the mean of the channels.

    Raises:
        UsageError: a channel below 1.
    """

    def __init__(self, channel: int | None = None) -> None:
        if channel is not None and channel < 1:
            raise UsageError(f"channel: expected 1 or more, found {channel}")
        self._channel = channel
        self._resampler: Resampler | None = None
        self._rate = 0.0
        self._channels = 0
        self._taken = 0

    @property
    def seconds(self) -> float:
        """Seconds of audio taken so far."""
        return self._taken / self._rate if self._taken else 0.0

    def accept(self, samples: Any, sample_rate: float) -> Samples:
        """Take the next piece.

        Args:
            samples: ``[n]`` or ``[n, channels]``, n >= 0: a NumPy array, a torch tensor, or lists
                of numbers; floats with full scale [-1, 1], or integers of 16 bits of any type.
            sample_rate: samples per second; the same in all calls.

        Returns:
            The 16 kHz samples that are complete now, ``[m]``, m >= 0.

        Raises:
            UsageError: another type or shape, an impossible rate, no such channel, or another rate
                or number of channels than before.
            SpeechError: samples that are not numbers, or out of scale.
            After an error the stream stands as before.
        """
        return self.take(self.check(samples, sample_rate))

    def check(self, samples: Any, sample_rate: float) -> Piece:
        """A piece that `take` can take next; nothing is changed. Arguments and errors: `accept`."""
        check_rate(sample_rate)
        array = as_floats(samples)
        found = list(array.shape)
        channels = array.shape[1] if array.ndim == 2 else 1
        if array.ndim not in (1, 2) or not 1 <= channels <= MAX_CHANNELS:
            raise UsageError(
                f"samples: expected [n] or [n, channels] with 1 to {MAX_CHANNELS} channels, "
                f"found {found}"
            )
        if self._resampler is not None and (sample_rate, channels) != (self._rate, self._channels):
            raise UsageError(
                f"samples: expected {self._rate:g} samples per second and {self._channels} "
                f"channel(s) as before, found {sample_rate:g} and {channels}"
            )
        if self._channel is not None and self._channel > channels:
            raise UsageError(
                f"samples: expected a channel from 1 to {channels}, found {self._channel}"
            )
        block = array.reshape(len(array), channels)
        if self._channel is None and channels > 1:
            mono = mean_of_channels(block)
        else:
            mono = block[:, (self._channel or 1) - 1]
        check_finite("samples", mono, sample_rate, self.seconds)
        check_scale("samples", mono)
        return Piece(mono, sample_rate, channels)

    def take(self, piece: Piece) -> Samples:
        """Take a checked piece; returns what `accept` does."""
        if not len(piece.mono):
            return piece.mono
        if self._resampler is None:
            self._resampler = Resampler(piece.rate)
            self._rate, self._channels = piece.rate, piece.channels
        self._taken += len(piece.mono)
        return self._resampler.accept(piece.mono)

    def finish(self) -> Samples:
        """End the recording: the remaining samples."""
        return np.zeros(0, np.float32) if self._resampler is None else self._resampler.finish()
