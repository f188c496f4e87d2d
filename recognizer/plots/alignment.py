"""An alignment of words and phones below the spectrogram of the recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.am.features.fbank import FbankOptions, fbank
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.figures import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OPTIONS = FbankOptions(num_bins=80, frame_shift_ms=5.0)
"""Finer than features of a network: for the eye."""

_INCHES_A_SECOND = 2.5
_WIDEST = 200.0


def plot_alignment(
    samples: Samples,
    alignment: Alignment,
    output: str | Path,
    *,
    start: float = 0.0,
    end: float | None = None,
) -> None:
    """Draw a log mel spectrogram with the words and phones that are spoken in it.

    Args:
        samples: 16 kHz mono float32 ``[N]``.
        alignment: times count from the first sample.
        output: picture to write, see `recognizer.data.io.figures.PICTURES`.
        start: seconds at which the picture begins.
        end: seconds at which it ends; None is the end of the recording.

    Raises:
        UsageError: times outside of the recording, or another ending of the name.
        SpeechError: an alignment without words and phones, or matplotlib is missing.
    """
    duration = len(samples) / SAMPLE_RATE
    end = duration if end is None else min(end, duration)
    if not 0 <= start < end:
        raise UsageError(f"expected a part of the {duration:g} s, found {start:g} to {end:g} s")
    tiers = [(name, alignment.tier(name)) for name in ("words", "phones")]
    tiers = [(name, segments) for name, segments in tiers if segments]
    if not tiers:
        raise SpeechError(f"utterance {alignment.utterance}: expected words or phones, found none")
    features = fbank(samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)], _OPTIONS)
    width = min(max(6.0, _INCHES_A_SECOND * (end - start)), _WIDEST)
    with picture(output, width, 3.0 + 0.4 * len(tiers)) as figure:
        spectrogram, *strips = figure.subplots(
            1 + len(tiers), 1, sharex=True, height_ratios=[8, *(1 for _ in tiers)]
        )
        spectrogram.imshow(
            features.T, origin="lower", aspect="auto", cmap="magma",
            extent=(start, end, 0, _OPTIONS.num_bins),
        )  # fmt: skip
        spectrogram.set_ylabel("mel bin")
        spectrogram.set_title(alignment.utterance, fontsize="medium")
        for segment in tiers[0][1]:
            for time in (segment.start, segment.end):
                spectrogram.axvline(time, color="white", linewidth=0.6, alpha=0.7)
        for axes, (name, segments) in zip(strips, tiers, strict=True):
            _strip(axes, name, segments, start, end)
        strips[-1].set_xlabel("seconds")
        strips[-1].set_xlim(start, end)


def _strip(axes: Axes, name: str, segments: Sequence[Segment], start: float, end: float) -> None:
    """A row of boxes with labels."""
    axes.set_ylabel(name, rotation=0, ha="right", va="center")
    axes.set_yticks([])
    for segment in segments:
        if segment.end <= start or segment.start >= end:
            continue
        axes.axvspan(segment.start, segment.end, facecolor="0.93", edgecolor="0.3", linewidth=0.6)
        middle = (max(segment.start, start) + min(segment.end, end)) / 2
        axes.text(middle, 0.5, segment.label, ha="center", va="center", fontsize="small")
    axes.set_ylim(0, 1)
