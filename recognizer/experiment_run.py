"""Trains and measures the networks of a `recognizer.experiment`, each as stages of its own."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from am.network_file import read_network
from data.corpus import Corpus
from data.errors import SpeechError
from data.files import replace_text
from recognizer.acoustic_stages import (
    NETWORK_FILE,
    feature_tables,
    network_stage,
    train_on_labels,
)
from recognizer.acoustic_training import (
    AcousticOptions,
    train_network,
    training_utterances,
)
from recognizer.bundle import ModelBundle
from recognizer.console import console, progress_bar
from recognizer.development import development_sets
from recognizer.evaluate import UtteranceScore, evaluate
from recognizer.experiment import Entrant, TablesExperiment
from recognizer.options import to_table
from recognizer.recipe import TrainingSet
from recognizer.retrain import ModelLabels, model_path, with_network
from recognizer.scoring import ErrorCounts
from recognizer.stages import Stage, run_stages

if TYPE_CHECKING:
    from am.training_data import TrainingUtterance

RESULT = "result.json"
_RATES = "rates.json"
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
        UsageError: there is no such model, or a size that is too small.
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
        dev = [TrainingSet(name, licence="") for name in experiment.dev]
        self._dev_work = work / "dev"
        self._dev_labels = ModelLabels(self.model, dev, corpora, self._dev_work, jobs)
        self._dev_sets = cache(lambda: development_sets(experiment.dev, corpora))
        self.entrants = experiment.entrants(
            self.model.transitions.num_pdfs, self.model.config.features.num_bins
        )

    def prepare(self) -> None:
        """Labels and features of all sets."""
        run_stages(self._labels.stages(self._options), self._work)
        run_stages(self._dev_labels.stages(replace(self._options, speeds=(1.0,))), self._dev_work)

    def run(self, entrant: Entrant) -> None:
        """Search its learning rate, train it to the end, measure it; what is done is skipped."""
        table = to_table(self.experiment)
        own = replace(self._options, network=entrant.shape)
        inputs = self._labels.stages(self._options)
        after = tuple(stage.name for stage in inputs)
        rates = network_stage(
            f"{entrant.name}.rates", own, after, lambda directory: self._search(entrant, directory)
        )
        search = {"rates": table["learning_rates"], "frames": table["search_frames"]}
        rates = replace(
            rates, options={**rates.options, **search}, summary="searching a learning rate"
        )
        training = network_stage(
            entrant.name, own, (*after, rates.name), lambda d: self._train(entrant, d)
        )
        config = self.model.config
        measuring = Stage(
            f"{entrant.name}.dev",
            {
                "dev": table["dev"],
                "search": to_table(self.experiment.search or config.search),
                "rescoring": to_table(config.rescoring),
                "accuracy_utterances": table["accuracy_utterances"],
            },
            (training.name,),
            lambda directory: self._measure(entrant, directory),
            "measuring",
        )
        run_stages([*inputs, rates, training, measuring], self._work)

    def findings(self) -> Iterator[Finding]:
        """Of the networks that are done, in the experiment's order."""
        for entrant in self.entrants:
            path = self._work / f"{entrant.name}.dev" / RESULT
            if path.exists():
                yield self._read(entrant, path)

    def _search(self, entrant: Entrant, directory: Path) -> None:
        found: dict[str, float | None] = {}
        for rate in self.experiment.learning_rates:
            found[f"{rate:g}"] = self._short_training(entrant, rate, directory / f"{rate:g}")
        console.print(f"{entrant.name}: held-out accuracy by learning rate: {found}")
        if not any(found.values()):
            raise SpeechError(f"{entrant.name}: no learning rate led anywhere: {found}")
        _write_json(directory / _RATES, found)

    def _short_training(self, entrant: Entrant, rate: float, directory: Path) -> float | None:
        """Held-out accuracy that a learning rate leads to; None where the training diverges."""
        from am.training_learner import DivergedError

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
        if not result.finished or result.best is None:
            raise SpeechError("training was interrupted; the same command goes on from here")
        return result.best.accuracy

    def _trained_with(self, entrant: Entrant, rate: float) -> AcousticOptions:
        """The options of a training at a learning rate."""
        training = self._options.training
        ratio = training.final_learning_rate / training.learning_rate
        training = replace(
            training,
            epochs=_EPOCHS,
            learning_rate=rate,
            final_learning_rate=rate * ratio,
            decay_frames=training.decay_frames or training.max_frames,
        )
        return replace(self._options, network=entrant.shape, training=training)

    def _best_rate(self, entrant: Entrant) -> float:
        found = json.loads((self._work / f"{entrant.name}.rates" / _RATES).read_text())
        return float(max(found, key=lambda rate: found[rate] or -math.inf))

    def _train(self, entrant: Entrant, directory: Path) -> None:
        options = self._trained_with(entrant, self._best_rate(entrant))
        labels = self._labels
        train_on_labels(
            labels.labelled(), labels.outputs, labels.silence, options, self._work, directory
        )

    def _measure(self, entrant: Entrant, directory: Path) -> None:
        network = self._work / entrant.name / NETWORK_FILE
        accuracies = self._accuracies(network)
        model = self._assemble(entrant, network, directory / "model")
        first: list[ErrorCounts] = []
        rescored: list[ErrorCounts] = []
        for corpus in self._dev_sets():
            scores = self._scores(corpus, model)
            first += [score.first_pass_counts for score in scores]
            rescored += [score.rescored_counts for score in scores]
        _write_json(
            directory / RESULT,
            accuracies
            | {
                name: [dataclasses.astuple(one) for one in counts]
                for name, counts in (("first_pass", first), ("rescored", rescored))
            },
        )

    def _accuracies(self, path: Path) -> dict[str, float]:
        """Frame accuracy on training and development data, without dropout."""
        from am.networks import from_network
        from am.training_data import TrainingSet as CheckedData
        from am.training_data import is_held_out
        from am.training_evaluation import evaluate as evaluate_frames

        options = replace(self._options, speeds=(1.0,))
        held_out = options.training.held_out_fraction
        trained = [u for u in self._utterances(self._labels, options, self._work)
                   if not is_held_out(u.id, held_out)]  # fmt: skip
        data = CheckedData.of(
            trained[:: max(1, len(trained) // self.experiment.accuracy_utterances)],
            held_out=self._utterances(self._dev_labels, options, self._dev_work),
            input_dim=options.features.num_bins,
            outputs=self._labels.outputs,
            tolerance=options.training.length_tolerance,
        )
        network = from_network(read_network(path))
        parts = {"training": data.training, "dev": data.held_out}
        return {
            f"{name}_accuracy": round(evaluate_frames(network, part).accuracy, 5)
            for name, part in parts.items()
        }

    def _utterances(
        self, labels: ModelLabels, options: AcousticOptions, work: Path
    ) -> Iterator[TrainingUtterance]:
        labelled = labels.labelled()
        return training_utterances(labelled, feature_tables(labelled, options, work))

    def _assemble(self, entrant: Entrant, network: Path, directory: Path) -> Path:
        """The model with this network; its other files are links."""
        config = self.model.config
        config = replace(
            config,
            name=entrant.name,
            acoustic=replace(
                config.acoustic,
                output_delay=entrant.shape.output_delay,
                priors=self._options.priors,
                silence_weight=self._options.silence_weight,
            ),
            search=self.experiment.search or config.search,
            results=(),
        )
        with_network(self.model, network, config, directory, link=True)
        return directory

    def _scores(self, corpus: Corpus, model: Path) -> tuple[UtteranceScore, ...]:
        with progress_bar(corpus.name, len(corpus)) as advance:
            evaluation = evaluate(corpus, model, jobs=self._jobs, progress=lambda _: advance())
        console.print(f"{corpus.name}: {evaluation.rescored} rescored")
        return evaluation.scores

    def _read(self, entrant: Entrant, path: Path) -> Finding:
        from am.training_curves import read_curve

        result = json.loads(path.read_text(encoding="utf-8"))
        curve = self._work / entrant.name
        log = read_curve(curve)
        best = max(log, key=lambda entry: entry["held_out_accuracy"])
        return Finding(
            entrant,
            self._best_rate(entrant),
            int(log[-1]["frames"]),
            int(best["frames"]),
            result["training_accuracy"],
            best["held_out_accuracy"],
            result["dev_accuracy"],
            tuple(ErrorCounts(*counts) for counts in result["first_pass"]),
            tuple(ErrorCounts(*counts) for counts in result["rescored"]),
            curve,
        )


def _write_json(path: Path, value: Any) -> None:
    with replace_text(path) as stream:
        json.dump(value, stream)
        stream.write("\n")
