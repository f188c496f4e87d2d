"""Word error rate as NIST's sclite counts it, with bootstrap intervals and sclite's files.

Errors are pooled over utterances. References and hypotheses are aligned with sclite's costs
(insertion 3, deletion 3, substitution 4) and, among alignments of one cost, with sclite's
choice: three substitutions cost as much as two insertions and two deletions, so the choice
changes the counts. kaldialign's ``sclite_mode`` has the same costs but sometimes chooses
otherwise; Kaldi's ``compute-wer`` has the costs 1, 1, 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text

GAP = "*"
"""What stands in an alignment where a word has no partner (no word of ours contains it)."""

_GAP_COST = 3
_SUBSTITUTION_COST = 4
_LEAST_DOUBT = 1e-3

REPLICATIONS = 10_000
"""Bootstrap replications; Kaldi's ``compute-wer-bootci`` draws as many."""


@dataclasses.dataclass(frozen=True)
class ErrorCounts:
    """Errors of one or of many utterances.

    Attributes:
        words: number of reference words.
        insertions: hypothesis words without a reference word.
        deletions: reference words without a hypothesis word.
        substitutions: reference words with another hypothesis word.
    """

    words: int = 0
    insertions: int = 0
    deletions: int = 0
    substitutions: int = 0

    @property
    def errors(self) -> int:
        """Insertions, deletions and substitutions together."""
        return self.insertions + self.deletions + self.substitutions

    @property
    def wer(self) -> float:
        """Word error rate in percent; infinite for insertions against an empty reference."""
        if self.words == 0:
            return float("inf") if self.errors else 0.0
        return 100.0 * self.errors / self.words

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        """Pool two counts."""
        return ErrorCounts(
            self.words + other.words,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.substitutions + other.substitutions,
        )

    def __str__(self) -> str:
        """Kaldi's line: ``%WER 12.34 [ 123 / 997, 10 ins, 20 del, 93 sub ]``."""
        return (
            f"%WER {self.wer:.2f} [ {self.errors} / {self.words}, {self.insertions} ins, "
            f"{self.deletions} del, {self.substitutions} sub ]"
        )


@dataclasses.dataclass(frozen=True)
class Interval:
    """A 95 % interval of the word error rate, in percent."""

    low: float
    high: float


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of (reference word, hypothesis word), `GAP` where there is none, as sclite aligns.

    Costs and choice between equals are those of sclite, found by comparing with it: going back
    from the end, a match or substitution first, then an insertion, then a deletion.
    """
    rows, columns = len(reference), len(hypothesis)
    costs = [[_GAP_COST * column for column in range(columns + 1)]]
    for row, word in enumerate(reference, 1):
        above, current = costs[-1], [_GAP_COST * row]
        for column, other in enumerate(hypothesis, 1):
            diagonal = above[column - 1] + (0 if word == other else _SUBSTITUTION_COST)
            gap = min(above[column], current[-1]) + _GAP_COST
            current.append(min(diagonal, gap))
        costs.append(current)
    pairs = []
    row, column = rows, columns
    while row or column:
        cost = costs[row][column]
        if row and column:
            word, other = reference[row - 1], hypothesis[column - 1]
            step = 0 if word == other else _SUBSTITUTION_COST
            if cost == costs[row - 1][column - 1] + step:
                row, column = row - 1, column - 1
                pairs.append((word, other))
                continue
        if column and cost == costs[row][column - 1] + _GAP_COST:
            column -= 1
            pairs.append((GAP, hypothesis[column]))
        else:
            row -= 1
            pairs.append((reference[row], GAP))
    return pairs[::-1]


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """The errors of one utterance."""
    pairs = align(reference, hypothesis)
    insertions = sum(ref == GAP for ref, _ in pairs)
    deletions = sum(hyp == GAP for _, hyp in pairs)
    differing = sum(ref != hyp for ref, hyp in pairs)
    return ErrorCounts(len(reference), insertions, deletions, differing - insertions - deletions)


def word_error_rate(references: Iterable[str], hypotheses: Iterable[str]) -> ErrorCounts:
    """Pooled errors of transcripts, words separated by spaces.

    Raises:
        SpeechError: there are more of one than of the other.
    """
    references, hypotheses = list(references), list(hypotheses)
    if len(references) != len(hypotheses):
        raise SpeechError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    pairs = zip(references, hypotheses, strict=True)
    return total(count_errors(r.split(), h.split()) for r, h in pairs)


def total(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    """Pool the counts of many utterances."""
    return sum(counts, ErrorCounts())


def wer_interval(
    counts: Sequence[ErrorCounts], *, replications: int = REPLICATIONS, seed: int = 0
) -> Interval:
    """95 % percentile interval of the WER from a bootstrap over utterances.

    M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance
    evaluation", ICASSP 2004, section 3.
    """
    errors, words = _replicated(counts, replications, seed)
    good = words > 0
    if not good.any():
        return Interval(0.0, 0.0)
    low, high = np.percentile(100.0 * errors[good] / words[good], [2.5, 97.5])
    return Interval(float(low), float(high))


def improvement_probability(
    before: Sequence[ErrorCounts],
    after: Sequence[ErrorCounts],
    *,
    replications: int = REPLICATIONS,
    seed: int = 0,
) -> float:
    """How often ``after`` has fewer errors than ``before`` on the same resampled utterances.

    The paired bootstrap of Bisani and Ney, section 4; Kaldi's ``compute-wer-bootci`` with two
    hypotheses. Both sequences hold the same utterances in the same order.

    Raises:
        SpeechError: the two hold different numbers of utterances.
    """
    if len(before) != len(after):
        raise SpeechError(f"a paired bootstrap of {len(before)} and {len(after)} utterances")
    # The same seed draws the same utterances for both: that is what pairs them.
    errors_before, _ = _replicated(before, replications, seed)
    errors_after, _ = _replicated(after, replications, seed)
    return float((errors_after < errors_before).mean()) if before else 0.0


def cross_entropy(confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> float:
    """Bits per word that are missing to know which words are right; 0 for no words.

    Confidences nearer to 0 or 1 than 0.001, which is what a CTM shows, count as that far away.

    Args:
        confidences: float ``[N]``, probability of each recognised word.
        right: bool ``[N]``, whether it was said.
    """
    if len(right) == 0:
        return 0.0
    clipped = np.clip(confidences, _LEAST_DOUBT, 1 - _LEAST_DOUBT)
    return float(-np.log2(np.where(right, clipped, 1 - clipped)).mean())


def _replicated(
    counts: Sequence[ErrorCounts], replications: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Errors and reference words [replications] of utterances drawn with replacement."""
    table = np.array([(c.errors, c.words) for c in counts], np.int64).reshape(-1, 2)
    sums = np.zeros((replications, 2), np.int64)
    if len(counts):
        generator = np.random.default_rng(seed)
        for row in range(replications):
            sums[row] = table[generator.integers(len(counts), size=len(counts))].sum(axis=0)
    return sums[:, 0], sums[:, 1]


def write_trn(path: str | Path, hypotheses: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Write sclite's transcript format: the words, then the utterance in brackets.

    Args:
        path: the file to write (through a temporary name).
        hypotheses: (utterance, its words) pairs.
    """
    with replace_text(path) as stream:
        for utterance, words in hypotheses:
            stream.write(f"{' '.join((*words, f'({utterance})'))}\n")


def read_trn(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read sclite's transcript format into utterance -> words.

    Raises:
        SpeechError: a missing file, a line without ``(utterance)`` at its end, or one utterance
            twice (with the line's number).
    """
    words: dict[str, tuple[str, ...]] = {}
    for number, line in _lines(path):
        text, bracket, utterance = line.rstrip().rpartition("(")
        if not bracket or not utterance.endswith(")"):
            raise SpeechError(f"{path}:{number}: expected words and '(utterance)', found {line!r}")
        _add(words, utterance[:-1], text, path, number)
    return words


def read_transcripts(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read transcripts into utterance -> words: ``.trn`` as sclite's, else Kaldi's ``text``.

    Raises:
        SpeechError: as `read_trn`.
    """
    if str(path).endswith(".trn"):
        return read_trn(path)
    words: dict[str, tuple[str, ...]] = {}
    for number, line in _lines(path):
        utterance, _, text = line.partition(" ")
        _add(words, utterance, text, path, number)
    return words


def check_known(
    references: Mapping[str, Sequence[str]], hypotheses: Iterable[str], path: str | Path
) -> None:
    """Refuse hypotheses of utterances that have no reference.

    Raises:
        SpeechError: names the file of the hypotheses and the first such utterance.
    """
    for name in hypotheses:
        if name not in references:
            raise SpeechError(f"{path}: utterance {name!r} has no reference")


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    return ((i, line) for i, line in enumerate(read_lines(path), 1) if line.strip())


def _add(
    words: dict[str, tuple[str, ...]], utterance: str, text: str, path: str | Path, number: int
) -> None:
    if utterance in words:
        raise SpeechError(f"{path}:{number}: utterance {utterance!r} a second time")
    words[utterance] = tuple(text.split())


def alignment_text(utterance: str, reference: Sequence[str], hypothesis: Sequence[str]) -> str:
    """Four lines: utterance and counts, reference, hypothesis, and C, S, I or D below each."""
    rows: list[tuple[str, str, str]] = []
    for ref, hyp in align(reference, hypothesis):
        kind = "I" if ref == GAP else "D" if hyp == GAP else "C" if ref == hyp else "S"
        width = max(len(ref), len(hyp))
        gap = GAP * width
        ref_shown, hyp_shown = (gap if word == GAP else word for word in (ref, hyp))
        rows.append((ref_shown.ljust(width), hyp_shown.ljust(width), kind.ljust(width)))
    ref_line, hyp_line, kinds = (" ".join(row[i] for row in rows).rstrip() for i in range(3))
    counts = count_errors(reference, hypothesis)
    return f"{utterance} {counts}\nref {ref_line}\nhyp {hyp_line}\nop  {kinds}\n"
