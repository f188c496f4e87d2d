"""Trains and measures the networks of an `Experiment`, each as stages of its own."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recognizer.am.nnet.network_file import read_network
from recognizer.am.training.engine.curves import read_curve
from recognizer.am.training.engine.errors import DivergedError
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.data.io.files import replace_text
from recognizer.data.io.options import to_table
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.experiments.options import Entrant, TablesExperiment
from recognizer.model.bundle import ModelBundle, copy_around_network
from recognizer.model.config import ModelConfig
from recognizer.model.files import ACOUSTIC, model_path
from recognizer.pipelines.acoustic_options import AcousticOptions
from recognizer.pipelines.development import development_sets, evaluated
from recognizer.pipelines.model_labels import ModelLabels, check_apart
from recognizer.pipelines.network_stages import (
    NETWORK_FILE,
    feature_tables,
    network_stage,
    train_on_labels,
)
from recognizer.pipelines.network_training import check_network, train_network, training_utterances
from recognizer.pipelines.stages import Stage, run_stages, stages_done

if TYPE_CHECKING:
    from recognizer.am.training.engine.data import TrainingUtterance

_RESULT = "result.json"
_RATES = "rates.json"
_DIVERGED = "diverged.json"
_FURTHER = 3  # learning rates beyond those given, where the best is the highest or lowest
_EPOCHS = 1000  # patience ends a training long before


@dataclass(frozen=True)
class Finding:
    """What became of one network.

    Attributes:
        entrant: the network.
        learning_rate: the best at the beginning, with which it was trained.
        frames: trained on, until its patience ended.
        best_frames: after which the held-out accuracy was the highest; the network of then counts.
        training_accuracy: share of frames whose best state is the label, without dropout.
        held_out_accuracy: the same on the part that was not trained on.
        dev_accuracy: the same on the development sets.
        first_pass: errors of each utterance of the development sets, set after set.
        rescored: the same of the second pass.
        curve: directory of the log of its training.
    """

    entrant: Entrant
    learning_rate: float
    frames: int
    best_frames: int
    training_accuracy: float
    held_out_accuracy: float
    dev_accuracy: float
    first_pass: tuple[ErrorCounts, ...]
    rescored: tuple[ErrorCounts, ...]
    curve: Path


class TablesRun:
    """The stages of an experiment in a directory.

    Args:
        experiment: what is compared.
        corpora: directory of the corpora that it names.
        work: parent of the stages' directories.
        jobs: processes or threads, where a stage can use several.

    Raises:
        UsageError: there is no such model, it lies in the work directory, or a size is too small.
        SpeechError: the model is damaged.
    """

    def __init__(
        self, experiment: TablesExperiment, corpora: Path, work: Path, jobs: int = 1
    ) -> None:
        self.experiment = experiment
        self._corpora = corpora
        self._work = work
        self._jobs = jobs
        self.model = ModelBundle(model_path(experiment.model))
        self._options = replace(experiment.acoustic, features=self.model.config.features)
        self._labels = ModelLabels(self.model, experiment.training, corpora, work, jobs)
        check_apart(self.model, work)
        self._dev_work = work / "dev"
        self._dev_labels = ModelLabels(
            self.model, experiment.dev_sets, corpora, self._dev_work, jobs
        )
        self._dev_sets = cache(lambda: development_sets(experiment.dev, corpora))
        self.entrants = experiment.entrants(
            self.model.transitions.num_pdfs, self.model.config.features.num_bins
        )

    def prepare(self) -> None:
        """Labels and features of all sets; a second process waits for the first.

        Raises:
            SpeechError: a set is missing, nothing of it can be aligned, or there is no torch.
        """
        # What cannot work is told now, not after hours.
        check_network(self._options)
        for labels in (self._labels, self._dev_labels):
            labels.check()
        with _locked(self._work / "prepare.lock", wait=True):
            run_stages(self._labels.stages(self._options), self._work)
            dev = self._dev_labels.stages(replace(self._options, speeds=(1.0,)))
            run_stages(dev, self._dev_work)

    def run(self, entrant: Entrant) -> bool:
        """Search its learning rate, train it to the end, measure it.

        Returns:
            Whether there was anything to do: it may be done, or another process be at it.

        Raises:
            SpeechError: the training was interrupted, or the labels are not those of `prepare`.
            DivergedError: the training diverges with every learning rate.
        """
        with _locked(self._work / f"{entrant.name}.lock", wait=False) as mine:
            if not mine:
                console.print(f"{entrant.name}: left to the process that is at it")
                return False
            stages = self._stages(entrant)
            if stages_done(stages, self._work):
                console.print(f"{entrant.name}: done before")
                return False
            if not stages_done(self._labels.stages(self._options), self._work):
                raise SpeechError(
                    f"{self._work}: another experiment has made its labels or features"
                )
            run_stages(stages, self._work)
        return True

    def findings(self) -> Iterator[Finding]:
        """Of the networks that are done with the options of now, in the experiment's order.

        Raises:
            SpeechError: a file of results is damaged.
        """
        for entrant in self.entrants:
            if stages_done(self._stages(entrant), self._work):
                yield self._read(entrant)

    @contextmanager
    def latest_findings(self) -> Iterator[list[Finding]]:
        """The `findings`, and until the block ends no other process gets them to report.

        Raises:
            SpeechError: a file of results is damaged.
        """
        with _locked(self._work / "report.lock", wait=True):
            yield list(self.findings())

    def _stages(self, entrant: Entrant) -> list[Stage]:
        table = to_table(self.experiment)
        own = replace(self._options, network=entrant.shape)
        inputs = self._labels.stages(self._options)
        after = tuple(stage.name for stage in inputs)
        rates = network_stage(
            f"{entrant.name}.rates", own, after, lambda directory: self._search(entrant, directory)
        )
        search = {
            "rates": table["learning_rates"],
            "frames": table["search_frames"],
            "further": _FURTHER,
        }
        rates = replace(
            rates, options={**rates.options, **search}, summary="searching a learning rate"
        )
        training = network_stage(
            entrant.name, own, (*after, rates.name), lambda d: self._train(entrant, d)
        )
        config = self._model_config(entrant)
        measuring = Stage(
            f"{entrant.name}.dev",
            {
                "dev": table["dev"],
                "accuracy_utterances": table["accuracy_utterances"],
                **{
                    name: to_table(getattr(config, name))
                    for name in ("first_pass", "search", "lattice", "rescoring")
                },
            },
            (training.name,),
            lambda directory: self._measure(entrant, directory),
            "measuring",
        )
        return [*inputs, rates, training, measuring]

    def _search(self, entrant: Entrant, directory: Path) -> None:
        found = search_rates(
            self.experiment.learning_rates,
            lambda rate: self._short_training(entrant, rate, directory / repr(rate)),
        )
        said = ", ".join(
            f"{rate}: {accuracy:.4f}" if accuracy is not None else f"{rate}: diverged"
            for rate, accuracy in found.items()
        )
        console.print(f"{entrant.name}: held-out accuracy by learning rate: {said}")
        _write_json(directory / _RATES, found)

    def _short_training(self, entrant: Entrant, rate: float, directory: Path) -> float | None:
        """Held-out accuracy that a learning rate leads to; None where the training diverges."""
        options = self._trained_with(entrant, rate)
        training = replace(
            options.training,
            max_frames=self.experiment.search_frames,
            patience=0,
            evaluate_frames=self.experiment.search_frames,
        )
        labelled = self._labels.labelled()
        try:
            result = train_network(
                labelled,
                self._labels.outputs,
                self._labels.silence,
                feature_tables(labelled, options, self._work),
                replace(options, training=training),
                directory,
            )
        except DivergedError:
            return None
        assert result.best is not None  # as it is finished
        return result.best["accuracy"]

    def _trained_with(self, entrant: Entrant, rate: float) -> AcousticOptions:
        """The options of a training at a learning rate."""
        training = self._options.training
        ratio = training.final_learning_rate / training.learning_rate
        training = replace(
            training,
            epochs=_EPOCHS,
            learning_rate=rate,
            final_learning_rate=rate * ratio,
        )
        return replace(self._options, network=entrant.shape, training=training)

    def _train(self, entrant: Entrant, directory: Path) -> None:
        """To the end, with the best learning rate with which it does not diverge."""
        from recognizer.am.training.engine.checkpoint import CHECKPOINT_FILE

        found = {
            float(rate): accuracy
            for rate, accuracy in _read_json(self._work / f"{entrant.name}.rates" / _RATES).items()
        }
        record = directory / _DIVERGED
        diverged = _read_json(record) if record.exists() else {}
        labels = self._labels
        while True:
            left = {
                rate: accuracy
                for rate, accuracy in found.items()
                if accuracy is not None and repr(rate) not in diverged
            }
            if not left:
                raise DivergedError(f"{entrant.name}: training diverges with every learning rate")
            rate = best_rate(left)
            options = self._trained_with(entrant, rate)
            try:
                train_on_labels(
                    labels.labelled(),
                    labels.outputs,
                    labels.silence,
                    options,
                    self._work,
                    directory,
                )
                return
            except DivergedError as error:
                console.print(f"{entrant.name}: learning rate {rate}: {error}", markup=False)
                # The next one must not go on from where this one got to.
                (directory / CHECKPOINT_FILE).unlink(missing_ok=True)
                diverged[repr(rate)] = str(error)
                _write_json(record, diverged)

    def _measure(self, entrant: Entrant, directory: Path) -> None:
        network = self._work / entrant.name / NETWORK_FILE
        accuracies = self._accuracies(network)
        model = directory / "model"
        model.mkdir(exist_ok=True)
        shutil.copyfile(network, model / ACOUSTIC)
        copy_around_network(self.model, self._model_config(entrant), model, link=True)
        first: list[ErrorCounts] = []
        rescored: list[ErrorCounts] = []
        for corpus in self._dev_sets():
            console.print(f"{entrant.name}: recognising {corpus.name}")
            evaluation = evaluated(corpus, model, jobs=self._jobs)
            console.print(f"{corpus.name}: {evaluation.rescored} rescored")
            scores = evaluation.scores
            first += [score.first_pass_counts for score in scores]
            rescored += [score.rescored_counts for score in scores]
        _write_json(
            directory / _RESULT,
            accuracies
            | {
                name: [dataclasses.astuple(one) for one in counts]
                for name, counts in (("first_pass", first), ("rescored", rescored))
            },
        )

    def _accuracies(self, path: Path) -> dict[str, float]:
        """Frame accuracy on training and development data, without dropout."""
        from recognizer.am.torch.networks import from_network
        from recognizer.am.training.criteria.cross_entropy import CrossEntropy
        from recognizer.am.training.engine.data import CheckedData, is_held_out
        from recognizer.am.training.engine.evaluation import evaluate
        from recognizer.am.training.engine.objective import Objective

        options = replace(self._options, speeds=(1.0,))
        held_out = options.training.held_out_fraction
        trained = [u for u in self._utterances(self._labels, options, self._work)
                   if not is_held_out(u.id, held_out)]  # fmt: skip
        data = CheckedData.of(
            trained[:: math.ceil(len(trained) / self.experiment.accuracy_utterances)],
            held_out=self._utterances(self._dev_labels, options, self._dev_work),
            criterion=CrossEntropy(),
            input_dim=options.features.num_bins,
            outputs=self._labels.outputs,
            tolerance=options.training.length_tolerance,
        )
        for line in data.dropped:
            console.print(f"dropped {line}", markup=False)
        objective = Objective(from_network(read_network(path)), CrossEntropy())
        parts = {"training": data.training, "dev": data.held_out}
        return {
            f"{name}_accuracy": evaluate(objective, part, precision=options.training.precision)[
                "accuracy"
            ]
            for name, part in parts.items()
        }

    def _utterances(
        self, labels: ModelLabels, options: AcousticOptions, work: Path
    ) -> Iterator[TrainingUtterance]:
        labelled = labels.labelled()
        return training_utterances(labelled, feature_tables(labelled, options, work))

    def _model_config(self, entrant: Entrant) -> ModelConfig:
        config = self.model.config
        scale = config.search.acoustic_scale
        return replace(
            config,
            name=entrant.name,
            acoustic=replace(
                config.acoustic,
                output_delay=entrant.shape.output_delay,
                subsampling=entrant.shape.subsampling,
                priors=self._options.priors,
                silence_weight=self._options.silence_weight,
            ),
            search=replace(self.experiment.search or config.search, acoustic_scale=scale),
            results=(),
        )

    def _read(self, entrant: Entrant) -> Finding:
        directory = self._work / entrant.name
        path = self._work / f"{entrant.name}.dev" / _RESULT
        result = _read_json(path)
        network = read_network(directory / NETWORK_FILE)
        try:
            trained = network.metadata["training"]
            return Finding(
                entrant,
                float(trained["options"]["learning_rate"]),
                int(read_curve(directory)[-1]["frames"]),
                trained["frames"],
                float(result["training_accuracy"]),
                trained["held_out"]["accuracy"],
                float(result["dev_accuracy"]),
                tuple(ErrorCounts(*counts) for counts in result["first_pass"]),
                tuple(ErrorCounts(*counts) for counts in result["rescored"]),
                directory,
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise SpeechError(
                f"{path} or {directory}: expected the results of a network: {error!r}"
            ) from None


def search_rates(
    given: Sequence[float], attempt: Callable[[float], float | None]
) -> dict[float, float | None]:
    """Try learning rates, and further ones beyond them while the best is the highest or lowest.

    Args:
        given: the rates.
        attempt: gives the accuracy that a rate leads to, None for a training that diverges.

    Returns:
        What each led to, in the order of the attempts.
    """
    rates = sorted(given)
    step = rates[-1] / rates[-2] if len(rates) > 1 else 2.0
    found = {rate: attempt(rate) for rate in rates}
    for _ in range(_FURTHER):
        # The best of them must have a worse one on either side.
        best = best_rate(found)
        if best == rates[0]:
            rates.insert(0, best / step)
            found[rates[0]] = attempt(rates[0])
        elif best == rates[-1]:
            rates.append(best * step)
            found[rates[-1]] = attempt(rates[-1])
        else:
            break
    return found


def best_rate(found: Mapping[float, float | None]) -> float:
    """The learning rate of the highest accuracy, the lowest of equals; None is below all."""

    def key(rate: float) -> tuple[float, float]:
        accuracy = found[rate]
        return -math.inf if accuracy is None else accuracy, -rate

    return max(found, key=key)


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """While this process alone has a lock; yields whether it has it. It ends with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            console.print(f"{path.stem}: waiting for another process")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield True


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpeechError(f"{path}: expected results of a run as JSON: {error}") from None
    if not isinstance(found, dict):
        raise SpeechError(f"{path}: expected results of a run as JSON, found {found!r}")
    return found


def _write_json(path: Path, value: Any) -> None:
    with replace_text(path) as stream:
        json.dump(value, stream)
        stream.write("\n")
