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
from recognizer.vocabulary.adaptation import NO_ADAPTATION, Adaptation
from recognizer.vocabulary.domain import check_lm_weight, read_domain_lm

LM_WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of a domain's language model: those that are tried where nothing else is said."""


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
class Search:
    """What a search of the development sets is made with.

    Attributes:
        acoustic_scale: of both passes.
        lm_weight: of a domain's language model; None: there is none.
    """

    acoustic_scale: float
    lm_weight: float | None = None


@dataclass(frozen=True)
class Point:
    """One combination and its errors on each development set."""

    search: Search
    rescoring: RescoringOptions
    counts: tuple[ErrorCounts, ...]

    @property
    def acoustic_scale(self) -> float:
        """Of both passes."""
        return self.search.acoustic_scale

    @property
    def wer(self) -> float:
        """Mean of the sets' word error rates in percent: a larger set does not outvote another."""
        return sum(counts.wer for counts in self.counts) / len(self.counts)


@dataclass(frozen=True)
class Tuning:
    """What was tried.

    Attributes:
        data: names of the development sets.
        first_pass: errors of the first pass on each set, for each search.
        points: every combination.
    """

    data: tuple[str, ...]
    first_pass: dict[Search, tuple[ErrorCounts, ...]]
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
                p.search.lm_weight or 0.0,
            ),
        )

    def table(self) -> str:
        """All combinations as a Markdown table, word error rates in percent."""
        given = any(search.lm_weight is not None for search in self.first_pass)
        weight = ("LM weight",) if given else ()
        names = (*weight, "acoustic scale", "LM scale", "penalty", "pass", *self.data, "mean")

        def of(search: Search) -> tuple[str, ...]:
            shown = () if search.lm_weight is None else (f"{search.lm_weight:g}",)
            return (*shown, f"{search.acoustic_scale:g}")

        rows = []
        for search, counts in self.first_pass.items():
            mean = sum(c.wer for c in counts) / len(counts)
            rows.append((*of(search), "", "", "first", *_rates(counts), f"{mean:.2f}"))
        for point in sorted(self.points, key=lambda point: point.wer):
            options = point.rescoring
            rows.append(
                (
                    *of(point.search),
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
    adaptation: Adaptation = NO_ADAPTATION,
    lm_weights: Sequence[float] = LM_WEIGHTS,
) -> Tuning:
    """Score every combination of the grid on development sets.

    Each utterance's network outputs are computed once, its lattice once for each acoustic scale and
    each weight of a domain's language model; all combinations for the second pass are scored on
    that lattice.

    Args:
        corpora: the development sets.
        model: the model directory.
        grid: what to try.
        jobs: processes; each loads the model.
        progress: called after each utterance.
        adaptation: what the recogniser is given at run time; the weight of its `lm`, if there is
            one, is chosen too. Where others than this process work, language models must be files.
        lm_weights: weights of that model to try.

    Raises:
        UsageError: no development set; impossible weights; an `lm` that has its weight already.
        SpeechError: a set is empty or its audio cannot be read, or the model is damaged.
    """
    if not corpora:
        raise UsageError("expected a development set, found none")
    # A damaged model is found before any process starts.
    rules = ModelBundle(model).config.text_rules
    if adaptation.lm is not None and not (
        isinstance(adaptation.lm, str) and adaptation.lm_weight is None
    ):
        raise UsageError("lm: expected a file without a weight, found one that has its weight")
    weights = (None,) if adaptation.lm is None else _checked_weights(lm_weights)
    searches = tuple(
        Search(scale, weight) for weight, scale in product(weights, grid.acoustic_scales)
    )
    first: dict[Search, list[ErrorCounts]] = {search: [] for search in searches}
    second: dict[tuple[Search, RescoringOptions], list[ErrorCounts]] = {
        pair: [] for pair in product(searches, grid.rescoring)
    }
    for corpus in corpora:
        for counts in (*first.values(), *second.values()):
            counts.append(ErrorCounts())
        work = functools.partial(_score, Path(model), adaptation, searches, grid.rescoring)
        normalized = corpus.normalized(rules)
        for first_counts, second_counts in each_utterance(normalized, work, jobs):
            for counts, one in zip(first.values(), first_counts, strict=True):
                counts[-1] += one
            for counts, one in zip(second.values(), second_counts, strict=True):
                counts[-1] += one
            progress()
    return Tuning(
        tuple(corpus.name for corpus in corpora),
        {search: tuple(counts) for search, counts in first.items()},
        tuple(Point(search, options, tuple(c)) for (search, options), c in second.items()),
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


def _checked_weights(weights: Sequence[float]) -> tuple[float, ...]:
    if not weights or len(set(weights)) != len(weights):
        raise UsageError(f"lm_weights: expected distinct values, found {list(weights)}")
    for weight in weights:
        check_lm_weight(weight)
    return tuple(weights)


@functools.lru_cache(maxsize=1)
def _recognizers(
    model: Path, adaptation: Adaptation, searches: tuple[Search, ...]
) -> tuple[Recognizer, ...]:
    """This process's recognisers, one for each search; they share the model's parts."""
    bundle = ModelBundle(model)
    domain = read_domain_lm(bundle, adaptation.lm) if isinstance(adaptation.lm, str) else None
    weights = dict.fromkeys(search.lm_weight for search in searches)
    mixed = {weight: None if domain is None else domain.mixed(weight) for weight in weights}
    return tuple(
        Recognizer(
            bundle,
            acoustic_scale=search.acoustic_scale,
            adaptation=replace(adaptation, lm=mixed[search.lm_weight]),
        )
        for search in searches
    )


def _score(
    model: Path,
    adaptation: Adaptation,
    searches: tuple[Search, ...],
    rescoring: tuple[RescoringOptions, ...],
    utterance: Utterance,
) -> tuple[list[ErrorCounts], list[ErrorCounts]]:
    """Errors of the first pass for each search, and of every combination."""
    recognizers = _recognizers(model, adaptation, searches)
    scores = recognizers[0].acoustic_scores(utterance.samples())
    reference = utterance.words
    first, second = [], []
    count = functools.cache(functools.partial(count_errors, reference))
    for recognizer in recognizers:
        lattice = recognizer.first_pass(scores)
        first.append(count(recognizer.path_words(recognizer.first_best(lattice))))
        for words in recognizer.second_passes(lattice, rescoring):
            second.append(count(words))
    return first, second


def _rates(counts: Sequence[ErrorCounts]) -> tuple[str, ...]:
    return tuple(f"{one.wer:.2f}" for one in counts)
