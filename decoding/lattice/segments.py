"""Stretches of frames of a path: HMM states, phones and words, read off its transition-ids.

Transition-ids stand in Kaldi's ``--reorder=true`` order, a state's forward transition before its
self-loops. So a visit to an HMM state begins at every frame whose transition-id is no self-loop, a
phone at every such frame of HMM state 0, and a word where a phone of position _B or _S does; it
ends with one of position _E or _S. No lexicon is needed, as in Kaldi's ``lattice-align-words``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.data.errors import SpeechError

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class StateSegment:
    """One visit to an HMM state.

    Attributes:
        start: first frame.
        end: the frame after the last one.
        phone: phone id.
        hmm_state: state of the phone's topology.
        pdf: pdf-id.
        transition_id: the forward transition by which the state is left.
    """

    start: int
    end: int
    phone: int
    hmm_state: int
    pdf: int
    transition_id: int


@dataclass(frozen=True)
class PhoneSegment:
    """One phone.

    Attributes:
        start: first frame.
        end: the frame after the last one.
        phone: phone id.
        symbol: its name with the word position, such as AH_I; SIL for silence.
    """

    start: int
    end: int
    phone: int
    symbol: str


@dataclass(frozen=True)
class WordSegment:
    """One word.

    Attributes:
        start: first frame.
        end: the frame after the last one.
        word: the word.
    """

    start: int
    end: int
    word: str


@dataclass(frozen=True)
class PathSegments:
    """All of a path; states and phones follow each other without a gap.

    Attributes:
        states: HMM states.
        phones: phones, silence among them.
        words: words; silence belongs to none.
    """

    states: tuple[StateSegment, ...]
    phones: tuple[PhoneSegment, ...]
    words: tuple[WordSegment, ...]


def path_segments(
    tids: IntArray, words: Sequence[str], transitions: TransitionModel, phones: PhoneTable
) -> PathSegments:
    """The segments of a whole path.

    Args:
        tids: transition-id of every frame, ``[T]``.
        words: the words that the path says.
        transitions: the transition model of the ids.
        phones: its phone table.

    Raises:
        SpeechError: ids that are not whole words, or not as many as ``words``.
    """
    found = phone_segments(tids, transitions, phones)
    spans = word_spans(found, phones)
    if len(spans) != len(words):
        raise SpeechError(f"expected a path of {len(words)} words, found {len(spans)}")
    return PathSegments(
        states=state_segments(tids, transitions),
        phones=found,
        words=tuple(
            WordSegment(start, end, word) for word, (start, end) in zip(words, spans, strict=True)
        ),
    )


def state_segments(tids: IntArray, transitions: TransitionModel) -> tuple[StateSegment, ...]:
    """The HMM states of a path ``[T]``, in order of time."""
    transitions.phone_starts(tids)  # checks the ids
    starts = np.flatnonzero(~transitions.is_self_loop[tids])
    forward = tids[starts]
    columns = (
        starts,
        np.append(starts, len(tids))[1:],
        transitions.phone[forward],
        transitions.hmm_state[forward],
        transitions.pdf[forward],
        forward,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(StateSegment(*row) for row in rows)


def phone_segments(
    tids: IntArray, transitions: TransitionModel, phones: PhoneTable
) -> tuple[PhoneSegment, ...]:
    """The phones of a path ``[T]``, in order of time.

    Raises:
        SpeechError: unknown ids, or a path that begins within a phone.
    """
    starts = transitions.phone_starts(tids)
    ids = transitions.phone[tids[starts]].tolist()
    bounds = np.append(starts, len(tids)).tolist()
    return tuple(
        PhoneSegment(start, end, phone, phones.symbols[phone])
        for start, end, phone in zip(bounds[:-1], bounds[1:], ids, strict=True)
    )


def word_spans(found: Sequence[PhoneSegment], phones: PhoneTable) -> list[tuple[int, int]]:
    """First frame of each word and the frame after its last one.

    Raises:
        SpeechError: phones whose positions make no words.
    """
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    for segment in found:
        position = phones.position(segment.phone)
        if (begin is not None) != (position in ("I", "E")):
            expected = (
                "the start of a word or silence" if begin is None else "a phone within a word"
            )
            raise SpeechError(
                f"path: frame {segment.start}: expected {expected}, found {segment.symbol}"
            )
        if position == "B":
            begin = segment.start
        elif position == "S":
            spans.append((segment.start, segment.end))
        elif position == "E" and begin is not None:
            spans.append((begin, segment.end))
            begin = None
    if begin is not None:
        raise SpeechError(
            f"path: expected whole words, found one from frame {begin} that does not end"
        )
    return spans
