"""Where the pronunciations of transcripts and text come from, and the rule set that goes with them.

A lexicon is named by a file, by the word "graphemes" (words are spelled with their letters as
phones), or not at all: then it is the dictionary of the rule set, which only English has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import UsageError
from recognizer.data.io.console import console
from recognizer.data.lexicon.graphemes import graphemic_lexicon
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.lexicon.reading import read_lexicon
from recognizer.data.text.rules import check_text_rules, text_rules
from recognizer.lm.pronunciation.model import PronunciationModel

GRAPHEMES = "graphemes"
"""The lexicon whose pronunciations are the words' letters."""


def chosen_rules(rules: str | None, lexicon: str | None) -> str:
    """The name of the rule set for transcripts and lexicon.

    Args:
        rules: the name that a user gave; None is "english" for the dictionary of English, and
            "unicode" beside any other lexicon, so that no letter of another language is lost.
        lexicon: a file, `GRAPHEMES`, or None for the dictionary of the rule set.

    Raises:
        UsageError: there is no such rule set, or it has no dictionary and no lexicon is given.
    """
    if rules is None:
        return "english" if lexicon is None else "unicode"
    check_text_rules(rules)
    if lexicon is None and rules != "english":
        raise UsageError(
            f"lexicon: expected a file or {GRAPHEMES!r} beside the text rules {rules!r}, which "
            "have no dictionary"
        )
    return rules


def load_lexicon(lexicon: str | None, rules: str, root: Path) -> Lexicon:
    """A lexicon file, or the dictionary of a rule set; says how a file was understood.

    Args:
        lexicon: a file; None is the rule set's dictionary.
        rules: name of the rule set.
        root: directory that the file is relative to.

    Raises:
        SpeechError: a missing or malformed file.
        UsageError: no file, and the rule set has no dictionary.
    """
    if lexicon is not None:
        found = read_lexicon(root / lexicon, text_rules(rules))
        console.print(str(found), markup=False, highlight=False)
        return found.lexicon
    dictionary = text_rules(chosen_rules(rules, lexicon)).dictionary()
    assert dictionary is not None
    return dictionary


def text_lexicon(
    lexicon: str | None,
    rules: str,
    root: Path,
    words: Sequence[str],
    *,
    model: PronunciationModel | None = None,
) -> Lexicon:
    """Pronunciations for words of text; a dictionary may have other words too.

    Args:
        lexicon: a file, `GRAPHEMES`, or None for the rule set's dictionary and what can be derived
            from it.
        rules: name of the rule set.
        root: directory that the file is relative to.
        words: of text, in their normal form.
        model: gives words a pronunciation that have none otherwise.

    Raises:
        SpeechError: a missing or malformed file, or no word that can be spelled.
    """
    if lexicon == GRAPHEMES:
        return graphemic_lexicon(words).lexicon
    known = load_lexicon(lexicon, rules, root)
    if lexicon is None:
        known = with_derived(known, rules, words)
    if model is not None:
        known = known.merged_with(model.lexicon(word for word in words if word not in known))
    return known


def transcript_lexicon(
    lexicon: str | None, rules: str, root: Path, sets: Iterable[Iterable[Utterance]]
) -> Lexicon:
    """Pronunciations for an aligner of sets of utterances.

    Args:
        lexicon: a file, `GRAPHEMES`, or None for the rule set's dictionary.
        rules: name of the rule set.
        root: directory that the file is relative to.
        sets: those to align, whose words are spelled where pronunciations are the letters.

    Raises:
        SpeechError: a missing or malformed file, or no word that can be spelled.
    """
    if lexicon != GRAPHEMES:
        return load_lexicon(lexicon, rules, root)
    made = graphemic_lexicon(word for one in sets for utterance in one for word in utterance.words)
    if made.without:
        console.print(
            f"{len(made.without)} words of transcripts cannot be spelled and become spoken "
            f"noise: {' '.join(made.without[:10])}{' ...' if len(made.without) > 10 else ''}",
            markup=False,
        )
    return made.lexicon


def with_derived(lexicon: Lexicon, rules: str, words: Iterable[str]) -> Lexicon:
    """A lexicon with the pronunciations that the rule set derives for words that it lacks."""
    unknown = {word for word in words if word not in lexicon}
    return lexicon.merged_with(text_rules(rules).derive(unknown, lexicon)) if unknown else lexicon
