"""Alignment of reference and hypothesis as NIST's sclite aligns them, and the errors in it.

Costs are sclite's: insertion and deletion 3, substitution 4. Among alignments of one cost the
choice is sclite's too: three substitutions cost as much as two insertions and two deletions, so the
choice changes the counts. kaldialign's ``sclite_mode`` has the same costs but sometimes chooses
otherwise; Kaldi's ``compute-wer`` has the costs 1, 1, 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from recognizer._word_alignment import align_networks
from recognizer.data.errors import SpeechError
from recognizer.evaluation.error_counts import ErrorCounts, total
from recognizer.evaluation.word_network import Transcript, WordKind, WordNetwork

_EMPTY = -1
"""The number of ``@``: no word has it."""


class WordPair(NamedTuple):
    """One step of an alignment.

    Attributes:
        reference: the word, None for an insertion.
        hypothesis: the word, None for a deletion.
        operation: C (correct), S (substitution), I (insertion) or D (deletion). An optional word
            without a partner is correct.
    """

    reference: str | None
    hypothesis: str | None
    operation: Literal["C", "S", "I", "D"]


def align(reference: Transcript, hypothesis: Transcript) -> list[WordPair]:
    """The cheapest alignment, sclite's among those of one cost; words are compared as they are.

    Of a network, the pairs hold the words of the path that the alignment takes. Time grows with the
    product of the two lengths, memory with a byte for each of their pairs.
    """
    if not isinstance(reference, WordNetwork) and not isinstance(hypothesis, WordNetwork):
        reference, hypothesis = tuple(reference), tuple(hypothesis)
        if reference == hypothesis:
            return [WordPair(word, word, "C") for word in reference]
    numbers: dict[str, int] = {}
    steps = align_networks(*_arrays(reference, numbers), *_arrays(hypothesis, numbers))
    pairs = []
    for ref, hyp in zip(*(arcs.tolist() for arcs in steps), strict=True):
        pair = _pair(reference, hypothesis, ref - 1, hyp - 1)
        if pair is not None:
            pairs.append(pair)
    return pairs


def count_errors(reference: Transcript, hypothesis: Transcript) -> ErrorCounts:
    """The errors of one utterance.

    Reference words are those of the alignment, as sclite counts them: of alternatives the ones
    that were taken.

    Args:
        reference: words said, which may have alternatives.
        hypothesis: words recognised.

    Returns:
        Numbers of reference words, insertions, deletions and substitutions.
    """
    counts = dict.fromkeys("CSID", 0)
    for pair in align(reference, hypothesis):
        counts[pair.operation] += 1
    return ErrorCounts(
        counts["C"] + counts["S"] + counts["D"], counts["I"], counts["D"], counts["S"]
    )


def word_error_rate(references: Iterable[str], hypotheses: Iterable[str]) -> ErrorCounts:
    """Pooled errors of transcripts, words separated by spaces.

    Args:
        references: what was said, one transcript an utterance.
        hypotheses: what was recognised, in the same order.

    Returns:
        Numbers of all utterances together; `ErrorCounts.wer` is their rate in percent.

    Raises:
        SpeechError: there are more of one than of the other.
    """
    references, hypotheses = list(references), list(hypotheses)
    if len(references) != len(hypotheses):
        raise SpeechError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    pairs = zip(references, hypotheses, strict=True)
    return total(count_errors(r.split(), h.split()) for r, h in pairs)


def alignment_text(utterance: str, reference: Transcript, hypothesis: Transcript) -> str:
    """Four lines: utterance and counts, reference, hypothesis, and C, S, I or D below each.

    Asterisks stand where a word has no partner.
    """
    rows: list[tuple[str, str, str]] = []
    for ref, hyp, operation in align(reference, hypothesis):
        width = max(len(ref or ""), len(hyp or ""))
        gap = "*" * width
        rows.append(
            (
                (gap if ref is None else ref).ljust(width),
                (gap if hyp is None else hyp).ljust(width),
                operation.ljust(width),
            )
        )
    ref_line, hyp_line, kinds = (" ".join(row[i] for row in rows).rstrip() for i in range(3))
    counts = count_errors(reference, hypothesis)
    return f"{utterance} {counts}\nref {ref_line}\nhyp {hyp_line}\nop  {kinds}\n"


_Int32 = npt.NDArray[np.int32]


def _arrays(
    transcript: Transcript, numbers: dict[str, int]
) -> tuple[_Int32, npt.NDArray[np.uint8], _Int32, _Int32, _Int32]:
    """A transcript for the native alignment, whose arc 0 stands before all words.

    Args:
        transcript: words, or a network of them.
        numbers: of each word, equal for equal words; new words are added.
    """
    if not isinstance(transcript, WordNetwork):
        size = len(transcript)
        words = [0, *(numbers.setdefault(word, len(numbers)) for word in transcript)]
        arcs = np.arange(size + 1, dtype=np.int32)
        return (
            np.array(words, np.int32),
            np.zeros(size + 1, np.uint8),
            np.concatenate((np.zeros(1, np.int32), arcs)),
            arcs[:-1].copy(),
            arcs[-1:].copy(),
        )
    words = [0]
    for arc, kind in enumerate(transcript.kinds):
        if kind == WordKind.EMPTY:
            words.append(_EMPTY)
        else:
            words.append(numbers.setdefault(transcript.compared(arc), len(numbers)))
    predecessors = [arc + 1 for before in transcript.predecessors for arc in before]
    offsets = np.cumsum([0, 0, *(len(before) for before in transcript.predecessors)])
    return (
        np.array(words, np.int32),
        np.array([WordKind.WORD, *transcript.kinds], np.uint8),
        offsets.astype(np.int32),
        np.array(predecessors, np.int32),
        np.array(transcript.finals, np.int32) + np.int32(1),
    )


def _pair(
    reference: Transcript, hypothesis: Transcript, ref_arc: int, hyp_arc: int
) -> WordPair | None:
    """One step (an arc is negative where there is none); None if only empty words are in it."""
    ref, ref_kind, ref_compared = _word(reference, ref_arc)
    hyp, hyp_kind, hyp_compared = _word(hypothesis, hyp_arc)
    if ref is not None and hyp is not None:
        if ref_kind == hyp_kind == WordKind.EMPTY:
            return None
        return WordPair(ref, hyp, "C" if ref_compared == hyp_compared else "S")
    kind = hyp_kind if ref is None else ref_kind
    if kind == WordKind.EMPTY:
        return None
    if kind == WordKind.OPTIONAL:
        return WordPair(ref, hyp, "C")
    return WordPair(ref, hyp, "I" if ref is None else "D")


def _word(transcript: Transcript, arc: int) -> tuple[str | None, WordKind, str | None]:
    """The word of an arc as written, its kind, and the word as it is compared."""
    if arc < 0:
        return None, WordKind.WORD, None
    if isinstance(transcript, WordNetwork):
        return transcript.words[arc], transcript.kinds[arc], transcript.compared(arc)
    return transcript[arc], WordKind.WORD, transcript[arc]
