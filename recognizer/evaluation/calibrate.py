"""Chooses the scale of confidences on development sets: how sure words are should be true."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import UsageError
from recognizer.evaluation.confidence import cross_entropy, normalized_cross_entropy, right_words
from recognizer.evaluation.evaluate import each_utterance
from recognizer.loaded import loaded_recognizer
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.config import ModelConfig

SCALES = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
"""Factors of all costs that are tried."""


@dataclass(frozen=True)
class Calibration:
    """What was tried.

    Attributes:
        data: names of the development sets.
        words: number of recognised words.
        cross_entropy: bits per word for each scale (`recognizer.evaluation.confidence`).
        normalized: NIST's normalised cross entropy for each scale: 0 knows no more than how many
            words are right, 1 knows which.
    """

    data: tuple[str, ...]
    words: int
    cross_entropy: dict[float, float]
    normalized: dict[float, float]

    @property
    def best(self) -> float:
        """The scale of the lowest cross entropy; among equals the one nearest to one."""
        return min(self.cross_entropy, key=lambda s: (self.cross_entropy[s], abs(s - 1)))


def calibrate(
    corpora: Sequence[Corpus],
    model: str | Path,
    scales: Sequence[float] = SCALES,
    *,
    jobs: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> Calibration:
    """Measure the confidences of a tuned model's words with several scales.

    Args:
        corpora: the development sets.
        model: the model directory.
        scales: what to try.
        jobs: processes; each loads the model.
        progress: called after each utterance.

    Raises:
        UsageError: no development set, or no scale.
        SpeechError: a set is empty or its audio cannot be read, or the model is damaged.
    """
    if not corpora or not scales:
        raise UsageError("expected development sets and scales of confidences, found none")
    # A damaged model is found before any process starts.
    rules = ModelBundle(model).config.text_rules
    right: list[bool] = []
    confidences: list[list[float]] = [[] for _ in scales]
    work = functools.partial(_score, Path(model), tuple(scales))
    for corpus in corpora:
        for found, columns in each_utterance(corpus.normalized(rules), work, jobs):
            right += found
            for column, one in zip(confidences, columns, strict=True):
                column += one
            progress()
    flags = np.array(right, dtype=np.bool_)
    by_scale = {scale: np.array(column) for scale, column in zip(scales, confidences, strict=True)}
    return Calibration(
        tuple(corpus.name for corpus in corpora),
        len(right),
        {scale: cross_entropy(column, flags) for scale, column in by_scale.items()},
        {scale: normalized_cross_entropy(column, flags) for scale, column in by_scale.items()},
    )


def write_scale(model: str | Path, calibration: Calibration) -> ModelConfig:
    """Freeze the best scale in ``model.toml``, with a record of how it was found."""
    config = ModelBundle(model).config
    best = calibration.best
    record = {
        "data": list(calibration.data),
        "words": calibration.words,
        "normalized_cross_entropy": round(calibration.normalized[best], 4),
    }
    config = replace(
        config,
        lattice=replace(config.lattice, confidence_scale=best),
        record={**config.record, "calibration_result": record},
    )
    return write_config(model, config).config


def _score(
    model: Path, scales: tuple[float, ...], utterance: Utterance
) -> tuple[list[bool], list[list[float]]]:
    """Which words of an utterance are right, and their confidences for each scale."""
    recognizer = loaded_recognizer(model)
    rescored = recognizer.second_pass(
        recognizer.first_pass(recognizer.acoustic_scores(utterance.samples()))
    )
    right = right_words(utterance.words, recognizer.path_words(rescored.best))
    return right, [
        [word.confidence for word in recognizer.words(rescored, confidence_scale=scale)]
        for scale in scales
    ]
