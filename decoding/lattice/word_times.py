"""When each word and phone of a path begins and ends, read off its transition-ids."""

from __future__ import annotations

from collections.abc import Sequence

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.lattice import BestPath
from recognizer.decoding.lattice.segments import phone_segments, word_spans


def word_times(
    path: BestPath,
    transitions: TransitionModel,
    phones: PhoneTable,
    words: Sequence[str] | None = None,
) -> tuple[tuple[str, int, int], ...]:
    """The words of a path with their frames; silence between words belongs to none.

    Args:
        path: a path with one transition-id per frame. If it is not complete, its last word may
            be cut off: it then ends with the path.
        transitions: the transition model of the graph.
        phones: its phone table.
        words: the words of the path, where its labels are pieces of them.

    Returns:
        For each word: the word, its first frame, and the frame after its last one.

    Raises:
        SpeechError: the transition-ids are not whole words, or not as many as the words.
    """
    words = path.words if words is None else words
    found = phone_segments(path.tids, transitions, phones)
    whole = len(found)
    if not path.complete:
        while whole and phones.position(found[whole - 1].phone) in ("B", "I"):
            whole -= 1
    spans = word_spans(found[:whole], phones)
    end = len(path.tids)
    if whole < len(found):
        spans.append((found[whole].start, end))
    if not path.complete:
        # The graph may give a word before its first phone or only with its last one.
        if len(spans) == len(words) + 1:
            spans.pop()
        elif len(spans) == len(words) - 1:
            spans.append((end, end))
    if len(spans) != len(words):
        raise SpeechError(
            f"path: expected {len(words)} words in the transition-ids, found {len(spans)}"
        )
    return tuple((word, *span) for word, span in zip(words, spans, strict=True))
