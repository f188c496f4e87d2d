"""The recogniser of this process, for work that is cut into many small pieces."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

from recognizer.model.bundle import ModelBundle
from recognizer.model.files import CONFIG, DEFAULT_MODEL
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.grammar import Grammar
from recognizer.vocabulary.phrases import Phrase
from recognizer.vocabulary.words import NewWord


def loaded_recognizer(
    model: str | Path | None,
    minimum_bayes_risk: bool = False,
    words: tuple[NewWord, ...] = (),
    boost: tuple[Phrase, ...] = (),
    grammar: Grammar | None = None,
    lm: str | None = None,
    lm_weight: float | None = None,
    neural_lm: str | None = None,
    neural_weight: float | None = None,
) -> Recognizer:
    """This process's recogniser: loaded once, not once an utterance."""
    config = (DEFAULT_MODEL if model is None else Path(model)) / CONFIG
    # A model that was tuned since is another one.
    stamp = config.stat().st_mtime_ns if config.is_file() else 0
    return _loaded(
        model,
        minimum_bayes_risk,
        words,
        boost,
        grammar,
        lm,
        lm_weight,
        neural_lm,
        neural_weight,
        stamp,
    )


@functools.lru_cache(maxsize=1)
def _loaded(
    model: str | Path | None,
    minimum_bayes_risk: bool,
    words: tuple[NewWord, ...],
    boost: tuple[Phrase, ...],
    grammar: Grammar | None,
    lm: str | None,
    lm_weight: float | None,
    neural_lm: str | None,
    neural_weight: float | None,
    stamp: int,
) -> Recognizer:
    bundle = ModelBundle(model)
    options = bundle.config.neural_rescoring
    if neural_weight is not None:
        options = replace(options, weight=neural_weight)
    return Recognizer(
        bundle,
        minimum_bayes_risk=minimum_bayes_risk,
        words=words,
        boost=boost,
        grammar=grammar,
        lm=lm,
        lm_weight=lm_weight,
        neural_lm=neural_lm,
        neural_rescoring=None if neural_lm is None else options,
    )
