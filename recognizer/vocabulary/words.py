"""Words that a model does not have, given at run time: what they are, and files of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, log

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import read_lines
from recognizer.decoding.vocabulary.extension import AddedWord
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.ngram.model import UNKNOWN
from recognizer.lm.text.classes import is_class
from recognizer.model.bundle import ModelBundle

# Of a new word's probability beside that of <unk>, natural log. A language model of a closed
# vocabulary gives <unk> next to nothing. With more, more of the words are found, and more of a long
# list where nobody says them: chosen on development sets (docs/results/vocabulary.md).
UNKNOWN_LOG_WEIGHT = 4.0
# Variants that the pronunciation model gives a word.
_VARIANTS = 2
_COLUMNS = 4


@dataclass(frozen=True)
class NewWord:
    """A word to be recognised, with one pronunciation.

    Attributes:
        word: as it shall be written in results, without white space.
        phones: in the model's phones; None: as the model's lexicon, its rules or its pronunciation
            model say.
        like: a word of the model that has the same neighbours, as "london" for a town, or a class
            of its language model, as "<city>"; None: any word that is not in the model's
            vocabulary.
        weight: factor of the word's probability, > 0; in a class, how likely the word is beside the
            others.
        source: where it was read, for messages.

    Raises:
        UsageError: an impossible value.
    """

    word: str
    phones: tuple[str, ...] | None = None
    like: str | None = None
    weight: float = 1.0
    source: str = field(default="words", compare=False)

    def __post_init__(self) -> None:
        if self.word.split() != [self.word] or self.word.startswith("<"):
            raise UsageError(f"{self.source}: expected one word, found {self.word!r}")
        if self.phones is not None and not self.phones:
            raise UsageError(
                f"{self.source}: word {self.word!r}: expected at least one phone, found none"
            )
        if not 0.0 < self.weight < inf:
            raise UsageError(
                f"{self.source}: word {self.word!r}: expected a weight > 0, found {self.weight}"
            )


def read_words(path: str | os.PathLike[str]) -> tuple[NewWord, ...]:
    """Words of a file: a line for each pronunciation, in up to four columns between tabs.

    The columns are the word, its pronunciation (phones between blanks), a word of the model that
    it is like or a class that it is in, and its weight. Columns may be left empty. Empty lines are
    skipped.

    Args:
        path: of a text file in UTF-8.

    Returns:
        A word for each line, in the file's order.

    Raises:
        SpeechError: the file cannot be read or a line is not like that; names file and line.
    """
    words = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        source = f"{path}:{number}"
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) > _COLUMNS:
            found = len(columns)
            raise SpeechError(f"{source}: expected at most {_COLUMNS} columns, found {found}")
        word, phones, like, weight = columns + [""] * (_COLUMNS - len(columns))
        try:
            factor = float(weight) if weight else 1.0
        except ValueError:
            raise SpeechError(f"{source}: expected a weight > 0, found {weight!r}") from None
        try:
            one = NewWord(word, tuple(phones.split()) or None, like or None, factor, source)
        except UsageError as error:
            raise SpeechError(str(error)) from None
        words.append(one)
    return tuple(words)


def as_new_words(words: Iterable[str | NewWord]) -> tuple[NewWord, ...]:
    """Words as `NewWord`; a string is a word of which nothing else is known.

    Raises:
        UsageError: a string that is not one word.
    """
    return tuple(NewWord(word) if isinstance(word, str) else word for word in words)


def classes_of(words: Iterable[NewWord]) -> dict[str, set[str]]:
    """The words of each class."""
    classes: dict[str, set[str]] = {}
    for one in words:
        if one.like is not None and is_class(one.like):
            classes.setdefault(one.like, set()).add(one.word)
    return classes


def class_of_words(words: Iterable[NewWord]) -> dict[str, str]:
    """The class of each word that is in one, as text is written with classes.

    Raises:
        SpeechError: a word is in two classes; names file and line.
    """
    class_of: dict[str, str] = {}
    for one in words:
        if one.like is None or not is_class(one.like):
            continue
        if class_of.setdefault(one.word, one.like) != one.like:
            raise SpeechError(
                f"{one.source}: word {one.word!r}: expected one class, "
                f"found {class_of[one.word]} and {one.like}"
            )
    return class_of


class SpokenWords:
    """The words that a graph has, or will have, for words as they are written.

    A word that the model does not have as it is written stands for the words of its normal form
    ("MP3": "mp three"), if the model has these. Others are new.

    Args:
        bundle: the model.
        words: those that it is given.
        others: more words that the graph will have, with their pronunciations already.

    Attributes:
        new: the given words, and then those that were asked for and are new.
    """

    def __init__(
        self, bundle: ModelBundle, words: Sequence[NewWord], others: Iterable[str] = ()
    ) -> None:
        self.new = list(words)
        self._bundle = bundle
        self._given = {*(one.word for one in words), *others}

    @cached_property
    def _known(self) -> frozenset[str]:
        # Only made when a word is asked for: it takes a while, and most recognisers are given none.
        return frozenset(self._bundle.graph.words)

    def find(self, word: str, source: str) -> tuple[str, ...]:
        """The words for a written one that stands in a source."""
        if word in self._known or word in self._given:
            return (word,)
        normal = tuple(self._bundle.text_rules.normalize(word).split())
        if normal and self._known.issuperset(normal):
            return normal
        self.new.append(NewWord(word, source=source))
        self._given.add(word)
        return (word,)


def added_words(
    bundle: ModelBundle,
    words: Sequence[NewWord],
    lm: NgramAutomaton | None = None,
    unknown_log_weight: float = UNKNOWN_LOG_WEIGHT,
) -> list[AddedWord]:
    """What a model's graph lacks of these words, with their pronunciations and costs.

    A word that the model has gets pronunciations that are given, and is scored as itself. Without
    one there is nothing to add. Words of a class are added in any case; their weights are scaled to
    sum to 1 over the class, that of a word with several pronunciations being its highest.

    Args:
        bundle: the model.
        words: the words.
        lm: the language model of the first pass; None: the bundle's.
        unknown_log_weight: natural log, of a word that is scored as `<unk>`.

    Raises:
        SpeechError: a phone or a word that the model lacks, or a word that nothing can pronounce.
    """
    known = set(bundle.graph.words)
    rules = bundle.text_rules
    phones, lm = set(bundle.phones.base_phones), bundle.first_pass_lm if lm is None else lm
    totals = _class_totals(words)
    new = []
    for one in words:
        for phone in one.phones or ():
            if phone not in phones:
                raise SpeechError(
                    f"{one.source}: word {one.word!r}: expected phones of the model "
                    f"({' '.join(sorted(phones))}), found {phone!r}"
                )
        if one.like is not None and one.like not in lm:
            what = "to be in a class" if is_class(one.like) else "to be like a word"
            raise SpeechError(
                f"{one.source}: word {one.word!r}: expected {what} of the model, found {one.like!r}"
            )
        if one.like in totals:
            new.append(one)
            continue
        has = one.word in known or (one.phones is None and rules.normalize(one.word) in known)
        if has and one.like is not None:
            raise SpeechError(
                f"{one.source}: word {one.word!r}: expected no word that it is like, "
                f"for the model has it"
            )
        if has and one.phones is None and one.weight != 1.0:
            raise SpeechError(
                f"{one.source}: word {one.word!r}: expected no weight, for the model has the word: "
                f"give it a bonus among the boosted phrases"
            )
        if one.phones is not None or not has:
            new.append(one)
    # The language model may have words that the graph lacks, for want of a pronunciation.
    unknown = {one for one in new if one.like is None and one.word not in lm}
    if unknown and lm.word_ids([UNKNOWN])[0] < 0:
        source = min(one.source for one in unknown)
        raise SpeechError(
            f"{source}: expected words of the model that new words are like, for its language "
            f"model has no {UNKNOWN}"
        )
    pronounced = _pronounced(bundle, [one for one in new if one.phones is None])
    added = []
    for one in new:
        cost = log(totals.get(one.like, 1.0)) - log(one.weight)
        if one in unknown:
            cost -= unknown_log_weight
        scored_as = one.like or (UNKNOWN if one in unknown else one.word)
        ways = pronounced[one.word] if one.phones is None else [(one.phones, 1.0)]
        for sequence, probability in ways:
            added.append(AddedWord(one.word, sequence, cost - log(probability), scored_as))
    return added


def _class_totals(words: Iterable[NewWord]) -> dict[str | None, float]:
    """The sum of the weights of each class."""
    highest: dict[tuple[str, str], float] = {}
    for one in words:
        if one.like is not None and is_class(one.like):
            key = (one.like, one.word)
            highest[key] = max(one.weight, highest.get(key, 0.0))
    totals: dict[str | None, float] = {}
    for (name, _), weight in highest.items():
        totals[name] = totals.get(name, 0.0) + weight
    return totals


def _pronounced(
    bundle: ModelBundle, words: Sequence[NewWord]
) -> dict[str, list[tuple[tuple[str, ...], float]]]:
    """Pronunciations of words, with probabilities relative to the likeliest one."""
    if not words:
        return {}
    pronouncer = bundle.pronouncer
    try:
        found = pronouncer.pronounce([one.word for one in words], _VARIANTS)
    except SpeechError as error:
        # The message names the word; find the line it stands on.
        for one in words:
            if repr(one.word) in str(error):
                raise SpeechError(f"{one.source}: {error}") from None
        raise
    return {one.word: [(e.phones, e.probability) for e in found[one.word]] for one in words}
