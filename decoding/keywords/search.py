"""Words and phrases in a keyword index: where they may be spoken, and how likely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import UsageError
from recognizer.decoding.keywords.index import KeywordIndex
from recognizer.decoding.keywords.postings import IntArray

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hit:
    """A stretch of an utterance in which a keyword may be spoken.

    Attributes:
        utterance: number of the utterance in the index.
        begin: first frame of the likeliest occurrence.
        end: the frame after its last one.
        posterior: the sum of the probabilities of all occurrences here, at most 1.
    """

    utterance: int
    begin: int
    end: int
    posterior: float


@dataclass(frozen=True, eq=False)
class Occurrences:
    """Chains of arcs with the words of a keyword, R of them.

    Attributes:
        utterances: int32 ``[R]``, numbers of utterances.
        begins: int32 ``[R]``, first frame of the first word.
        ends: int32 ``[R]``, the frame after the last word.
        posteriors: float64 ``[R]``, probability that a path has all of the arcs.
    """

    utterances: IntArray
    begins: IntArray
    ends: IntArray
    posteriors: DoubleArray


def find(index: KeywordIndex, words: Sequence[str], max_gap: float = 0.5) -> tuple[Hit, ...]:
    """Where a keyword may be spoken, in order of utterances and time.

    Occurrences that overlap in time are one hit. As several of one path may be, the posterior is
    the expected number of occurrences, but at most 1.

    Args:
        index: the index.
        words: the words of the keyword in order.
        max_gap: seconds that may lie between two words; NIST's definition of a phrase.

    Returns:
        None at all where a word is not in the index.

    Raises:
        UsageError: no word, or a negative gap.
    """
    return joined(occurrences(index, words, max_gap))


def occurrences(index: KeywordIndex, words: Sequence[str], max_gap: float = 0.5) -> Occurrences:
    """All chains of arcs with the words; arguments as of `find`."""
    if not words:
        raise UsageError("keyword: expected at least one word, found none")
    if not 0.0 <= max_gap < inf:
        raise UsageError(f"max_gap: expected seconds >= 0, found {max_gap}")
    ids = [index.ids.get(word) for word in words]
    frames = max_gap / index.settings.frame_shift
    first = index.postings_of(ids[0] or 0)
    utterances = index.utterance_of(first.sources)
    begins, ends, targets = first.begins, first.ends, first.targets
    posteriors = first.posteriors.astype(np.float64)
    for word in ids[1:]:
        following = index.postings_of(word or 0)
        low = np.searchsorted(following.sources, targets, side="left")
        counts = np.searchsorted(following.sources, targets, side="right") - low
        # Every chain with every arc that leaves the state to which it leads.
        chain = np.repeat(np.arange(len(targets)), counts)
        arc = np.arange(len(chain)) - np.repeat(np.cumsum(counts) - counts, counts) + low[chain]
        near = following.begins[arc] - ends[chain] <= frames + 1e-6
        chain, arc = chain[near], arc[near]
        utterances, begins = utterances[chain], begins[chain]
        posteriors = posteriors[chain] * following.continuations[arc]
        ends, targets = following.ends[arc], following.targets[arc]
    return Occurrences(utterances, begins, ends, posteriors)


def joined(found: Occurrences) -> tuple[Hit, ...]:
    """Hits of occurrences: those that overlap become one.

    The likeliest occurrence that overlaps none of those chosen before is chosen, as long as there
    is one; every other one belongs to that of the chosen ones with which it shares the most frames.
    """
    order = np.lexsort((found.ends, found.begins, -found.posteriors, found.utterances))
    rows = zip(
        found.utterances[order].tolist(),
        found.begins[order].tolist(),
        found.ends[order].tolist(),
        found.posteriors[order].tolist(),
        strict=True,
    )
    hits: list[Hit] = []
    chosen: list[list[float]] = []  # of one utterance: begin, end, posterior
    current = -1

    def finish() -> None:
        hits.extend(
            Hit(current, int(begin), int(end), min(posterior, 1.0))
            for begin, end, posterior in sorted(chosen)
        )
        chosen.clear()

    for utterance, begin, end, posterior in rows:
        if utterance != current:
            finish()
            current = utterance
        shared, nearest = 0, -1
        for number, (other_begin, other_end, _) in enumerate(chosen):
            frames = int(min(end, other_end) - max(begin, other_begin))
            if frames > shared:
                shared, nearest = frames, number
        if nearest >= 0:
            chosen[nearest][2] += posterior
        else:
            chosen.append([begin, end, posterior])
    finish()
    return tuple(hits)
