"""Chooses the weight of a neural language model on development sets."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import UsageError
from recognizer.decoding.rescoring.rescore import RescoringOptions
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.evaluate import each_utterance
from recognizer.evaluation.word_alignment import count_errors
from recognizer.lm.neural.word_model import NeuralLanguageModel
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.config import ModelConfig
from recognizer.recognizer import Recognizer

NEURAL_WEIGHTS = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8)


@dataclass(frozen=True)
class NeuralTuning:
    """What was tried.

    Attributes:
        data: names of the development sets.
        counts: errors of the third pass on each set, for each weight.
    """

    data: tuple[str, ...]
    counts: dict[float, tuple[ErrorCounts, ...]]

    def wer(self, weight: float) -> float:
        """Mean of the sets' word error rates in percent."""
        counts = self.counts[weight]
        return sum(one.wer for one in counts) / len(counts)

    @property
    def best(self) -> float:
        """The weight of the lowest mean error rate; among equals the smallest."""
        return min(self.counts, key=lambda weight: (self.wer(weight), weight))


def tune_neural(
    corpora: Sequence[Corpus],
    model: str | Path,
    neural_lm: str | NeuralLanguageModel,
    weights: Sequence[float] = NEURAL_WEIGHTS,
    *,
    acoustic_scale: float | None = None,
    rescoring: RescoringOptions | None = None,
    jobs: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> NeuralTuning:
    """Score every weight on development sets.

    Each lattice is expanded once, under the weight in the middle of those that are tried; all
    weights are scored on what that expansion kept.

    Args:
        corpora: the development sets.
        model: the model directory.
        neural_lm: the neural model's file; or the model itself, where this process alone works.
        weights: what to try.
        acoustic_scale: instead of the model's own.
        rescoring: LM scale and penalty of the second pass, instead of the model's own.
        jobs: processes; each loads the model.
        progress: called after each utterance.

    Raises:
        UsageError: no development set, or no weights or impossible ones.
        SpeechError: a set is empty or its audio cannot be read, or a model is damaged.
    """
    if not corpora or not weights:
        raise UsageError("expected development sets and weights of the neural model, found none")
    bundle = ModelBundle(model)
    for weight in weights:
        replace(bundle.config.neural_rescoring, weight=weight)  # refuses impossible ones
    bundle.neural_lm(neural_lm)  # what is damaged is found before any process starts
    counts: dict[float, list[ErrorCounts]] = {weight: [] for weight in weights}
    load = functools.partial(
        _recognizer, Path(model), neural_lm, sorted(weights)[len(weights) // 2], acoustic_scale,
        rescoring,
    )  # fmt: skip
    work = functools.partial(_score, load, tuple(weights))
    for corpus in corpora:
        for column in counts.values():
            column.append(ErrorCounts())
        for found in each_utterance(corpus.normalized(bundle.config.text_rules), work, jobs):
            for column, one in zip(counts.values(), found, strict=True):
                column[-1] += one
            progress()
    return NeuralTuning(
        tuple(corpus.name for corpus in corpora),
        {weight: tuple(column) for weight, column in counts.items()},
    )


def write_weight(model: str | Path, tuning: NeuralTuning) -> ModelConfig:
    """Freeze the best weight in ``model.toml``, with a record of how it was found."""
    config = ModelBundle(model).config
    best = tuning.best
    record = {
        "data": list(tuning.data),
        "wer": [round(counts.wer, 4) for counts in tuning.counts[best]],
    }
    config = replace(
        config,
        neural_rescoring=replace(config.neural_rescoring, weight=best),
        record={**config.record, "neural_tuning_result": record},
    )
    return write_config(model, config).config


@functools.lru_cache(maxsize=1)
def _recognizer(
    model: Path,
    neural_lm: str | NeuralLanguageModel,
    weight: float,
    acoustic_scale: float | None,
    rescoring: RescoringOptions | None,
) -> Recognizer:
    return Recognizer(
        model,
        acoustic_scale=acoustic_scale,
        rescoring=rescoring,
        neural_lm=neural_lm,
        neural_weight=weight,
    )


def _score(
    load: Callable[[], Recognizer], weights: tuple[float, ...], utterance: Utterance
) -> list[ErrorCounts]:
    """Errors of the third pass for each weight."""
    recognizer = load()
    lattice = recognizer.first_pass(recognizer.acoustic_scores(utterance.samples()))
    rescored = recognizer.third_pass(recognizer.second_pass(lattice))
    count = functools.cache(functools.partial(count_errors, utterance.words))
    return [count(recognizer.path_words(rescored.with_weight(weight).best)) for weight in weights]
