"""What a recipe's language models are made of, words or pieces of words, and how they are said."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.data.io.files import read_lines, replace_text
from recognizer.data.lexicon.derivation import derived_lexicon
from recognizer.data.lexicon.graphemes import graphemic_lexicon
from recognizer.data.lexicon.lexicon import Lexicon, english_lexicon, read_lexicon
from recognizer.lm.text.vocabulary import choose, count_words
from recognizer.lm.units.pieces import PieceModel, PieceOptions, train_pieces

GRAPHEMES = "graphemes"
"""A recipe's lexicon whose pronunciations are the words' letters."""

SENTENCES = "sentences.txt"
_PIECE_MODEL = "pieces.model"
_LEXICON = "lexicon.txt"


@dataclass(frozen=True)
class Units:
    """What language models are estimated of.

    Attributes:
        sentences: text in units, a sentence a line.
        vocabulary: the units that the models know.
        lexicon: their pronunciations.
        segment: makes a sentence of words one of units.
    """

    sentences: Path
    vocabulary: tuple[str, ...]
    lexicon: Lexicon
    segment: Callable[[str], str]


def word_units(text: Path, min_count: int, pronounce: Callable[[Sequence[str]], Lexicon]) -> Units:
    """The words of a text that occur often enough and can be pronounced.

    Args:
        text: a sentence a line.
        min_count: least number of occurrences.
        pronounce: gives what pronunciations there are of words.
    """
    counts = count_words(read_lines(text))
    lexicon = pronounce([word for word, count in counts.items() if count >= min_count])
    vocabulary = choose(counts, lexicon, min_count=min_count)
    return Units(text, vocabulary, lexicon.restricted_to(vocabulary), lambda line: line)


def make_pieces(text: Path, options: PieceOptions, directory: Path) -> None:
    """Find the pieces of a text's words; write them, their lexicon, and the text in pieces.

    Raises:
        SpeechError: as `recognizer.lm.units.pieces.train_pieces`.
    """
    counts = count_words(read_lines(text))
    pieces = train_pieces(counts, directory / _PIECE_MODEL, options)
    spelled = graphemic_lexicon(pieces.vocabulary(counts))
    spelled.lexicon.write(directory / _LEXICON)
    number = 0
    with replace_text(directory / SENTENCES) as stream:
        for line in pieces.segment_all(read_lines(text)):
            stream.write(line + "\n")
            number += len(line.split())
    words = counts.total()
    console.print(
        f"{len(spelled.lexicon)} pieces, {len(spelled.lexicon.phones)} letters; {words} words of "
        f"text are {number} pieces, {number / max(words, 1):.2f} a word"
    )


def piece_units(directory: Path) -> Units:
    """What `make_pieces` made."""
    lexicon = read_lexicon(directory / _LEXICON)
    pieces = PieceModel.read(directory / _PIECE_MODEL)
    return Units(directory / SENTENCES, lexicon.words, lexicon, pieces.segment)


def pronunciations(lexicon: str | None, corpora: Path, words: Sequence[str]) -> Lexicon:
    """What a recipe knows of the pronunciation of words of text.

    Args:
        lexicon: the recipe's; None is CMU's English dictionary and what is derived from it.
        corpora: directory that a lexicon's file is relative to.
        words: of text; a dictionary may have others too.
    """
    if lexicon == GRAPHEMES:
        return graphemic_lexicon(words).lexicon
    if lexicon is None:
        known = english_lexicon()
        return known.merged_with(derived_lexicon(words, known))
    return read_lexicon(corpora / lexicon)


def transcript_lexicon(
    lexicon: str | None, root: Path, sets: Iterable[Iterable[Utterance]]
) -> Lexicon:
    """Pronunciations for an aligner of sets of utterances.

    Args:
        lexicon: as for `pronunciations`.
        root: as for `pronunciations`.
        sets: those to align, whose words are spelled where pronunciations are the letters.
    """
    if lexicon == GRAPHEMES:
        words = (word for one in sets for utterance in one for word in utterance.words)
        made = graphemic_lexicon(words)
        if made.without:
            console.print(
                f"{len(made.without)} words of transcripts cannot be spelled and become spoken "
                f"noise: {' '.join(made.without[:10])}{' ...' if len(made.without) > 10 else ''}"
            )
        return made.lexicon
    return english_lexicon() if lexicon is None else read_lexicon(root / lexicon)


def require_sentencepiece() -> None:
    """Raises a `SpeechError` that says what to install where sentencepiece is missing."""
    if importlib.util.find_spec("sentencepiece") is None:
        raise SpeechError("pieces of words need sentencepiece: pip install 'recognizer[units]'")
