"""Plots of how trainings went, from the logs that they keep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from recognizer.data.errors import SpeechError
from recognizer.data.io.figures import picture

_NAMES = {
    "frames": "frames",
    "seconds": "seconds of training",
    "accuracy": "frame accuracy",
    "cross_entropy": "cross-entropy (nats a frame)",
    "mmi": "LF-MMI objective (nats an output)",
}

_HELD_OUT = "held_out_"


def read_curve(directory: str | Path) -> list[dict[str, Any]]:
    """The measurements of a training, as `recognizer.am.training.engine.log` writes them.

    Args:
        directory: of the training; ``training.jsonl`` lies in it.

    Raises:
        SpeechError: there is none, or a line of it is damaged.
    """
    path = Path(directory) / "training.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SpeechError(
            f"{path}: expected the log of a training: {error.strerror or error}"
        ) from None
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            entries.append({name: float(value) for name, value in entry.items()})
        except (ValueError, TypeError, AttributeError):
            raise SpeechError(f"{path}:{number}: expected numbers by name as JSON") from None
    return entries


def plot_curves(
    runs: Mapping[str, Sequence[Mapping[str, float]]],
    output: str | Path,
    *,
    over: Literal["frames", "seconds"] = "frames",
) -> None:
    """Draw what the criterion of trainings measured, held-out (solid) and training (dashed).

    Args:
        runs: measurements by what the legend calls them, see `read_curve`.
        output: file to write; its ending is one of `recognizer.data.io.figures.PICTURES`.
        over: the horizontal axis.

    Raises:
        UsageError: another ending.
        SpeechError: matplotlib is not installed, or a log lacks what that of the first has.
    """
    first, logs = next(iter(runs.items()))
    names = list(logs[0]) if logs else []
    measures = [name.removeprefix(_HELD_OUT) for name in names if name.startswith(_HELD_OUT)]
    if not measures:
        raise SpeechError(f"{first}: expected held-out measurements in its log, found none")
    with picture(output, 5.5 * len(measures), 4.5) as figure:
        panels = figure.subplots(1, len(measures), squeeze=False)[0]
        # The mean loss, which comes first in a log, is drawn last.
        for axes, name in zip(panels, reversed(measures), strict=True):
            for index, (run, entries) in enumerate(runs.items()):
                for part, style in ((_HELD_OUT, "-"), ("training_", "--")):
                    key = f"{part}{name}"
                    # A network that training starts from is measured before it is trained on.
                    used = [e for e in entries if part == _HELD_OUT or key in e]
                    try:
                        points = [(entry[over], entry[key]) for entry in used]
                    except KeyError as error:
                        raise SpeechError(
                            f"{run}: expected {error} in every line of its log"
                        ) from None
                    axes.plot(
                        [x for x, _ in points], [y for _, y in points], style,
                        color=f"C{index}", linewidth=1.2,
                        label=run if part == _HELD_OUT else None,
                    )  # fmt: skip
            axes.set_xlabel(_NAMES[over])
            axes.set_ylabel(_NAMES.get(name, name.replace("_", " ")))
            axes.grid(alpha=0.3)
        panels[0].legend(title="held-out (dashed: training)")
