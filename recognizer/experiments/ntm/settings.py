"""Which networks learn which task: the sizes and learning rates of the paper's tables 1 to 3."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from recognizer.data.errors import UsageError
from recognizer.experiments.ntm.tasks import (
    TASKS,
    AssociativeRecallTask,
    CopyTask,
    DynamicNgramsTask,
    PrioritySortTask,
    RepeatCopyTask,
    SequenceTask,
)
from recognizer.lm.neural.options import (
    Controller,
    NtmOptions,
    RmsPropOptions,
    StackedLstmOptions,
)

Model = Literal["ntm-feed-forward", "ntm-lstm", "lstm"]

MODELS: tuple[Model, ...] = ("ntm-lstm", "ntm-feed-forward", "lstm")

NAMES: dict[Model, str] = {
    "ntm-lstm": "NTM, LSTM controller",
    "ntm-feed-forward": "NTM, feed-forward controller",
    "lstm": "LSTM",
}
"""What tables and pictures call them."""


@dataclass(frozen=True)
class SequenceRun:
    """One network, its task, and how it is trained.

    Attributes:
        task: name of the task, one of `recognizer.experiments.ntm.tasks.TASKS`.
        model: kind of the network.
        sequences: to train on, none of them twice.
        batch: sequences of one update. The paper has 1; of more, the gradient is the mean.
        enough: training ends where the mean cost of `window` sequences is at most so many bits.
        window: sequences over which the training cost is averaged, and between checkpoints.
        test_sequences: in each test.
        seed: of weights and sequences.
        updates: constants of RMSProp.
        small: whether task and network are those of the small setting.
    """

    task: str
    model: Model
    sequences: int
    batch: int = 4
    enough: float = 0.002
    window: int = 1600
    test_sequences: int = 100
    seed: int = 1
    updates: RmsPropOptions = field(default_factory=RmsPropOptions)
    small: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (("task", self.task, TASKS), ("model", self.model, MODELS)):
            if value not in known:
                raise UsageError(f"{name}: expected one of {', '.join(known)}, found {value!r}")
        for name in ("sequences", "batch", "window", "test_sequences"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected a number above 0, found {getattr(self, name)}")
        if self.window % self.batch:
            raise UsageError(
                f"window: expected a multiple of batch, {self.batch}, found {self.window}"
            )

    @property
    def name(self) -> str:
        """Of its directory."""
        return f"{self.task}.{self.model}"

    @property
    def sequence_task(self) -> SequenceTask:
        """The task itself."""
        return (SMALL_TASKS if self.small else TASKS)[self.task]

    @property
    def network(self) -> NtmOptions | StackedLstmOptions:
        """Shape of the network."""
        task = self.sequence_task
        if self.model == "lstm":
            units = 64 if self.small else _LSTM_UNITS[self.task]
            return StackedLstmOptions(task.inputs, task.outputs, 3, units)
        controller: Controller = "lstm" if self.model == "ntm-lstm" else "feed-forward"
        shape = NtmOptions(task.inputs, task.outputs, controller)
        if self.small:
            return replace(shape, units=64, slots=32, width=12)
        layers, units, heads = _NTM_SIZES.get((self.task, self.model), (1, 100, 1))
        return replace(shape, layers=layers, units=units, read_heads=heads, write_heads=heads)


_NTM_SIZES: dict[tuple[str, Model], tuple[int, int, int]] = {
    ("associative-recall", "ntm-feed-forward"): (1, 256, 4),
    ("priority-sort", "ntm-feed-forward"): (1, 512, 8),
    ("priority-sort", "ntm-lstm"): (2, 100, 5),
}
"""Layers, units and heads of each kind where they are not 1, 100 and 1 in tables 1 and 2."""

_LSTM_UNITS = {
    "copy": 256,
    "associative-recall": 256,
    "dynamic-ngrams": 128,
    "repeat-copy": 512,
    "priority-sort": 128,
}
"""Of each of the three layers, table 3."""

SMALL_TASKS: dict[str, SequenceTask] = {
    "copy": CopyTask(longest=5, bits=4),
    "associative-recall": AssociativeRecallTask(most=3, vectors=1, bits=4),
    "dynamic-ngrams": DynamicNgramsTask(length=40),
    "repeat-copy": RepeatCopyTask(longest=3, most=3, bits=4),
    "priority-sort": PrioritySortTask(vectors=4, sorted=3, bits=4),
}
"""The same tasks with fewer and smaller vectors."""

PARAMETERS = {
    "copy": (67_561, 17_162, 1_352_969),
    "associative-recall": (70_330, 146_845, 1_344_518),
    "dynamic-ngrams": (61_749, 14_656, 331_905),
    "repeat-copy": (66_111, 16_712, 5_312_007),
    "priority-sort": (269_038, 508_305, 384_424),
}
"""Numbers of parameters in the paper's tables, in the order of `MODELS`."""

_SLOW = 3e-5

_RATES: dict[tuple[str, Model], float] = {
    ("priority-sort", "ntm-lstm"): _SLOW,
    ("priority-sort", "ntm-feed-forward"): _SLOW,
    ("copy", "lstm"): _SLOW,
    ("repeat-copy", "lstm"): _SLOW,
    ("priority-sort", "lstm"): _SLOW,
}
"""The paper's learning rates where they are not 1e-4.

Machines on dynamic n-grams have 3e-5 in the paper; here they have 1e-4, and four times as many
sequences in an update as the other tasks, because each sequence has 200 steps.
"""

_SEQUENCES = 200_000
"""To train each network on; the paper's curves show up to a million."""


def planned_runs(*, small: bool = False) -> tuple[SequenceRun, ...]:
    """All networks on all tasks, in the order in which they are trained.

    Args:
        small: smaller tasks and networks, each trained for a minute or so.
    """
    planned = _small_run if small else _paper_run
    return tuple(planned(task, model) for task in TASKS for model in MODELS)


def _paper_run(task: str, model: Model) -> SequenceRun:
    batch = 16 if task == "dynamic-ngrams" else 4
    updates = RmsPropOptions(learning_rate=_RATES.get((task, model), 1e-4))
    return SequenceRun(task, model, _SEQUENCES, batch=batch, updates=updates)


def _small_run(task: str, model: Model) -> SequenceRun:
    updates = RmsPropOptions(learning_rate=3e-4)
    return SequenceRun(task, model, 8_000, window=400, updates=updates, small=True)
