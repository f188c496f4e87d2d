"""When each word of a path begins and ends, read off its transition-ids."""

from __future__ import annotations

import numpy as np

from am.phones import PhoneTable
from am.transitions import TransitionModel
from data.errors import SpeechError
from decoding.lattice import BestPath


def word_times(
    path: BestPath, transitions: TransitionModel, phones: PhoneTable
) -> tuple[tuple[str, int, int], ...]:
    """The words of a path with their frames; silence between words belongs to none.

    A phone starts at each frame whose transition-id leaves the phone's HMM state 0 forwards
    (transition-ids are in Kaldi's ``--reorder=true`` order: a state's forward transition stands
    before its self-loops). A word reaches from a phone of position B to the next of position E, or
    is one phone of position S; so no lexicon is needed, as in Kaldi's ``lattice-align-words``.

    Args:
        path: a path with one transition-id per frame. If it is not complete, its last word may
            be cut off: it then ends with the path.
        transitions: the transition model of the graph.
        phones: its phone table.

    Returns:
        For each word: the word, its first frame, and the frame after its last one.

    Raises:
        SpeechError: the transition-ids are not whole words, or not as many as the words.
    """
    tids = path.tids
    if len(tids) == 0:
        if path.words and path.complete:
            raise SpeechError(f"path: expected frames for {len(path.words)} words, found none")
        return tuple((word, 0, 0) for word in path.words)
    if int(tids.min()) < 1 or int(tids.max()) > transitions.num_transition_ids:
        raise SpeechError(
            f"path: expected transition-ids of 1 .. {transitions.num_transition_ids}, "
            f"found {int(tids.min())} .. {int(tids.max())}"
        )
    starts = np.flatnonzero((transitions.hmm_state[tids] == 0) & ~transitions.is_self_loop[tids])
    if len(starts) == 0 or starts[0] != 0:
        raise SpeechError("path: frame 0: expected the start of a phone")
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    ends = np.append(starts[1:], len(tids)).tolist()
    for start, end in zip(starts.tolist(), ends, strict=True):
        phone = int(transitions.phone[tids[start]])
        position = phones.position(phone)
        inside = begin is not None
        if inside != (position in ("I", "E")):
            expected = "a phone within a word" if inside else "the start of a word or silence"
            raise SpeechError(
                f"path: frame {start}: expected {expected}, found {phones.symbols[phone]}"
            )
        if position == "B":
            begin = start
        elif position == "S":
            spans.append((start, end))
        elif position == "E" and begin is not None:
            spans.append((begin, end))
            begin = None
    if begin is not None:
        if path.complete:
            raise SpeechError(
                f"path: expected whole words, found one from frame {begin} that does not end"
            )
        spans.append((begin, len(tids)))
    if not path.complete:
        # The graph may give a word before its first phone or only with its last one.
        if len(spans) == len(path.words) + 1:
            spans.pop()
        elif len(spans) == len(path.words) - 1:
            spans.append((len(tids), len(tids)))
    if len(spans) != len(path.words):
        raise SpeechError(
            f"path: expected {len(path.words)} words in the transition-ids, found {len(spans)}"
        )
    return tuple((word, *span) for word, span in zip(path.words, spans, strict=True))
