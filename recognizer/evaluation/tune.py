"""Chooses acoustic scale, LM scale and word insertion penalty on development sets."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import UsageError
from recognizer.decoding.rescoring.rescore import RescoringOptions
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.evaluate import each_utterance
from recognizer.evaluation.word_alignment import count_errors
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.config import ModelConfig
from recognizer.recognizer import Recognizer


@dataclass(frozen=True)
class Grid:
    """The values to try; every combination is scored.

    Attributes:
        acoustic_scales: of both passes; each costs a search of the development sets.
        lm_scales: of the second pass.
        word_insertion_penalties: of the second pass.
    """

    acoustic_scales: tuple[float, ...] = (0.07, 0.085, 0.1, 0.115)
    lm_scales: tuple[float, ...] = (0.8, 0.9, 1.0, 1.1, 1.2)
    word_insertion_penalties: tuple[float, ...] = (-0.5, 0.0, 0.5)

    def __post_init__(self) -> None:
        for name in ("acoustic_scales", "lm_scales", "word_insertion_penalties"):
            values = getattr(self, name)
            if not values:
                raise UsageError(f"{name}: expected at least one value, found none")
            if len(set(values)) != len(values):
                raise UsageError(f"{name}: expected distinct values, found {list(values)}")
        for name in ("acoustic_scales", "lm_scales"):
            if min(getattr(self, name)) <= 0:
                raise UsageError(f"{name}: expected numbers above 0, found {getattr(self, name)}")

    @property
    def rescoring(self) -> tuple[RescoringOptions, ...]:
        """Every combination for the second pass."""
        pairs = product(self.lm_scales, self.word_insertion_penalties)
        return tuple(RescoringOptions(scale, penalty) for scale, penalty in pairs)


@dataclass(frozen=True)
class Point:
    """One combination and its errors on each development set."""

    acoustic_scale: float
    rescoring: RescoringOptions
    counts: tuple[ErrorCounts, ...]

    @property
    def wer(self) -> float:
        """Mean of the sets' word error rates in percent: a larger set does not outvote another."""
        return sum(counts.wer for counts in self.counts) / len(self.counts)


@dataclass(frozen=True)
class Tuning:
    """What was tried.

    Attributes:
        data: names of the development sets.
        first_pass: errors of the first pass on each set, for each acoustic scale.
        points: every combination.
    """

    data: tuple[str, ...]
    first_pass: dict[float, tuple[ErrorCounts, ...]]
    points: tuple[Point, ...]

    @property
    def best(self) -> Point:
        """The lowest mean error rate; among equals the one nearest to neutral scales."""
        return min(
            self.points,
            key=lambda p: (
                p.wer,
                abs(p.rescoring.lm_scale - 1) + abs(p.rescoring.word_insertion_penalty),
                p.acoustic_scale,
            ),
        )

    def table(self) -> str:
        """All combinations as a Markdown table, word error rates in percent."""
        names = ("acoustic scale", "LM scale", "penalty", "pass", *self.data, "mean")
        rows = []
        for scale, counts in self.first_pass.items():
            mean = sum(c.wer for c in counts) / len(counts)
            rows.append((f"{scale:g}", "", "", "first", *_rates(counts), f"{mean:.2f}"))
        for point in sorted(self.points, key=lambda point: point.wer):
            options = point.rescoring
            rows.append(
                (
                    f"{point.acoustic_scale:g}",
                    f"{options.lm_scale:g}",
                    f"{options.word_insertion_penalty:g}",
                    "rescored",
                    *_rates(point.counts),
                    f"{point.wer:.2f}",
                )
            )
        lines = [names, ("---",) * len(names), *rows]
        return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def tune(
    corpora: Sequence[Corpus],
    model: str | Path,
    grid: Grid = Grid(),
    *,
    jobs: int = 1,
    progress: Callable[[], None] = lambda: None,
) -> Tuning:
    """Score every combination of the grid on development sets.

    Each utterance's network outputs are computed once, its lattice once for each acoustic scale;
    all combinations for the second pass are scored on that lattice.

    Args:
        corpora: the development sets.
        model: the model directory.
        grid: what to try.
        jobs: processes; each loads the model.
        progress: called after each utterance.

    Raises:
        UsageError: no development set.
        SpeechError: a set is empty or its audio cannot be read, or the model is damaged.
    """
    if not corpora:
        raise UsageError("expected a development set, found none")
    # A damaged model is found before any process starts.
    rules = ModelBundle(model).config.text_rules
    first: dict[float, list[ErrorCounts]] = {scale: [] for scale in grid.acoustic_scales}
    second: dict[tuple[float, RescoringOptions], list[ErrorCounts]] = {
        pair: [] for pair in product(grid.acoustic_scales, grid.rescoring)
    }
    for corpus in corpora:
        for counts in (*first.values(), *second.values()):
            counts.append(ErrorCounts())
        work = functools.partial(_score, Path(model), grid)
        normalized = corpus.normalized(rules)
        for first_counts, second_counts in each_utterance(normalized, work, jobs):
            for counts, one in zip(first.values(), first_counts, strict=True):
                counts[-1] += one
            for counts, one in zip(second.values(), second_counts, strict=True):
                counts[-1] += one
            progress()
    return Tuning(
        tuple(corpus.name for corpus in corpora),
        {scale: tuple(counts) for scale, counts in first.items()},
        tuple(Point(scale, options, tuple(c)) for (scale, options), c in second.items()),
    )


def write_choice(model: str | Path, tuning: Tuning) -> ModelConfig:
    """Freeze the best combination in ``model.toml``, with a record of how it was found."""
    config = ModelBundle(model).config
    best = tuning.best
    record = {
        "data": list(tuning.data),
        "combinations": len(tuning.points),
        "wer": [round(counts.wer, 4) for counts in best.counts],
    }
    config = replace(
        config,
        search=replace(config.search, acoustic_scale=best.acoustic_scale),
        rescoring=best.rescoring,
        record={**config.record, "tuning_result": record},
    )
    return write_config(model, config).config


@functools.lru_cache(maxsize=1)
def _recognizers(model: Path, grid: Grid) -> tuple[Recognizer, ...]:
    """This process's recognisers, one for each acoustic scale; they share the model's parts."""
    bundle = ModelBundle(model)
    return tuple(Recognizer(bundle, acoustic_scale=scale) for scale in grid.acoustic_scales)


def _score(
    model: Path, grid: Grid, utterance: Utterance
) -> tuple[list[ErrorCounts], list[ErrorCounts]]:
    """Errors of the first pass for each acoustic scale, and of every combination."""
    recognizers = _recognizers(model, grid)
    scores = recognizers[0].acoustic_scores(utterance.samples())
    reference = utterance.words
    first, second = [], []
    count = functools.cache(functools.partial(count_errors, reference))
    for recognizer in recognizers:
        lattice = recognizer.first_pass(scores)
        first.append(count(recognizer.path_words(recognizer.first_best(lattice))))
        for words in recognizer.second_passes(lattice, grid.rescoring):
            second.append(count(words))
    return first, second


def _rates(counts: Sequence[ErrorCounts]) -> tuple[str, ...]:
    return tuple(f"{one.wer:.2f}" for one in counts)
