"""What a recipe's language models are made of, words or pieces of words, and how they are said."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.data.io.files import read_lines, replace_text
from recognizer.data.lexicon.graphemes import graphemic_lexicon
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.characters import CharacterSet
from recognizer.lm.text.vocabulary import choose, count_words
from recognizer.lm.units.pieces import PieceModel, PieceOptions, train_pieces

SENTENCES = "sentences.txt"
_PIECE_MODEL = "pieces.model"
_LEXICON = "lexicon.txt"


@dataclass(frozen=True)
class Units:
    """What language models are estimated of.

    Attributes:
        sentences: text in units, a sentence a line.
        vocabulary: the units that the models know.
        lexicon: their pronunciations; None where the network spells.
        segment: makes a sentence of words one of units.
    """

    sentences: Path
    vocabulary: tuple[str, ...]
    lexicon: Lexicon | None
    segment: Callable[[str], str]


def word_units(
    texts: Sequence[Path],
    min_count: int,
    pronounce: Callable[[Sequence[str]], Lexicon],
    always: Sequence[str] = (),
) -> Units:
    """The words of texts that occur often enough and can be pronounced.

    Args:
        texts: a sentence a line; the units' sentences are those of the first.
        min_count: least number of occurrences in all of them.
        pronounce: gives what pronunciations there are of words.
        always: words that are units however rare they are.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(count_words(read_lines(text)))
    counts.update(dict.fromkeys((word for word in always if counts[word] < min_count), min_count))
    lexicon = pronounce([word for word, count in counts.items() if count >= min_count])
    vocabulary = choose(counts, lexicon, min_count=min_count)
    return Units(texts[0], vocabulary, lexicon.restricted_to(vocabulary), lambda line: line)


def spelled_units(texts: Sequence[Path], min_count: int, characters: CharacterSet) -> Units:
    """The words of texts that occur often enough and can be spelled.

    Args:
        texts: a sentence a line; the units' sentences are those of the first.
        min_count: least number of occurrences in all of them.
        characters: of the network.

    Raises:
        SpeechError: no word is left.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(count_words(read_lines(text)))
    spelled = {word for word in counts if not characters.missing(word)}
    vocabulary = choose(counts, spelled, min_count=min_count)
    if not vocabulary:
        raise SpeechError(
            f"text: expected words that occur {min_count} times and have only characters of the "
            f"transcripts, found none among {len(counts)}"
        )
    return Units(texts[0], vocabulary, None, lambda line: line)


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
    lexicon = Lexicon.read(directory / _LEXICON)
    pieces = PieceModel.read(directory / _PIECE_MODEL)
    return Units(directory / SENTENCES, lexicon.words, lexicon, pieces.segment)


def require_sentencepiece() -> None:
    """Raises a `SpeechError` that says what to install where sentencepiece is missing."""
    if importlib.util.find_spec("sentencepiece") is None:
        raise SpeechError("pieces of words need sentencepiece: pip install 'recognizer[units]'")
