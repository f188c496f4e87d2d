"""Hybrid HMM/LSTM speech recognition: audio in, words with times out.

>>> from recognizer import Recognizer
>>> Recognizer().recognize("interview.wav").text
'well to begin with ...'

The names below are the public interface; each is imported when it is first used, so that
``recognize --help`` need not wait for numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recognizer.data.errors import SpeechError as SpeechError
    from recognizer.data.errors import UsageError as UsageError
    from recognizer.decoding.rescoring.rescore import RescoringOptions as RescoringOptions
    from recognizer.evaluation.word_alignment import word_error_rate as word_error_rate
    from recognizer.model.bundle import ModelBundle as ModelBundle
    from recognizer.recognizer import Recognizer as Recognizer
    from recognizer.result import Hypothesis as Hypothesis
    from recognizer.result import Result as Result
    from recognizer.result import Word as Word

_HOMES = {
    "Hypothesis": "recognizer.result",
    "ModelBundle": "recognizer.model.bundle",
    "Recognizer": "recognizer.recognizer",
    "RescoringOptions": "recognizer.decoding.rescoring.rescore",
    "Result": "recognizer.result",
    "SpeechError": "recognizer.data.errors",
    "UsageError": "recognizer.data.errors",
    "Word": "recognizer.result",
    "word_error_rate": "recognizer.evaluation.word_alignment",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
