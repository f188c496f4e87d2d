"""What recognition returns: words with times and confidences, scores of both passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recognizer.vocabulary.match import GrammarMatch

if TYPE_CHECKING:
    from recognizer.decoding.lattice.lattice import CompactLattice


@dataclass(frozen=True)
class Word:
    """One recognised word.

    Attributes:
        word: as in the lexicon, lower case; of a model of pieces, put together from them.
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning.
        confidence: probability that the word was said there, in [0, 1], as far as the lattice
            and the models know.
    """

    word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class TranscriptSegment:
    """A stretch of a recording that was recognised by itself.

    Attributes:
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning. Segments follow each other in order of time
            and do not overlap; what lies between two of them holds no speech.
        words: what was said in it, with times from the recording's beginning; may be empty.
        match: of a recogniser with a grammar; None: it has none.
        readable: as `Result.readable`, of this stretch.
    """

    start: float
    end: float
    words: tuple[Word, ...]
    match: GrammarMatch | None = None
    readable: tuple[Word, ...] | None = None

    @property
    def text(self) -> str:
        """The words separated by single spaces."""
        return " ".join(word.word for word in self.words)

    @property
    def display_text(self) -> str:
        """What people read: the readable words if there are such, else the words."""
        return " ".join(word.word for word in display_words(self))


@dataclass(frozen=True)
class Hypothesis:
    """The best path of one pass.

    Attributes:
        words: its words in order, without silence.
        acoustic_log_prob: natural log, not scaled by the acoustic scale.
        graph_log_prob: natural log of everything else (language model, lexicon, transitions);
            of the rescored pass with LM scale and word insertion penalty in it.
    """

    words: tuple[str, ...]
    acoustic_log_prob: float
    graph_log_prob: float

    @property
    def text(self) -> str:
        """The words separated by single spaces."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Result:
    """What was recognised in one recording.

    Attributes:
        words: the words with times; those of `rescored`, or with the minimum-Bayes-risk choice
            those that are expected to have the fewest errors.
        duration: seconds of audio.
        num_frames: output frames of the acoustic model.
        first_pass: best path of the first pass alone.
        rescored: best path with the large language model. With a grammar, both passes have its
            costs, and of what is rejected the words are guessed with the first pass's model.
        complete: False if no path reached the end of a sentence, so that the best partial one
            was taken (audio cut off, or far too short for any word).
        segments: the stretches that were recognised one by one, with all of the words; a short
            recording is one segment.
        lattice: what else may have been said, rescored, in the model's units (words or pieces of
            words); None where there was nothing to search, and of a recording of several segments.
            `recognizer.decoding.lattice.paths.n_best` lists its word sequences,
            `recognizer.decoding.lattice.kaldi` and `recognizer.decoding.lattice.slf` write it.
        readable: the words as they are written, with punctuation, capital letters and digits, as
            `recognizer.readable.writer.ReadableWriter` makes them. One of them may stand for
            several words; it lasts from the first to the last, with their lowest confidence. None:
            nobody asked for them.
    """

    words: tuple[Word, ...]
    duration: float
    num_frames: int
    first_pass: Hypothesis
    rescored: Hypothesis
    complete: bool = True
    segments: tuple[TranscriptSegment, ...] = ()
    lattice: CompactLattice | None = field(default=None, repr=False, compare=False)
    readable: tuple[Word, ...] | None = None

    @property
    def text(self) -> str:
        """The transcript: the words separated by single spaces."""
        return " ".join(word.word for word in self.words)

    @property
    def display_text(self) -> str:
        """What people read: the readable words if there are such, else the words."""
        return " ".join(word.word for word in display_words(self))

    @property
    def rejected(self) -> bool:
        """Whether no words are left, for what was said is not in the recogniser's grammar."""
        matches = [one.match for one in self.segments if one.match is not None]
        return not self.words and any(match.rejected for match in matches)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the sentences of the recogniser's grammar, in order."""
        return tuple(
            tag for one in self.segments if one.match is not None for tag in one.match.tags
        )


def display_words(of: Result | TranscriptSegment) -> tuple[Word, ...]:
    """What people read: the readable words if there are such, else the words."""
    return of.words if of.readable is None else of.readable
