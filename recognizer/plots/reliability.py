"""The reliability diagram of words' confidences."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from recognizer.data.errors import SpeechError
from recognizer.data.io.figures import picture
from recognizer.data.io.files import read_lines
from recognizer.evaluation.confidence import ReliabilityBin, expected_calibration_error

_LABEL_WIDTH = 50


def read_reliability(directory: str | Path) -> tuple[ReliabilityBin, ...]:
    """The bins in the ``result.json`` of ``recognizer evaluate --out``.

    Raises:
        SpeechError: there is none, or it is damaged.
    """
    path = Path(directory) / "result.json"
    try:
        bins = json.loads("\n".join(read_lines(path)))["confidence"]["bins"]
        return tuple(ReliabilityBin(**one) for one in bins)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SpeechError(
            f"{path}: expected a result of recognizer evaluate with bins of confidences"
        ) from None


def plot_reliability(results: Mapping[str, Sequence[ReliabilityBin]], output: str | Path) -> None:
    """Draw the accuracy of words against their mean confidence, bin by bin, and their number.

    On the diagonal confidences are true; below it words are less often right than they claim.

    Args:
        results: bins of each result, by what the legend calls it.
        output: picture to write, see `recognizer.data.io.figures.PICTURES`.

    Raises:
        UsageError: another ending of the name.
        SpeechError: a result without words, or matplotlib is missing.
    """
    for name, bins in results.items():
        if not sum(one.words for one in bins):
            raise SpeechError(f"{name}: expected words with confidences, found none")
    with picture(output, 5.5, 6.5) as figure:
        diagram, histogram = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        diagram.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="_true")
        for index, (name, bins) in enumerate(results.items()):
            filled = [one for one in bins if one.words]
            error = expected_calibration_error(bins)
            diagram.plot(
                [one.confidence for one in filled],
                [one.accuracy for one in filled],
                marker="o",
                color=f"C{index}",
                # A name may be a long path.
                label=textwrap.fill(f"{name}: calibration error {error:.3f}", _LABEL_WIDTH),
            )
            # Bins of several results stand beside each other.
            widths = [(one.high - one.low) / len(results) for one in bins]
            histogram.bar(
                [one.low + index * width for one, width in zip(bins, widths, strict=True)],
                [one.words for one in bins],
                width=widths,
                align="edge",
                color=f"C{index}",
                edgecolor="white",
            )
        diagram.set_ylabel("share of words that are right")
        diagram.set_ylim(-0.02, 1.02)
        diagram.grid(alpha=0.3)
        diagram.legend(loc="upper left").set_in_layout(False)
        histogram.set_ylabel("words")
        histogram.set_xlabel("confidence")
        histogram.set_xlim(-0.02, 1.02)
