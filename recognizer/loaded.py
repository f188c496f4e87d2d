"""The recogniser of this process, for work that is cut into many small pieces."""

from __future__ import annotations

import functools
from pathlib import Path

from recognizer.model.files import CONFIG, DEFAULT_MODEL
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.adaptation import NO_ADAPTATION, Adaptation


def loaded_recognizer(
    model: str | Path | None,
    minimum_bayes_risk: bool = False,
    adaptation: Adaptation = NO_ADAPTATION,
) -> Recognizer:
    """This process's recogniser: loaded once, not once an utterance."""
    config = (DEFAULT_MODEL if model is None else Path(model)) / CONFIG
    # A model that was tuned since is another one.
    stamp = config.stat().st_mtime_ns if config.is_file() else 0
    return _loaded(model, minimum_bayes_risk, adaptation, stamp)


@functools.lru_cache(maxsize=1)
def _loaded(
    model: str | Path | None, minimum_bayes_risk: bool, adaptation: Adaptation, stamp: int
) -> Recognizer:
    return Recognizer(model, minimum_bayes_risk=minimum_bayes_risk, adaptation=adaptation)
