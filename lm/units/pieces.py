"""Pieces of words: an open vocabulary that sentencepiece finds in text, and words from pieces.

A piece that begins a word carries a mark (U+2581) in front: "▁re cogn ition ▁of ▁speech". A
language model and a lexicon of pieces can say any word that their letters spell. Putting pieces
together again needs the mark alone; only training and segmenting need sentencepiece.

Pieces are the lexicon's entries, so each must have a sound. Those without a letter, which
sentencepiece makes of apostrophes and of marks that stand alone, are joined to the piece on their
right within the word, or to the last one: "▁don ' t" becomes "▁don 't".
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import replace_file
from recognizer.data.lexicon.graphemes import graphemes

MARK = "\u2581"
"""Begins the piece that begins a word."""

_CACHED_WORDS = 1 << 20


@dataclass(frozen=True)
class PieceOptions:
    """How pieces are found.

    Attributes:
        size: number of pieces, single letters among them; fewer if the text has no more.
        algorithm: "unigram" (Kudo 2018) or "bpe" (Sennrich, Haddow and Birch 2016).
        character_coverage: share of the text's characters that pieces are made of; words with one
            of the rarest characters, which make up the rest, stay unknown.
        min_count: words that occur less often take no part in finding the pieces.
    """

    size: int = 5000
    algorithm: Literal["unigram", "bpe"] = "unigram"
    character_coverage: float = 1.0
    min_count: int = 1

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("size", "min_count"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected at least 1, found {getattr(self, name)}")
        if self.algorithm not in ("unigram", "bpe"):
            raise UsageError(f"algorithm: expected 'unigram' or 'bpe', found {self.algorithm!r}")
        if not 0.9 <= self.character_coverage <= 1.0:
            raise UsageError(
                f"character_coverage: expected a share in [0.9, 1], found {self.character_coverage}"
            )


@dataclass(frozen=True)
class JoinedWord:
    """A word put together.

    Attributes:
        word: its letters.
        first: index of its first piece.
        end: index after its last piece.
    """

    word: str
    first: int
    end: int


def begins_word(piece: str) -> bool:
    """Whether a piece begins a word."""
    return piece.startswith(MARK)


def any_begins_word(pieces: Sequence[str]) -> bool:
    """Whether any piece begins a word: quick for many."""
    return f"\n{MARK}" in "\n" + "\n".join(pieces)


def join_pieces(pieces: Sequence[str]) -> tuple[JoinedWord, ...]:
    """The words of a sequence of pieces.

    A sequence that begins within a word, as a partial result may, begins with what it has of it.
    """
    firsts = [i for i, piece in enumerate(pieces) if i == 0 or begins_word(piece)]
    return tuple(
        JoinedWord("".join(pieces[first:end]).removeprefix(MARK), first, end)
        for first, end in pairwise([*firsts, len(pieces)])
    )


def whole_words(words: Sequence[str]) -> tuple[JoinedWord, ...]:
    """Words that are no pieces, as `join_pieces` has them: each for itself."""
    return tuple(JoinedWord(word, i, i + 1) for i, word in enumerate(words))


def joined_words(pieces: Sequence[str]) -> tuple[str, ...]:
    """The words of a sequence of pieces, without their places."""
    return tuple(joined.word for joined in join_pieces(pieces))


def train_pieces(
    counts: Mapping[str, int], path: str | os.PathLike[str], options: PieceOptions | None = None
) -> PieceModel:
    """Find the pieces of a text's words, and write them as a sentencepiece model.

    Words and how often they occur are all that the algorithms look at (no piece goes beyond a
    word), so text of any length is read once, to count them. The same counts make the same pieces.

    Args:
        counts: occurrences by word.
        path: the model file.
        options: how many pieces, and which.

    Raises:
        SpeechError: no sentencepiece, no word, or fewer pieces asked for than there are letters;
            or the file cannot be written.
    """
    options = options or PieceOptions()
    sentencepiece = _sentencepiece()
    words = sorted(word for word, count in counts.items() if count >= options.min_count)
    if not words:
        raise SpeechError("pieces: expected words to find pieces in, found none")
    for word in words:
        _check(word)
    path = Path(path)
    # The model file records this name: one that is the same each time makes the same file.
    listed = path.with_name(f"{path.name}.counts")
    with replace_file(path) as temporary:
        try:
            with listed.open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(f"{word}\t{counts[word]}\n" for word in words)
            with temporary.open("wb") as model:
                sentencepiece.SentencePieceTrainer.train(
                    input=str(listed),
                    input_format="tsv",
                    model_writer=model,
                    model_type=options.algorithm,
                    vocab_size=options.size,
                    character_coverage=options.character_coverage,
                    normalization_rule_name="identity",
                    hard_vocab_limit=False,
                    bos_id=-1,
                    eos_id=-1,
                    num_threads=1,
                    minloglevel=3,
                )
        except RuntimeError as error:
            raise SpeechError(f"{path}: sentencepiece: {_reason(error)}") from None
        finally:
            listed.unlink(missing_ok=True)
    return PieceModel.read(path)


class PieceModel:
    """Cuts words into pieces."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self.pieces_of = lru_cache(_CACHED_WORDS)(self._pieces_of)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PieceModel:
        """Read a sentencepiece model.

        Raises:
            SpeechError: no sentencepiece, or the file is missing or no such model.
        """
        sentencepiece = _sentencepiece()
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise SpeechError(f"{path}: cannot be read: {error.strerror}") from None
        processor = sentencepiece.SentencePieceProcessor()
        try:
            loaded = bool(data) and processor.load_from_serialized_proto(data)
        except RuntimeError:
            loaded = False
        if not loaded:
            raise SpeechError(f"{path}: expected a sentencepiece model, found something else")
        return cls(processor)

    def _pieces_of(self, word: str) -> tuple[str, ...]:
        """The pieces of a word; of one that cannot be spelled, itself.

        Raises:
            SpeechError: the word holds the mark.
        """
        _check(word)
        if not graphemes(word):
            return (MARK + word,)
        pieces: list[str] = []
        silent = ""
        for piece in self._processor.encode(word, out_type=str):
            silent += piece
            if graphemes(silent):
                pieces.append(silent)
                silent = ""
        if silent:
            pieces[-1] += silent
        return tuple(pieces)

    def segment(self, line: str) -> str:
        """A sentence of words as pieces, separated by single spaces."""
        pieces_of = self.pieces_of
        return " ".join([piece for word in line.split() for piece in pieces_of(word)])

    def segment_all(self, lines: Iterable[str]) -> Iterator[str]:
        """Sentences as pieces, one by one."""
        return map(self.segment, lines)

    def vocabulary(self, counts: Mapping[str, int]) -> tuple[str, ...]:
        """All pieces of a text, the most frequent first, and single letters at the end.

        Every letter of the text is there, both to begin a word and to stand within one, so that
        anything that the letters spell can be said. Words that cannot be spelled have no pieces.

        Args:
            counts: the text's occurrences by word.
        """
        found: Counter[str] = Counter()
        for word, count in counts.items():
            if letters := graphemes(word):
                for piece in self.pieces_of(word):
                    found[piece] += count
                for letter in letters:
                    # Of a letter alone, not of a mark that belongs to the one before it.
                    if graphemes(letter):
                        found[letter] += 0
                        found[MARK + letter] += 0
        return tuple(sorted(found, key=lambda piece: (-found[piece], piece)))


def _check(word: str) -> None:
    if MARK in word:
        raise SpeechError(f"text to cut into pieces: expected words without U+2581, found {word!r}")


def _sentencepiece() -> Any:
    try:
        import sentencepiece
    except ImportError:
        raise SpeechError(
            "pieces of words need sentencepiece: pip install 'recognizer[units]'"
        ) from None
    return sentencepiece


def _reason(error: RuntimeError) -> str:
    """What sentencepiece says, without where in its source."""
    return str(error).rpartition("] ")[2] or str(error)
