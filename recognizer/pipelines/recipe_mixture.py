"""Language models mixed of several texts, see `recognizer.pipelines.recipe.MixedText`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recognizer.data.io.files import read_lines
from recognizer.lm.estimation.estimate import estimate_ngrams
from recognizer.lm.estimation.options import DISCOUNT_FALLBACK, EstimateOptions
from recognizer.lm.model.interpolate import interpolate_ngrams
from recognizer.lm.model.prune import prune_ngrams
from recognizer.lm.ngram.model import NgramModel
from recognizer.pipelines.recipe import MixedText


def mixed_file(index: int) -> str:
    """Name of the file with the sentences of a mixed text."""
    return f"mixed-{index + 1}.txt"


def mix(
    main: NgramModel,
    mixed: Sequence[MixedText],
    directory: Path,
    vocabulary: Sequence[str],
    smoothing: EstimateOptions,
    ngrams: int,
) -> NgramModel:
    """A model interpolated with one of each mixed text, and pruned again.

    Every part knows the whole vocabulary: words that a text does not have share what its model
    gives unknown words.

    Args:
        main: the pruned model of the main text.
        mixed: the other texts.
        directory: where their sentences are, in files of `mixed_file`.
        vocabulary: words of all models.
        smoothing: of the main model; the others have their own order, no cut-offs, and fallback
            discounts where their counts do not determine them.
        ngrams: above unigrams, to leave.
    """
    models, weights = [main], [1 - sum(one.weight for one in mixed)]
    for index, one in enumerate(mixed):
        options = replace(
            smoothing,
            order=one.order,
            cutoffs=(),
            discount_fallback=smoothing.discount_fallback or DISCOUNT_FALLBACK,
        )
        lines = read_lines(directory / mixed_file(index))
        models.append(estimate_ngrams(lines, vocabulary, options).model)
        weights.append(one.weight)
    return prune_ngrams(interpolate_ngrams(models, weights), ngrams=ngrams)
