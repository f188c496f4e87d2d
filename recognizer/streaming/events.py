"""What a stream tells while audio arrives."""

from __future__ import annotations

from dataclasses import dataclass

from recognizer.recognition.result import Result


@dataclass(frozen=True)
class Partial:
    """The first pass's best words of an utterance in progress.

    The next partial result of the same utterance begins with this one's committed words. The
    utterance's `Final` comes of rescoring with the large language model, which may change any word.
    With a grammar, only words that a sentence of it begins with are told.

    Attributes:
        start: seconds from the stream's beginning to the utterance's.
        committed: words that later partial results will not change.
        tentative: the words after them, as of now.
    """

    start: float
    committed: tuple[str, ...]
    tentative: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All words so far."""
        return self.committed + self.tentative

    @property
    def text(self) -> str:
        """All words so far, separated by single spaces."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Final:
    """An utterance that has ended.

    Attributes:
        start: seconds from the stream's beginning to the utterance's.
        end: seconds from the stream's beginning to the utterance's end.
        result: what was recognised. The times of its words count from the stream's beginning;
            those of its lattice, in output frames, from the utterance's.
    """

    start: float
    end: float
    result: Result

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return tuple(word.word for word in self.result.words)

    @property
    def text(self) -> str:
        """The words, separated by single spaces."""
        return self.result.text


Event = Partial | Final
"""What `recognizer.streaming.stream.Stream.accept` gives."""
