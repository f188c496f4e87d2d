"""What a recogniser is given at run time beside its model: words, phrases, a grammar, models."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.neural.word_model import NeuralLanguageModel
from recognizer.model.files import file_record
from recognizer.vocabulary.domain import LM_WEIGHT, MixedLm, check_lm_weight
from recognizer.vocabulary.grammar import Grammar
from recognizer.vocabulary.phrases import Phrase, as_phrases
from recognizer.vocabulary.words import NewWord, as_new_words, classes_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AdaptationArguments(TypedDict, total=False):
    """The fields of `Adaptation` as keyword arguments, which also take strings and paths."""

    words: Iterable[str | NewWord]
    boost: Iterable[str | Phrase]
    grammar: str | Grammar | None
    lm: str | os.PathLike[str] | MixedLm | None
    lm_weight: float | None
    neural_lm: str | os.PathLike[str] | NeuralLanguageModel | None
    neural_weight: float | None


@dataclass(frozen=True)
class Adaptation:
    """What a recogniser is given at run time beside its model; nothing by default.

    Attributes:
        words: words that the model does not have, or new pronunciations of words that it has.
        boost: words and phrases that get a bonus in the first two passes. Words that neither the
            model nor `words` has are added.
        grammar: the sentences that may be said, in place of the language models. Words that neither
            the model nor `words` has are added. What is said outside of it is rejected
            (`recognizer.recognition.result.Result.rejected`).
        lm: the language model of a domain, mixed with the model's own: a file as
            `recognizer.vocabulary.domain.read_domain_lm` takes it, or the
            `recognizer.recognizer.Recognizer.lm` of a recogniser of the same model, which is mixed
            already. Its words are added.
        lm_weight: weight of the domain's model beside the model's own, above 0 and below 1; None:
            `recognizer.vocabulary.domain.LM_WEIGHT`.
        neural_lm: a neural language model or its file (``recognizer lm neural train``), which
            rescores the lattices of the second pass; None: the model's own, if it has one.
        neural_weight: its weight beside the n-gram model, 0 to 1; 0: there is no third pass; None:
            the model's own option.

    Raises:
        UsageError: an impossible weight, or one without the language model that it belongs to; a
            grammar beside what it takes the place of: another language model, or words of its
            classes.
    """

    words: tuple[NewWord, ...] = ()
    boost: tuple[Phrase, ...] = ()
    grammar: Grammar | None = None
    lm: str | MixedLm | None = None
    lm_weight: float | None = None
    neural_lm: str | NeuralLanguageModel | None = None
    neural_weight: float | None = None

    def __post_init__(self) -> None:
        if self.lm_weight is not None:
            if not isinstance(self.lm, str):
                found = "none" if self.lm is None else "one that has its weight already"
                raise UsageError(f"lm_weight: expected the file of a language model, found {found}")
            check_lm_weight(self.lm_weight)
        if self.neural_weight is not None and not 0.0 <= self.neural_weight <= 1.0:
            raise UsageError(
                f"neural_weight: expected a number from 0 to 1, found {self.neural_weight}"
            )
        if self.grammar is not None:
            for name, is_given in (
                ("lm", self.lm is not None),
                ("neural_lm", self.neural_lm is not None),
                ("words of a class", bool(classes_of(self.words))),
            ):
                if is_given:
                    raise UsageError(f"{name}: expected none with a grammar, found one")

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the fields that are given."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) != one.default)

    def updated(self, **given: Unpack[AdaptationArguments]) -> Adaptation:
        """The same with other values of some fields.

        Args:
            given: the fields. Strings stand for words of which nothing else is known, for phrases
                with the default bonus, for the text of a grammar, and for paths.

        Raises:
            UsageError: as of the class; a string in place of a list of words or phrases.
            SpeechError: the text of a grammar is wrong.
        """
        values: dict[str, Any] = dict(given)
        for name in ("words", "boost"):
            if isinstance(values.get(name), str):
                raise UsageError(f"{name}: expected a list, found the string {values[name]!r}")
        if "words" in given:
            values["words"] = as_new_words(given["words"])
        if "boost" in given:
            values["boost"] = as_phrases(given["boost"])
        if isinstance(values.get("grammar"), str):
            values["grammar"] = Grammar(values["grammar"])
        for name in ("lm", "neural_lm"):
            if isinstance(values.get(name), os.PathLike):
                values[name] = os.fspath(values[name])
        return replace(self, **values)

    def settings(self) -> dict[str, Any]:
        """What is given, as plain values; files by the hashes of their contents.

        Raises:
            UsageError: a language model that is open already, of which no file is known.
            SpeechError: a file cannot be read.
        """
        settings: dict[str, Any] = {}
        if self.words:
            settings["words"] = [
                [one.word, " ".join(one.phones or ()), one.like or "", one.weight]
                for one in self.words
            ]
        if self.boost:
            settings["boost"] = [[" ".join(one.words), one.log_weight] for one in self.boost]
        if self.grammar is not None:
            settings["grammar"] = [self.grammar.text, self.grammar.rejection_cost]
        if self.lm is not None:
            weight = LM_WEIGHT if self.lm_weight is None else self.lm_weight
            settings["lm"] = [_sha256("lm", self.lm), weight]
        if self.neural_lm is not None:
            settings["neural_lm"] = [_sha256("neural_lm", self.neural_lm), self.neural_weight]
        elif self.neural_weight is not None:
            settings["neural_weight"] = self.neural_weight
        return settings


NO_ADAPTATION = Adaptation()
"""Nothing is given: the model's own words and language models."""


def _sha256(name: str, file: object) -> str:
    if not isinstance(file, str):
        raise UsageError(f"{name}: expected the file of a language model, found an open one")
    try:
        return file_record(Path(file)).sha256
    except OSError as error:
        raise SpeechError(f"{file}: cannot be read: {error.strerror}") from None
