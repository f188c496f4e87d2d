"""Rule sets: how a language is written, so that transcripts, text and lexicons have the same words.

A rule set has a name. The name is chosen once, in `recognizer align`, `recognizer train` or a
recipe, and a model records it: whatever is done with the model later uses the same rules. To add a
rule set, write one module with an object that has what `TextRules` asks for, and list it here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Protocol

from recognizer.data.errors import UsageError

if TYPE_CHECKING:
    from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation


class TextRules(Protocol):
    """How one language, or a group of languages, is written."""

    @property
    def name(self) -> str:
        """The name by which options and models refer to this rule set."""
        ...

    def normalize(self, text: str) -> str:
        """The words of running text as they are spoken, with single spaces between them.

        What is spelled out (numbers, abbreviations) depends on the language. The result is its
        own normal form.

        Raises:
            SpeechError: the text has something that these rules refuse.
        """
        ...

    def is_word(self, token: str) -> bool:
        """Whether a token without white space is one word in its normal form."""
        ...

    def entry_word(self, word: str) -> str:
        """The word of a lexicon's entry, written as `normalize` writes it.

        An entry that no transcript can contain, such as a punctuation mark with a name, stays
        nearly as it is: it does no harm.
        """
        ...

    def entry_phone(self, phone: str) -> str:
        """A phone of a lexicon's entry, by the name that models use."""
        ...

    def dictionary(self) -> Lexicon | None:
        """The pronunciation dictionary that comes with this package; None if there is none."""
        ...

    def with_stress(self, entries: Iterable[Pronunciation]) -> Iterable[Pronunciation]:
        """Entries whose phones are marked with their stress (`AH^1`), where it is known.

        For the training of a pronunciation model
        (`recognizer.lm.pronunciation.training.train_pronunciations`). Entries whose stress is not
        known stay as they are.
        """
        ...

    def derive(self, words: Iterable[str], lexicon: Lexicon) -> Lexicon:
        """Pronunciations of words that a lexicon lacks, from those that it has.

        Args:
            words: in their normal form; those in the lexicon are ignored.
            lexicon: a dictionary of this language.

        Returns:
            Only new words; it is empty where no rule applies.
        """
        ...

    def spell(self, word: str) -> tuple[str, ...]:
        """The phones of the names of a word's letters; none where they are not known."""
        ...


# Modules are named, not imported: a rule set costs time to load, and the modules import this one.
_RULE_SETS: Mapping[str, tuple[str, str]] = {
    "english": ("recognizer.data.text.english.rules", "ENGLISH"),
    "unicode": ("recognizer.data.text.unicode", "UNICODE"),
    "unicode-no-digits": ("recognizer.data.text.unicode", "UNICODE_NO_DIGITS"),
    "mandarin": ("recognizer.data.text.mandarin", "MANDARIN"),
    "turkish": ("recognizer.data.text.unicode", "TURKISH"),
}

RULE_SETS = tuple(_RULE_SETS)
"""The names of all rule sets."""

DEFAULT_RULES = "english"
"""The rule set of a corpus for which none has been chosen."""


@cache
def text_rules(name: str) -> TextRules:
    """The rule set of a name.

    Args:
        name: one of `RULE_SETS`, such as english or unicode.

    Raises:
        UsageError: there is no such rule set.
    """
    check_text_rules(name)
    module, attribute = _RULE_SETS[name]
    rules: TextRules = getattr(importlib.import_module(module), attribute)
    return rules


def check_text_rules(name: str) -> None:
    """Refuse a name that no rule set has.

    Raises:
        UsageError: there is no such rule set.
    """
    if name not in _RULE_SETS:
        raise UsageError(f"text_rules: expected one of {', '.join(RULE_SETS)}, found {name!r}")
