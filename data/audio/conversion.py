"""Samples of any rate, number of channels and type to 16 kHz mono float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer.data.audio.limits import (
    CANCELLATION,
    MAX_CHANNELS,
    MAX_PEAK,
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    SAMPLE_RATE,
)
from recognizer.data.audio.resampling import Resampler
from recognizer.data.audio.section import Block
from recognizer.data.errors import SpeechError, UsageError

Samples = NDArray[np.float32]
"""Mono samples `[N]`, of 16 kHz where nothing else is said."""

INT16_SCALE = 32768.0
"""Integers of 16 bits divided by this are in [-1, 1]."""


def as_audio(samples: Any, sample_rate: float = SAMPLE_RATE, channel: int | None = None) -> Samples:
    """Samples from elsewhere as 16 kHz mono float32, as `read_audio` would give them.

    Args:
        samples: `[N]`, `[N, channels]` or `[channels, N]` (the longer axis is time): a NumPy array,
            a torch tensor, or lists of numbers. Floats with full scale [-1, 1]; or integers of 16
            bits, of any type (also held in floats).
        sample_rate: samples per second.
        channel: which channel to take, counted from 1; None: see `mix`.

    Raises:
        UsageError: another type or shape, an impossible sample rate, no such channel.
        SpeechError: no samples, samples that are not numbers, or out of scale.
    """
    check_rate(sample_rate)
    array = _channels_last(as_floats(samples))
    mono = mix("samples", lambda: [array], array.shape[1], channel)
    return nonempty("samples", standard("samples", mono, sample_rate))


def check_rate(sample_rate: float) -> None:
    """Refuse an impossible sample rate with a `UsageError`."""
    if not isinstance(sample_rate, Real):
        raise UsageError(f"sample rate: {_rates()}, found {type(sample_rate).__name__}")
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise UsageError(f"sample rate: {_rates()}, found {sample_rate}")


def as_floats(samples: Any) -> NDArray[np.float32]:
    """Samples of any shape as floats; integers of 16 bits become [-1, 1].

    Raises:
        UsageError: not numbers, or integers of another scale.
    """
    array = _array(samples)
    if not np.issubdtype(array.dtype, np.floating):
        found = np.abs(array.astype(np.float64)).max(initial=0.0)
        if found > INT16_SCALE:
            raise UsageError(
                f"samples: expected integers of 16 bits, found {array.dtype} up to {found:.0f}; "
                "divide them by their full scale"
            )
        array = array / np.float32(INT16_SCALE)
    return array.astype(np.float32, copy=False)


def _array(samples: Any) -> NDArray[Any]:
    if hasattr(samples, "detach"):  # a torch tensor, with a gradient or on a GPU
        samples = samples.detach().cpu()
    try:
        array = np.asarray(samples)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"samples: expected an array of numbers, found {type(samples).__name__}: {error}"
        ) from None
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise UsageError(
            f"samples: expected floats in [-1, 1] or integers of 16 bits, found {array.dtype}"
        )
    if array.dtype.kind == "u":
        raise UsageError(
            f"samples: expected signed samples, found {array.dtype}, whose zero lies elsewhere"
        )
    return array


def _channels_last(array: NDArray[Any]) -> NDArray[Any]:
    """The samples as `[N, channels]`."""
    found = list(array.shape)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or (0 in array.shape and array.shape[1] != 1):
        raise UsageError(f"samples: expected [N], [N, channels] or [channels, N], found {found}")
    if 0 < array.shape[0] < array.shape[1]:
        array = array.T
    if array.shape[1] > MAX_CHANNELS:
        raise UsageError(f"samples: expected at most {MAX_CHANNELS} channels, found {found}")
    if array.shape[0] == array.shape[1] > 1:
        raise UsageError(f"samples: expected more samples than channels, found {found}")
    return array


def mix(
    name: str, blocks: Callable[[], Iterable[Block]], channels: int, channel: int | None
) -> Samples:
    """One channel of several, at the recording's own rate.

    The mean of the channels; but where they cancel each other (a pair in antiphase, see
    `CANCELLATION`), the one with the most energy. Means over time are no sound and do not count.

    Args:
        name: for messages.
        blocks: gives the samples `[n, channels]` from their beginning, each time it is called.
        channels: how many there are.
        channel: take this one, counted from 1.

    Raises:
        UsageError: no such channel.
    """
    check_channel(name, channel, channels)
    if channels == 1 or channel is not None:
        return _one_channel(blocks(), (channel or 1) - 1)
    mixed: list[Samples] = []
    energies = ChannelEnergies(channels)
    for block in blocks():
        mixed.append(mean_of_channels(block))
        energies.add(block, mixed[-1])
    loudest = energies.instead_of_mean()
    if loudest is not None:
        return _one_channel(blocks(), loudest)
    return np.concatenate(mixed) if mixed else np.zeros(0, np.float32)


class ChannelEnergies:
    """Energies of a recording's channels and of their mean, without the means over time.

    Args:
        channels: how many there are.
    """

    def __init__(self, channels: int) -> None:
        self._channels, self._count = channels, 0
        self._sums, self._squares = np.zeros(channels + 1), np.zeros(channels + 1)

    def add(self, block: Block, mean: Samples) -> None:
        """Count the next samples `[n, channels]` and their mean `[n]`."""
        with np.errstate(all="ignore"):  # not-a-number samples are refused later, by their time
            all_channels = np.column_stack([block, mean]).astype(np.float64)
            self._sums += all_channels.sum(axis=0)
            self._squares += np.square(all_channels).sum(axis=0)
        self._count += len(block)

    def instead_of_mean(self) -> int | None:
        """The loudest channel, counted from 0, where the channels cancel each other in their mean.

        None where they do not, see `CANCELLATION`.
        """
        with np.errstate(all="ignore"):
            energies = self._squares - np.square(self._sums) / max(self._count, 1)
            each, mean = energies[:-1], energies[-1]
            cancelled = mean < CANCELLATION / self._channels * each.mean()
        return int(np.argmax(each)) if cancelled else None


def mean_of_channels(block: Block) -> Samples:
    """The mean of the channels of a block `[n, channels]`, the same however blocks are cut."""
    # NumPy adds in an order that depends on how the block lies in memory.
    mean: Samples = np.ascontiguousarray(block).mean(axis=1, dtype=np.float32)
    return mean


def _one_channel(blocks: Iterable[Block], index: int) -> Samples:
    chosen = [block[:, index] for block in blocks]
    return np.concatenate(chosen) if chosen else np.zeros(0, np.float32)


def standard(name: str, mono: Samples, rate: float, at: float = 0.0) -> Samples:
    """Mono samples of any rate, checked, as 16 kHz samples in [-1, 1].

    Args:
        name: for messages.
        mono: `[N]`.
        rate: samples per second.
        at: seconds of the recording where they begin, for messages.

    Raises:
        SpeechError: samples that are not numbers, or out of scale.
    """
    check_finite(name, mono, rate, at)
    resampler = Resampler(rate)
    mono = _full_scale(name, mono)
    return np.concatenate([resampler.accept(mono), resampler.finish()])


def check_finite(name: str, mono: Samples, rate: float, at: float = 0.0) -> None:
    """Refuse samples that are not numbers with a `SpeechError`; arguments as of `standard`."""
    bad = np.flatnonzero(~np.isfinite(mono))
    if len(bad):
        raise SpeechError(
            f"{name}: expected finite samples, found {len(bad)} that are not numbers or infinite, "
            f"the first at {at + bad[0] / rate:.3f} s"
        )


def check_scale(name: str, mono: Samples) -> None:
    """Refuse samples far beyond full scale with a `SpeechError`."""
    peak = float(np.abs(mono).max(initial=0.0))
    if peak > MAX_PEAK:
        raise SpeechError(
            f"{name}: expected samples with full scale 1, found values up to {peak:g}; divide "
            "integers by their full scale"
        )


def nonempty(name: str, samples: Samples) -> Samples:
    """Refuse a recording, or a part of one, of which nothing is left at 16 kHz."""
    if not len(samples):
        raise SpeechError(f"{name}: expected audio, found no samples")
    return samples


def check_channel(name: str, channel: int | None, channels: int) -> None:
    """Refuse a channel that a recording does not have with a `UsageError`."""
    if channel is not None and not 1 <= channel <= channels:
        raise UsageError(f"{name}: expected a channel from 1 to {channels}, found {channel}")


def check_format(name: str, rate: int, channels: int) -> None:
    """Refuse what nobody records speech with: it comes from a damaged header."""
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise SpeechError(f"{name}: {_rates()}, found {rate}")
    if channels > MAX_CHANNELS:
        raise SpeechError(f"{name}: expected at most {MAX_CHANNELS} channels, found {channels}")


def _rates() -> str:
    return f"expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} samples per second"


def _full_scale(name: str, mono: Samples) -> Samples:
    """The samples, divided where they are integers of 16 bits that are held in floats."""
    peak = float(np.abs(mono).max(initial=0.0))
    if peak <= 1.0:
        return mono
    if peak <= INT16_SCALE and np.array_equal(mono, np.rint(mono)):
        scaled: Samples = mono / np.float32(INT16_SCALE)
        return scaled
    check_scale(name, mono)
    return mono
