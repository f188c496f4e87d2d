"""Statistics from which the tree is grown: one Gaussian's sums for each state in context."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import FrameContexts, frame_contexts
from recognizer.data.errors import SpeechError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Rows waiting for consolidation at least, so that small corpora are sorted once.
_MIN_PENDING = 50_000
# States per phone that the packed keys have room for.
_MAX_STATES = 256


def gaussian_log_likelihood(
    counts: npt.ArrayLike,
    sums: npt.ArrayLike,
    squares: npt.ArrayLike,
    variance_floor: float = 0.01,
) -> FloatArray:
    """Log likelihood of data under the diagonal Gaussian estimated from it.

    With variances floored, as Kaldi's `GaussClusterable::Objf`: per frame
    -0.5 sum_d (log(2 pi) + log v_d + s_d / v_d), where s is the variance and v = max(s, floor).

    Args:
        counts: `[...]`, numbers of frames.
        sums: `[..., D]`, sums of the features.
        squares: `[..., D]`, sums of their squares.
        variance_floor: smallest variance.

    Returns:
        float64 `[...]`, natural log, summed over frames; 0 where the count is 0.
    """
    count = np.asarray(counts, dtype=np.float64)
    safe = np.where(count > 0, count, 1.0)[..., None]
    mean = np.asarray(sums) / safe
    variance = np.asarray(squares) / safe - mean * mean
    floored = np.maximum(variance, variance_floor)
    per_frame = np.log(2 * np.pi * floored) + variance / floored
    result: FloatArray = -0.5 * count * per_frame.sum(axis=-1)
    return result


@dataclass(frozen=True)
class StatsTable:
    """One row for each distinct state in context, sorted by (phone, state, left, right).

    Attributes:
        left: int64 `[K]`, phone before, 0 at the edge of the utterance.
        phone: int64 `[K]`.
        right: int64 `[K]`.
        hmm_state: int64 `[K]`.
        counts: float64 `[K]`, frames.
        sums: float64 `[K, D]`.
        squares: float64 `[K, D]`, sums of squares.
    """

    left: IntArray
    phone: IntArray
    right: IntArray
    hmm_state: IntArray
    counts: FloatArray
    sums: FloatArray
    squares: FloatArray

    def __len__(self) -> int:
        return len(self.counts)


class TreeStats:
    """Accumulates counts, sums and sums of squares of the features of each state in context.

    As Kaldi's `acc-tree-stats`, in float64. Utterances may be added in any order and accumulators
    merged; the result differs only by rounding.

    Args:
        num_phones: size of the phone table, with epsilon.
        dim: feature dimension D.
    """

    def __init__(self, num_phones: int, dim: int) -> None:
        self.num_phones = num_phones
        self.dim = dim
        self._keys: list[IntArray] = []
        self._rows: list[FloatArray] = []
        self._pending = 0
        self._consolidated = 0

    def accumulate(
        self,
        features: npt.ArrayLike,
        transition_ids: npt.ArrayLike,
        transitions: TransitionModel,
    ) -> None:
        """Adds one utterance.

        Args:
            features: `[T, D]`.
            transition_ids: `[T]`, its alignment.
            transitions: the model of the alignment.

        Raises:
            SpeechError: if features and alignment do not fit each other.
        """
        self.add(features, frame_contexts(transition_ids, transitions))

    def add(self, features: npt.ArrayLike, contexts: FrameContexts) -> None:
        """Adds frames `[T, D]` whose states in context are known."""
        x = np.asarray(features, dtype=np.float64)
        if x.shape != (len(contexts.phone), self.dim):
            raise SpeechError(
                f"tree statistics: expected features of shape "
                f"({len(contexts.phone)}, {self.dim}) as the alignment, found {x.shape}"
            )
        if not len(x):
            return
        if max(int(contexts.phone.max()), int(contexts.left.max())) >= self.num_phones:
            raise SpeechError(f"tree statistics: expected phone ids below {self.num_phones}")
        keys = self._pack(contexts)
        # Frames of one state stand together: sum runs first, sort the few rows that are left.
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        rows = np.empty((len(starts), 1 + 2 * self.dim))
        rows[:, 0] = np.diff(np.append(starts, len(keys)))
        rows[:, 1 : 1 + self.dim] = np.add.reduceat(x, starts, axis=0)
        rows[:, 1 + self.dim :] = np.add.reduceat(x * x, starts, axis=0)
        self._append(keys[starts], rows)

    def merge(self, other: TreeStats) -> None:
        """Adds all that another accumulator has seen.

        Raises:
            SpeechError: if it counts other phones or features.
        """
        if (other.num_phones, other.dim) != (self.num_phones, self.dim):
            raise SpeechError(
                f"tree statistics: expected {self.num_phones} phones and dimension {self.dim}, "
                f"found {other.num_phones} and {other.dim}"
            )
        for keys, rows in zip(list(other._keys), list(other._rows), strict=True):
            self._append(keys, rows)

    def table(self) -> StatsTable:
        """The sums of each distinct state in context."""
        self._consolidate()
        if self._keys:
            keys, rows = self._keys[0], self._rows[0]
        else:
            keys, rows = np.zeros(0, np.int64), np.zeros((0, 1 + 2 * self.dim))
        n = self.num_phones
        rest, right = np.divmod(keys, n)
        rest, left = np.divmod(rest, n)
        phone, state = np.divmod(rest, _MAX_STATES)
        return StatsTable(
            left,
            phone,
            right,
            state,
            rows[:, 0],
            rows[:, 1 : 1 + self.dim],
            rows[:, 1 + self.dim :],
        )

    def _pack(self, contexts: FrameContexts) -> IntArray:
        if int(contexts.hmm_state.max()) >= _MAX_STATES:
            raise SpeechError(f"tree statistics: expected HMM states below {_MAX_STATES}")
        key = contexts.phone.astype(np.int64) * _MAX_STATES + contexts.hmm_state
        return (key * self.num_phones + contexts.left) * self.num_phones + contexts.right

    def _append(self, keys: IntArray, rows: FloatArray) -> None:
        self._keys.append(keys)
        self._rows.append(rows)
        self._pending += len(keys)
        if self._pending > max(_MIN_PENDING, self._consolidated):
            self._consolidate()

    def _consolidate(self) -> None:
        if not self._pending:
            return
        keys = np.concatenate(self._keys)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        rows = np.add.reduceat(np.concatenate(self._rows)[order], starts, axis=0)
        self._keys, self._rows = [keys[starts]], [rows]
        self._pending, self._consolidated = 0, len(starts)
