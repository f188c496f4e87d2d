"""Trains and measures the networks of an experiment, each as stages of its own."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.am.nnet.network_file import read_network
from recognizer.am.training.engine.curves import read_curve
from recognizer.am.training.engine.errors import DivergedError
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.data.io.options import to_table
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.experiments.learning_rates import FURTHER_RATES, best_rate, search_rates
from recognizer.experiments.options import Candidate, TablesExperiment
from recognizer.experiments.results import CandidateResult, locked, read_json, write_json
from recognizer.model.bundle import ModelBundle, copy_around_network
from recognizer.model.config import ModelConfig
from recognizer.model.files import ACOUSTIC, model_path
from recognizer.pipelines.acoustic.network_stages import (
    NETWORK_FILE,
    feature_tables,
    network_stage,
    train_on_labels,
)
from recognizer.pipelines.acoustic.network_training import (
    check_network,
    labelled_utterances,
    train_network,
)
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.development import development_sets, evaluated
from recognizer.pipelines.model_labels import ModelLabels, check_apart, check_own_labels
from recognizer.stages import Stage, run_stages, stages_done

if TYPE_CHECKING:
    from recognizer.am.training.data.checked_data import TrainingUtterance

_RESULT = "result.json"

_RATES = "rates.json"

_DIVERGED = "diverged.json"

_EPOCHS = 1000  # patience ends a training long before


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
        check_own_labels(self.model)
        self._options = replace(experiment.acoustic, features=self.model.config.features)
        self._labels = ModelLabels(self.model, experiment.training, corpora, work, jobs)
        check_apart(self.model, work)
        self._dev_work = work / "dev"
        self._dev_labels = ModelLabels(
            self.model, experiment.dev_sets, corpora, self._dev_work, jobs
        )
        self._dev_sets = cache(lambda: development_sets(experiment.dev, corpora))
        self.candidates = experiment.candidates(
            self.model.transitions.num_pdfs, self.model.config.features.num_bins
        )

    def check(self) -> None:
        """Tell what cannot work now, not after hours.

        Raises:
            SpeechError: a set is missing, or there is no torch.
            UsageError: a network or its training that cannot be.
        """
        for candidate in self.candidates:
            check_network(replace(self._options, network=candidate.shape))
        for labels in (self._labels, self._dev_labels):
            labels.check()

    def prepare(self) -> None:
        """Labels and features of all sets; a second process waits for the first.

        Raises:
            SpeechError: a set is missing, nothing of it can be aligned, or there is no torch.
        """
        self.check()
        with locked(self._work / "prepare.lock", wait=True):
            run_stages(self._labels.stages(self._options), self._work)
            dev = self._dev_labels.stages(replace(self._options, speeds=(1.0,), augmentation=None))
            run_stages(dev, self._dev_work)

    def run(self, candidate: Candidate) -> bool:
        """Search its learning rate, train it to the end, measure it.

        Returns:
            Whether there was anything to do: it may be done, or another process be at it.

        Raises:
            SpeechError: the training was interrupted, or the labels are not those of `prepare`.
            DivergedError: the training diverges with every learning rate.
        """
        with locked(self._work / f"{candidate.name}.lock", wait=False) as mine:
            if not mine:
                console.print(f"{candidate.name}: left to the process that is at it")
                return False
            stages = self._stages(candidate)
            if stages_done(stages, self._work):
                console.print(f"{candidate.name}: done before")
                return False
            if not stages_done(self._labels.stages(self._options), self._work):
                raise SpeechError(
                    f"{self._work}: another experiment has made its labels or features"
                )
            run_stages(stages, self._work)
        return True

    def results(self) -> Iterator[CandidateResult]:
        """Of the networks that are done with the options of now, in the experiment's order.

        Raises:
            SpeechError: a file of results is damaged.
        """
        for candidate in self.candidates:
            if stages_done(self._stages(candidate), self._work):
                yield self._read(candidate)

    @contextmanager
    def latest_results(self) -> Iterator[list[CandidateResult]]:
        """The `results`, and until the block ends no other process gets them to report.

        Raises:
            SpeechError: a file of results is damaged.
        """
        with locked(self._work / "report.lock", wait=True):
            yield list(self.results())

    def _stages(self, candidate: Candidate) -> list[Stage]:
        table = to_table(self.experiment)
        own = replace(self._options, network=candidate.shape)
        inputs = self._labels.stages(self._options)
        after = tuple(stage.name for stage in inputs)
        rates = network_stage(
            f"{candidate.name}.rates",
            own,
            after,
            lambda directory: self._search(candidate, directory),
        )
        search = {
            "rates": table["learning_rates"],
            "frames": table["search_frames"],
            "further": FURTHER_RATES,
        }
        rates = replace(
            rates, options={**rates.options, **search}, summary="searching a learning rate"
        )
        training = network_stage(
            candidate.name, own, (*after, rates.name), lambda d: self._train(candidate, d)
        )
        config = self._model_config(candidate)
        measuring = Stage(
            f"{candidate.name}.dev",
            {
                "dev": table["dev"],
                "accuracy_utterances": table["accuracy_utterances"],
                **{
                    name: to_table(getattr(config, name))
                    for name in ("first_pass", "search", "lattice", "rescoring")
                },
            },
            (training.name,),
            lambda directory: self._measure(candidate, directory),
            "measuring",
        )
        return [*inputs, rates, training, measuring]

    def _search(self, candidate: Candidate, directory: Path) -> None:
        found = search_rates(
            self.experiment.learning_rates,
            lambda rate: self._short_training(candidate, rate, directory / repr(rate)),
        )
        said = ", ".join(
            f"{rate}: {accuracy:.4f}" if accuracy is not None else f"{rate}: diverged"
            for rate, accuracy in found.items()
        )
        console.print(f"{candidate.name}: held-out accuracy by learning rate: {said}")
        write_json(directory / _RATES, found)

    def _short_training(self, candidate: Candidate, rate: float, directory: Path) -> float | None:
        """Held-out accuracy that a learning rate leads to; None where the training diverges."""
        options = self._trained_with(candidate, rate)
        training = replace(
            options.training,
            max_frames=self.experiment.search_frames,
            patience=0,
            evaluate_frames=self.experiment.search_frames,
        )
        labelled = self._labels.labelled()
        try:
            result = train_network(
                labelled_utterances(labelled, feature_tables(labelled, options, self._work)),
                self._labels.outputs,
                replace(options, training=training),
                directory,
                silence=self._labels.silence,
                metadata={"corpora": [corpus.name for corpus in labelled]},
            )
        except DivergedError:
            return None
        assert result.best is not None  # as it is finished
        return result.best["accuracy"]

    def _trained_with(self, candidate: Candidate, rate: float) -> AcousticOptions:
        """The options of a training at a learning rate."""
        training = self._options.training
        ratio = training.final_learning_rate / training.learning_rate
        training = replace(
            training,
            epochs=_EPOCHS,
            learning_rate=rate,
            final_learning_rate=rate * ratio,
        )
        return replace(self._options, network=candidate.shape, training=training)

    def _train(self, candidate: Candidate, directory: Path) -> None:
        """To the end, with the best learning rate with which it does not diverge."""
        from recognizer.am.training.engine.checkpoint import CHECKPOINT_FILE

        found = {
            float(rate): accuracy
            for rate, accuracy in read_json(self._work / f"{candidate.name}.rates" / _RATES).items()
        }
        record = directory / _DIVERGED
        diverged = read_json(record) if record.exists() else {}
        labels = self._labels
        while True:
            left = {
                rate: accuracy
                for rate, accuracy in found.items()
                if accuracy is not None and repr(rate) not in diverged
            }
            if not left:
                raise DivergedError(f"{candidate.name}: training diverges with every learning rate")
            rate = best_rate(left)
            options = self._trained_with(candidate, rate)
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
                console.print(f"{candidate.name}: learning rate {rate}: {error}", markup=False)
                # The next one must not go on from where this one got to.
                (directory / CHECKPOINT_FILE).unlink(missing_ok=True)
                diverged[repr(rate)] = str(error)
                write_json(record, diverged)

    def _measure(self, candidate: Candidate, directory: Path) -> None:
        network = self._work / candidate.name / NETWORK_FILE
        accuracies = self._accuracies(network)
        model = directory / "model"
        model.mkdir(exist_ok=True)
        shutil.copyfile(network, model / ACOUSTIC)
        copy_around_network(self.model, self._model_config(candidate), model, link=True)
        first: list[ErrorCounts] = []
        rescored: list[ErrorCounts] = []
        for corpus in self._dev_sets():
            console.print(f"{candidate.name}: recognising {corpus.name}")
            evaluation = evaluated(corpus, model, jobs=self._jobs)
            console.print(f"{corpus.name}: {evaluation.rescored} rescored")
            scores = evaluation.scores
            first += [score.first_pass_counts for score in scores]
            rescored += [score.rescored_counts for score in scores]
        write_json(
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
        from recognizer.am.training.data.checked_data import CheckedData, is_held_out
        from recognizer.am.training.engine.evaluation import evaluate
        from recognizer.am.training.engine.objective import Objective

        options = replace(self._options, speeds=(1.0,), augmentation=None)
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
        return labelled_utterances(labelled, feature_tables(labelled, options, work))

    def _model_config(self, candidate: Candidate) -> ModelConfig:
        config = self.model.config
        scale = config.search.acoustic_scale
        return replace(
            config,
            name=candidate.name,
            acoustic=replace(
                config.acoustic,
                output_delay=candidate.shape.output_delay,
                subsampling=candidate.shape.subsampling,
                priors=self._options.priors,
                silence_weight=self._options.silence_weight,
            ),
            search=replace(self.experiment.search or config.search, acoustic_scale=scale),
            results=(),
        )

    def _read(self, candidate: Candidate) -> CandidateResult:
        directory = self._work / candidate.name
        path = self._work / f"{candidate.name}.dev" / _RESULT
        result = read_json(path)
        network = read_network(directory / NETWORK_FILE)
        try:
            trained = network.metadata["training"]
            return CandidateResult(
                candidate,
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
