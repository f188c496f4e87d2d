"""The scores that experts gave to the words and phones of speechocean762.

Zhang et al. 2021, "speechocean762: An open-source non-native English speech corpus for
pronunciation assessment". Five experts listened to each utterance. They gave each word an accuracy
from 0 to 10, and each phone 2 (right), 1 (with a heavy accent) or 0 (wrong or missing). Both forms
in which the corpus's repository has published them are read: ``scores.json`` with one score for
each word and phone, and ``utt2score`` or ``scores-detail.json`` with one from each expert. There,
phones are written ``AH``, ``{AH}`` and ``(AH)`` for 2, 1 and 0, and ``[AH]`` is one too many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recognizer.data.errors import SpeechError

_MARKED = re.compile(r"\[[^\]]*\]|\(([^)]*)\)|\{([^}]*)\}|([^\s(){}\[\]]+)")

_PARTS = {
    "AX": ("AH",), "AXR": ("ER",), "OO": ("AA",), "EE": ("ER",), "AR": ("EH", "R"),
    "IR": ("IH", "R"), "UR": ("UH", "R"), "TS": ("T", "S"), "TR": ("T", "R"), "DR": ("D", "R"),
    "DZ": ("D", "Z"),
}  # fmt: skip
"""Phones of ``utt2score`` that the CMU dictionary writes otherwise."""


@dataclass(frozen=True)
class ExpertWord:
    """What experts say of one word.

    Attributes:
        text: the word in lower case.
        accuracy: mean over the experts, 0 to 10.
        phones: of each expert, the phones of the CMU dictionary without stress, and the score of
            each, 0 to 2.
    """

    text: str
    accuracy: float
    phones: tuple[tuple[tuple[str, float], ...], ...]


def read_expert_scores(path: Path) -> dict[str, tuple[ExpertWord, ...]]:
    """The words of each utterance, by its id.

    Raises:
        SpeechError: the file cannot be read or has another form.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if "\t" in text.split("\n", 1)[0]:
            rows = (line.split("\t", 1) for line in text.splitlines() if line.strip())
            table = {key: json.loads(value) for key, value in rows}
        else:
            table = json.loads(text)
        return {key: tuple(map(_word, value["words"])) for key, value in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpeechError(
            f"{path}: expected scores.json, scores-detail.json or utt2score of speechocean762, "
            f"found {type(error).__name__}: {error}"
        ) from error


def _word(table: Mapping[str, Any]) -> ExpertWord:
    accuracy = table["accuracy"]
    if "phones-accuracy" in table:
        names = table["phones"]
        names = names.split() if isinstance(names, str) else names
        scored = zip(names, table["phones-accuracy"], strict=True)
        phones = (tuple((_plain(name), float(score)) for name, score in scored),)
        return ExpertWord(table["text"].lower(), float(accuracy), phones)
    return ExpertWord(
        table["text"].lower(), _mean(accuracy), tuple(map(marked_phones, table["phones"]))
    )


def marked_phones(text: str) -> tuple[tuple[str, float], ...]:
    """The phones of one expert's word and their scores; those that are too many are left out."""
    found = []
    for wrong, accented, right in _MARKED.findall(text):
        score = 0.0 if wrong else 1.0 if accented else 2.0
        for name in (wrong or accented or right).split():
            plain = _plain(name)
            found += [(part, score) for part in _PARTS.get(plain, (plain,))]
    return tuple(found)


def _plain(phone: str) -> str:
    return phone.rstrip("0123456789").upper()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
