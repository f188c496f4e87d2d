"""Pictures of the experiment: learning curves, and a machine at work on the copy task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.data.io.figures import picture
from recognizer.experiments.ntm.run import SequenceResult
from recognizer.experiments.ntm.settings import MODELS, NAMES
from recognizer.experiments.ntm.tasks import TASKS
from recognizer.experiments.ntm.traces import CopyTrace


def plot_learning(results: Sequence[SequenceResult], optimum: float | None, output: Path) -> None:
    """Bits per sequence against thousands of training sequences, one panel for each task.

    Args:
        results: of all networks.
        optimum: bits of the optimal estimator of dynamic n-grams, drawn as a line there.
        output: the file.
    """
    tasks = [task for task in TASKS if any(result.run.task == task for result in results)]
    rows = -(-len(tasks) // 3)
    with picture(output, 4.0 * min(len(tasks), 3), 3.2 * rows) as figure:
        panels = figure.subplots(rows, min(len(tasks), 3), squeeze=False).flat
        for axes, task in zip(panels, tasks, strict=False):
            for result in results:
                if result.run.task == task:
                    thousands = np.arange(1, len(result.costs) + 1) * result.run.window / 1000
                    index = MODELS.index(result.run.model)
                    axes.plot(
                        thousands, result.costs, color=f"C{index}", linewidth=1.0,
                        label=NAMES[result.run.model],
                    )  # fmt: skip
            if task == "dynamic-ngrams" and optimum is not None:
                axes.axhline(optimum, color="0.4", linewidth=0.8, linestyle="--", label="optimum")
            else:
                axes.set_ylim(bottom=0.0)
            axes.set_title(task, fontsize="medium")
            axes.set_xlabel("training sequences, thousands")
            axes.set_ylabel("bits per sequence")
            axes.grid(alpha=0.3)
            axes.legend(fontsize="small")
        for axes in list(panels):
            axes.remove()


def plot_copy(trace: CopyTrace, output: Path) -> None:
    """Figure 6 of the paper: inputs and outputs, vectors added and read, weightings over time."""
    length = len(trace.targets)
    steps = len(trace.inputs)
    outputs = np.zeros((steps, trace.targets.shape[1]), np.float32)
    outputs[-length:] = trace.predicted
    columns = (
        ("inputs", trace.inputs, "outputs", outputs),
        ("added to memory", trace.added, "read from memory", trace.read),
        ("write weighting", _used(trace.write_weighting, trace), "read weighting",
         _used(trace.read_weighting, trace)),
    )  # fmt: skip
    with picture(output, 9.0, 7.5) as figure:
        panels = figure.subplots(3, 2)
        for row, (left, writing, right, reading) in zip(panels, columns, strict=True):
            for axes, name, values in ((row[0], left, writing), (row[1], right, reading)):
                axes.imshow(values.T, aspect="auto", interpolation="nearest", cmap="gray")
                axes.set_title(name, fontsize="medium")
                axes.set_xlabel("time step")
                axes.set_ylabel("slot" if "weighting" in name else "component")


def _used(weighting: npt.NDArray[np.float32], trace: CopyTrace) -> npt.NDArray[np.float32]:
    """The weights of the slots that either head visits, in one order for both."""
    most = np.maximum(trace.write_weighting.max(axis=0), trace.read_weighting.max(axis=0))
    return weighting[:, most > 0.1 * most.max()]
