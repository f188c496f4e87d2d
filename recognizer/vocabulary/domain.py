"""A domain's language model beside a model's own: read or estimated, and mixed at run time.

The first pass needs one n-gram automaton, for its look-ahead: there, the two models are
interpolated into one (`recognizer.lm.model.interpolate`), which takes seconds. The second pass asks
both models (`recognizer.lm.model.mixture`).
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import log

import numpy as np

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import DAMAGE, open_bytes, read_lines
from recognizer.data.text.rules import TextRules
from recognizer.decoding.rescoring.models import EpsilonBackoff
from recognizer.decoding.vocabulary.extension import AddedWord
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.automaton.ngrams import ngram_model
from recognizer.lm.model.interpolate import interpolate_ngrams
from recognizer.lm.model.mixture import LinearMixture
from recognizer.lm.model.model_files import is_binary, read_ngrams
from recognizer.lm.ngram.model import SPECIAL_WORDS, UNKNOWN, NgramModel
from recognizer.lm.text.classes import is_class, split_at_classes
from recognizer.lm.text.text_files import read_sentences
from recognizer.model.bundle import ModelBundle

LM_WEIGHT = 0.2
"""Of a domain's model where nothing else is said."""

_LOG = logging.getLogger(__name__)
_ORDER = 3  # of a model that is estimated on the spot
_VARIANTS = 2  # pronunciations of a word that the pronunciation model gives
_NEVER = -99.0  # log10 probability; as ARPA files write it
_ARPA_HEADER = re.compile(rb"^\s*\\data\\\s*$", re.MULTILINE)
_HEAD_BYTES = 1 << 16
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class DomainLm:
    """The language model of a domain, for one acoustic model's words.

    Attributes:
        path: where it came from.
        bundle: the model that it goes with.
        ngrams: its n-grams; what it says of words that it does not know is left out.
        words: pronunciations of its words that the model's graph lacks.
        missing: those of these words that have no pronunciation in the model's phones.
        classes: where each of its word classes (`<city>`) stands first, for messages.
    """

    path: str
    bundle: ModelBundle
    ngrams: NgramModel = field(repr=False)
    words: tuple[AddedWord, ...] = field(repr=False)
    missing: tuple[str, ...] = field(repr=False)
    classes: Mapping[str, str] = field(repr=False)

    def mixed(self, weight: float | None = None) -> MixedLm:
        """Interpolate with the model's own language models; takes seconds.

        Args:
            weight: of this model, above 0 and below 1; None: `LM_WEIGHT`.

        Raises:
            UsageError: an impossible weight.
        """
        weight = LM_WEIGHT if weight is None else weight
        check_lm_weight(weight)
        bundle, weights = self.bundle, (1.0 - weight, weight)
        first = interpolate_ngrams([ngram_model(bundle.first_pass_lm), self.ngrams], weights)
        domain = NgramAutomaton.from_model(self.ngrams)
        rescoring = LinearMixture((bundle.rescoring_lm, domain), weights)
        return MixedLm(self, weight, NgramAutomaton.from_model(first), rescoring)

    def warn_of_missing(self, given: Collection[str]) -> None:
        """Log which words of the domain cannot be recognised.

        Args:
            given: words that have a pronunciation all the same.
        """
        missing = [word for word in self.missing if word not in given]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
            _LOG.warning(
                "%s: %d of its words cannot be recognised, for they have no pronunciation: %s",
                self.path,
                len(missing),
                shown,
            )


@dataclass(frozen=True, eq=False)
class MixedLm:
    """The language models of both passes with a domain's mixed in.

    Attributes:
        domain: the domain's model.
        weight: its weight; that of the model's own is 1 less this.
        first_pass: of the first pass.
        rescoring: of the second pass.
    """

    domain: DomainLm
    weight: float
    first_pass: NgramAutomaton = field(repr=False)
    rescoring: LinearMixture = field(repr=False)

    @property
    def first_pass_scores(self) -> NgramAutomaton | EpsilonBackoff:
        """The language model of the first pass, backing off as the first pass does."""
        epsilon = self.domain.bundle.config.first_pass.backoff == "epsilon"
        return EpsilonBackoff(self.first_pass) if epsilon else self.first_pass

    def check_classes(self, filled: Collection[str]) -> None:
        """Make sure that every class has words.

        Args:
            filled: the classes that have.

        Raises:
            SpeechError: one has none; names the file and the line where it stands.
        """
        for name, place in self.domain.classes.items():
            if name not in filled:
                raise SpeechError(
                    f"{place}: expected words that are like {name} in the list of words, found none"
                )


def check_lm_weight(weight: float) -> None:
    """Refuse what is no weight of a domain's model.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if not 0.0 < weight < 1.0:
        raise UsageError(f"lm_weight: expected a number above 0 and below 1, found {weight}")


def read_domain_lm(bundle: ModelBundle, path: str | os.PathLike[str]) -> DomainLm:
    r"""Read a domain's language model, or estimate it.

    Args:
        bundle: the model that it goes with.
        path: an ARPA file, a binary (.ngram), or text, one sentence a line, that a trigram model is
            estimated of. Text is normalised by the model's text rules. A file may be compressed
            (.gz, .xz, .zst); it is ARPA if a line is `\data\`.

    Raises:
        UsageError: the model searches a static graph.
        SpeechError: the file is missing or damaged; a model of pieces of words.
    """
    path = os.fspath(path)
    if bundle.config.first_pass.search == "static":
        raise UsageError(
            f"{bundle.path}: expected a model that searches on the fly, to mix a language model "
            f"into its own: found one with a static graph"
        )
    if bundle.config.units == "pieces":
        raise SpeechError(
            f"{bundle.path}: expected a model of whole words, to mix a language model into its "
            f"own: found one of pieces of words"
        )
    known = set(bundle.graph.words)
    classes: dict[str, str] = {}
    if is_binary(path) or _is_arpa(path):
        ngrams = _known_spellings(read_ngrams(path), known, bundle.text_rules)
        for word in filter(is_class, ngrams.vocabulary):
            classes[word] = _place_in_arpa(path, word)
    else:
        ngrams = _estimated(path, bundle.text_rules, classes)
    new = [
        word
        for word in ngrams.vocabulary
        if word not in known and word not in SPECIAL_WORDS and not is_class(word)
    ]
    written = [word for word in new if _normal(bundle.text_rules, word)]
    found = bundle.pronouncer.pronounce(written, _VARIANTS, allow_missing=True) if written else ()
    phones = set(bundle.phones.base_phones)
    words = tuple(
        AddedWord(e.word, e.phones, -log(e.probability), e.word)
        for e in found
        if phones.issuperset(e.phones)
    )
    missing = tuple(sorted(set(new) - {one.word for one in words}))
    return DomainLm(path, bundle, _without_unknown(ngrams), words, missing, classes)


def _is_arpa(path: str) -> bool:
    with open_bytes(path) as stream:
        try:
            return _ARPA_HEADER.search(stream.read(_HEAD_BYTES)) is not None
        except DAMAGE as error:
            raise SpeechError(f"{path}: damaged: {error}") from error


def _place_in_arpa(path: str, word: str) -> str:
    """The file and, where it is text, the line that a unigram stands on."""
    if not is_binary(path):
        for number, line in enumerate(read_lines(path), start=1):
            if line.split()[1:2] == [word]:
                return f"{path}:{number}"
    return path


def _known_spellings(ngrams: NgramModel, known: Collection[str], rules: TextRules) -> NgramModel:
    """The n-grams with words as the model writes them: `LONDON` is `london` where it has that.

    Only words that the model lacks are written differently, and only if no other word of the
    n-grams is written so.
    """
    written = list(ngrams.vocabulary)
    taken = set(written)
    for row, word in enumerate(written):
        if word in known or word in SPECIAL_WORDS or is_class(word):
            continue
        normal = _normal(rules, word)
        if normal in known and normal not in taken:
            written[row] = normal
            taken.add(normal)
    return replace(ngrams, vocabulary=tuple(written))


def _normal(rules: TextRules, word: str) -> str:
    """A word's normal form; empty where the rules refuse it."""
    try:
        return rules.normalize(word)
    except SpeechError:
        return ""


def _estimated(path: str, rules: TextRules, classes: dict[str, str]) -> NgramModel:
    """A model of a text, whose classes are added to `classes` with the lines they stand on."""
    lines = list(_sentences(path, rules, classes))
    if not lines:
        raise SpeechError(f"{path}: expected words, found none")
    # Recognising goes without the native module of estimation (`make recognize`).
    from recognizer.lm.estimation.estimate import (
        DISCOUNT_FALLBACK,
        EstimateOptions,
        estimate_ngrams,
    )

    options = EstimateOptions(order=_ORDER, discount_fallback=DISCOUNT_FALLBACK)
    return estimate_ngrams(lines, options=options).model


def _sentences(path: str, rules: TextRules, classes: dict[str, str]) -> Iterator[str]:
    for number, line in enumerate(read_sentences(path), start=1):
        parts = split_at_classes(line)
        for row, part in enumerate(parts):
            if row % 2:
                classes.setdefault(part, f"{path}:{number}")
            else:
                try:
                    parts[row] = rules.normalize(part)
                except SpeechError as error:
                    raise SpeechError(f"{path}:{number}: {error}") from None
        sentence = " ".join(part for part in parts if part)
        if sentence:
            yield sentence


def _without_unknown(ngrams: NgramModel) -> NgramModel:
    """The n-grams, of which none predicts `<unk>`.

    Words that are added at run time are scored as `<unk>` of a model that has a closed vocabulary,
    which is next to nothing. A small model gives it a good share of all probability.
    """
    unknown = ngrams.word_ids[UNKNOWN]
    levels = tuple(
        replace(level, log10_probs=np.where(level.words == unknown, _NEVER, level.log10_probs))
        for level in ngrams.levels
    )
    return replace(ngrams, levels=levels)
