"""Pictures of how trainings went, from the logs that they keep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from recognizer.data.errors import SpeechError
from recognizer.data.io.figures import picture

_NAMES = {"frames": "frames", "seconds": "seconds of training"}


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
    """Draw frame accuracy and cross-entropy of trainings, held-out (solid) and training (dashed).

    Args:
        runs: measurements by what the legend calls them, see `read_curve`.
        output: picture to write; its ending is one of `recognizer.data.io.figures.PICTURES`.
        over: the horizontal axis.

    Raises:
        UsageError: another ending.
        SpeechError: matplotlib is not installed, or a log lacks something.
    """
    with picture(output, 11, 4.5) as figure:
        panels = figure.subplots(1, 2)
        for axes, (name, label) in zip(
            panels,
            (("accuracy", "frame accuracy"), ("cross_entropy", "cross-entropy (nats a frame)")),
            strict=True,
        ):
            for index, (run, entries) in enumerate(runs.items()):
                for part, style in (("held_out", "-"), ("training", "--")):
                    try:
                        points = [(entry[over], entry[f"{part}_{name}"]) for entry in entries]
                    except KeyError as error:
                        raise SpeechError(
                            f"{run}: expected {error} in every line of its log"
                        ) from None
                    axes.plot(
                        *zip(*points, strict=True), style, color=f"C{index}", linewidth=1.2,
                        label=run if part == "held_out" else None,
                    )  # fmt: skip
            axes.set_xlabel(_NAMES[over])
            axes.set_ylabel(label)
            axes.grid(alpha=0.3)
        panels[0].legend(title="held-out (dashed: training)")
