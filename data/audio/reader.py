"""Recordings of any length, read from front to back in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from recognizer.data.audio.conversion import (
    INT16_SCALE,
    ChannelEnergies,
    Samples,
    check_channel,
    check_finite,
    check_scale,
    mean_of_channels,
)
from recognizer.data.audio.limits import SAMPLE_RATE
from recognizer.data.audio.reading import open_sections
from recognizer.data.audio.resampling import Resampler
from recognizer.data.audio.section import Section
from recognizer.data.audio.source import Source, open_source
from recognizer.data.errors import SpeechError

if TYPE_CHECKING:
    from typing_extensions import Self


class AudioReader:
    """A recording whose 16 kHz mono samples are read in pieces, in bounded memory.

    The pieces, joined, are what `recognizer.data.audio.reading.read_audio` gives, bit for bit.
    Where the whole recording must be known before its first sample can be given, it is decoded
    twice: several channels of which none is chosen, to see whether they cancel each other; samples
    that are stored as floats, to see whether they are integers that nobody divided. As a context
    manager it closes the recording at the end of the block.

    Args:
        source: a path, "-" for standard input, or an open binary file.
        channel: which channel to take, counted from 1; None is the mean of the channels, or the
            loudest one where they cancel each other.

    Attributes:
        seconds: length of the recording; None where only decoding would tell it.
        read: seconds of the samples that have been given.

    Raises:
        SpeechError, UsageError: as `read_audio`, as far as the headers tell.
    """

    def __init__(self, source: Source, *, channel: int | None = None) -> None:
        self._channel = channel
        self._name, self._stream = open_source(source)
        try:
            self._sections = open_sections(self._name, self._stream)
            for section in self._sections:
                check_channel(self._name, channel, section.channels)
        except OSError as error:
            self._stream.close()
            raise _unreadable(self._name, error) from error
        except BaseException:
            self._stream.close()
            raise
        lengths = [section.seconds for section in self._sections]
        known = [length for length in lengths if length is not None]
        self.seconds = sum(known) if len(known) == len(lengths) else None
        self.read = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[Samples]:
        """The pieces `[n]`, n >= 0, from the recording's beginning.

        Raises:
            SpeechError: as `read_audio`, where the samples before have been given.
        """
        found = 0
        at = 0.0
        try:
            for section in self._sections:
                for piece in self._pieces(section, at):
                    found += len(piece)
                    self.read = found / SAMPLE_RATE
                    yield piece
                at += section.frames / section.rate if len(self._sections) > 1 else 0.0
        except OSError as error:
            raise _unreadable(self._name, error) from error
        if not found:
            raise SpeechError(f"{self._name}: expected audio, found no samples")

    def _pieces(self, section: Section, at: float) -> Iterator[Samples]:
        """The pieces of a section that begins at a time."""
        channel = 0 if section.channels == 1 else None
        if self._channel is not None:
            channel = self._channel - 1
        divisor = 1.0
        if channel is None:
            channel = self._instead_of_mean(section)
        if section.holds_floats:
            divisor = self._divisor(section, channel)
        resampler = Resampler(section.rate)
        position = 0
        for block in section.blocks():
            mono = _mono(block, channel)
            check_finite(self._name, mono, section.rate, at + position / section.rate)
            position += len(mono)
            if divisor == 1.0:
                check_scale(self._name, mono)
            else:
                mono = mono / np.float32(divisor)
            yield resampler.accept(mono)
        yield resampler.finish()

    def _instead_of_mean(self, section: Section) -> int | None:
        energies = ChannelEnergies(section.channels)
        for mono, block in self._readable(section, None):
            energies.add(block, mono)
        return energies.instead_of_mean()

    def _divisor(self, section: Section, channel: int | None) -> float:
        """What brings the samples to full scale 1."""
        peak, integers = 0.0, True
        for mono, _ in self._readable(section, channel):
            peak = max(peak, float(np.abs(mono).max(initial=0.0)))
            integers = integers and np.array_equal(mono, np.rint(mono))
        return INT16_SCALE if 1.0 < peak <= INT16_SCALE and integers else 1.0

    def _readable(self, section: Section, channel: int | None) -> Iterator[tuple[Samples, Samples]]:
        """Mono samples and blocks, up to where the section is damaged, which the pieces tell."""
        try:
            for block in section.blocks():
                yield _mono(block, channel), block
        except SpeechError:
            return


class SamplesReader:
    """16 kHz mono samples ``[N]`` in memory, as `AudioReader` gives those of a file."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self.seconds: float | None = len(samples) / SAMPLE_RATE
        self.read = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __iter__(self) -> Iterator[Samples]:
        """All of them as one piece."""
        self.read = len(self._samples) / SAMPLE_RATE
        yield self._samples


def first_seconds(
    reader: Iterable[Samples], seconds: float
) -> tuple[Iterator[Samples], Samples | None]:
    """The pieces of a recording, and all of its samples where it is no longer than some seconds.

    Args:
        reader: gives the pieces; they are read as far as it takes to see how long they are.
        seconds: the most samples that are put together.

    Raises:
        SpeechError: as the reader, within these seconds.
    """
    pieces = iter(reader)
    first: list[Samples] = []
    found = 0
    for piece in pieces:
        first.append(piece)
        found += len(piece)
        if found > seconds * SAMPLE_RATE:
            return chain(first, pieces), None
    return iter(first), np.concatenate(first)


def _mono(block: Samples, channel: int | None) -> Samples:
    return mean_of_channels(block) if channel is None else block[:, channel]


def _unreadable(name: str, error: OSError) -> SpeechError:
    return SpeechError(f"{name}: cannot be read: {error.strerror or error}")
