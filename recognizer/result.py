"""What recognition returns: words with times, scores of both passes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """One recognised word.

    Attributes:
        word: as in the lexicon, lower case.
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning.
    """

    word: str
    start: float
    end: float


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
        words: the rescored pass's words with times.
        duration: seconds of audio.
        num_frames: feature frames.
        first_pass: best path of the decoding graph alone.
        rescored: best path with the large language model; its words are those of `words`.
        complete: False if no path reached the end of a sentence, so that the best partial one
            was taken (audio cut off, or far too short for any word).
    """

    words: tuple[Word, ...]
    duration: float
    num_frames: int
    first_pass: Hypothesis
    rescored: Hypothesis
    complete: bool = True

    @property
    def text(self) -> str:
        """The transcript: the rescored pass's words separated by single spaces."""
        return self.rescored.text
