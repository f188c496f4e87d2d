"""Trains and tests the networks of the experiment, each in a directory of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.data.io.console import console
from recognizer.experiments.ntm.settings import SequenceRun
from recognizer.experiments.ntm.tasks import DynamicNgramsTask, optimal_costs
from recognizer.experiments.ntm.traces import CopyTrace
from recognizer.experiments.results import locked, read_json, write_json

_RESULT = "result.json"


@dataclass(frozen=True)
class SequenceResult:
    """What became of a network so far.

    Attributes:
        run: network and task.
        parameters: that were trained.
        costs: mean bits per sequence of each window of training sequences.
        done: whether its training has ended.
        best: index of the window of the lowest cost; the weights of its end were tested.
        tests: bits of each sequence, by the name of the test.
    """

    run: SequenceRun
    parameters: int
    costs: Sequence[float]
    done: bool
    best: int
    tests: dict[str, list[float]]

    @property
    def optimum(self) -> list[float]:
        """Bits of each test sequence by the optimal estimator, where one is known: n-grams."""
        task = self.run.sequence_task
        if isinstance(task, DynamicNgramsTask):
            return optimal_costs(task, self.run.test_sequences)
        return []

    @property
    def sequences(self) -> int:
        """That it was trained on so far."""
        return len(self.costs) * self.run.window

    def sequences_until(self, cost: float) -> int | None:
        """After how many training sequences the cost of a window was as low; None: never."""
        for index, found in enumerate(self.costs):
            if found <= cost:
                return (index + 1) * self.run.window
        return None


class SequenceExperiment:
    """Networks in a directory, each of which one process trains at a time.

    Args:
        runs: networks and tasks.
        work: parent of their directories.
        device: of torch.
    """

    def __init__(self, runs: Sequence[SequenceRun], work: Path, device: str = "cpu") -> None:
        self.runs = runs
        self._work = work
        self._device = device

    def train(self, run: SequenceRun) -> bool:
        """Train a network until it is done.

        Returns:
            Whether there was anything to do: it may be done, or another process be at it.

        Raises:
            SpeechError: it was interrupted, it diverges, or its directory holds another training.
        """
        from recognizer.experiments.ntm.training import SequenceTraining

        directory = self._work / run.name
        with locked(self._work / f"{run.name}.lock", wait=False) as mine:
            if not mine:
                console.print(f"{run.name}: left to the process that is at it")
                return False
            training = SequenceTraining(run, directory, self._device)
            if training.curve.done:
                console.print(f"{run.name}: done before")
                return False
            training.train()
        return True

    def results(self) -> Iterator[SequenceResult]:
        """Of all networks that have a checkpoint, tested anew where they have been trained since.

        Raises:
            SpeechError: a checkpoint is damaged or of other settings.
        """
        from recognizer.experiments.ntm.training import CHECKPOINT, SequenceTraining

        for run in self.runs:
            directory = self._work / run.name
            if not (directory / CHECKPOINT).exists():
                continue
            training = SequenceTraining(run, directory, self._device)
            curve, path = training.curve, directory / _RESULT
            tests = read_json(path) if path.exists() else {}
            if tests.get("best") != curve.best:
                console.print(f"{run.name}: testing")
                tests = {"best": curve.best, "tests": training.test()}
                write_json(path, tests)
            yield SequenceResult(
                run, training.parameters, curve.costs, curve.done, curve.best, tests["tests"]
            )

    def copy_trace(self, run: SequenceRun, length: int) -> CopyTrace:
        """What the heads and the memory of a trained machine do while it copies.

        Args:
            run: of the copy task by a Neural Turing Machine that has a checkpoint.
            length: vectors of the sequence.
        """
        from recognizer.experiments.ntm.training import SequenceTraining

        training = SequenceTraining(run, self._work / run.name, self._device)
        return training.trace_copy(length)
