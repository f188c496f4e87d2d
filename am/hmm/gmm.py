"""Diagonal-covariance Gaussian mixtures, one per pdf, kept as flat arrays for vectorised training.

All Gaussians of all pdfs stand in one array, sorted by pdf, so that the log-likelihoods of an
utterance are one matrix product. Estimation follows Kaldi's ``gmm-est``, ``gmm-mixup`` and
``gmm-acc-stats-ali``: maximum likelihood along a Viterbi path, an absolute variance floor, removal
of Gaussians that nearly no frame uses, and growth by splitting the heaviest Gaussians where the
power of the pdf's count says that they are due.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from recognizer.data.errors import SpeechError, UsageError

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]

_CHUNK = 16384  # frames per matrix product while accumulating: bounds memory and rounding


@dataclass(frozen=True)
class GmmOptions:
    """How mixtures are estimated and grown.

    Attributes:
        variance_floor: smallest variance of any Gaussian in any dimension.
        min_occupancy: a Gaussian with fewer frames is removed (never a pdf's last one).
        min_weight: a Gaussian with a smaller mixture weight is removed.
        perturbation: distance of the halves of a split Gaussian, in standard deviations.
        power: mixtures grow with the pdf's frame count to this power (Kaldi's ``--power``).
        min_count: a pdf gets no more Gaussians than its frame count divided by this.
    """

    variance_floor: float = 1e-3
    min_occupancy: float = 10.0
    min_weight: float = 1e-5
    perturbation: float = 0.01
    power: float = 0.25
    min_count: float = 20.0

    def __post_init__(self) -> None:
        """Refuse options that no estimation can work with."""
        if self.variance_floor <= 0:
            raise UsageError(f"variance_floor: expected a number > 0, found {self.variance_floor}")
        for name in ("min_occupancy", "min_weight", "perturbation", "power", "min_count"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}: expected a number >= 0, found {getattr(self, name)}")


@dataclass(frozen=True)
class GmmStats:
    """Sufficient statistics of a :class:`DiagonalGmmSet`, in float64.

    Attributes:
        occupancies: frames per Gaussian, ``[G]``.
        first: sum of the frames per Gaussian, ``[G, D]``.
        second: sum of the squared frames per Gaussian, ``[G, D]``.
        log_prob: sum of the frames' log-likelihoods (natural log).
        frames: number of frames.
    """

    occupancies: DoubleArray
    first: DoubleArray
    second: DoubleArray
    log_prob: float
    frames: int

    @property
    def mean_log_prob(self) -> float:
        """Average log-likelihood per frame (natural log)."""
        return self.log_prob / max(self.frames, 1)


class DiagonalGmmSet:
    """One diagonal-covariance Gaussian mixture per pdf.

    Args:
        offsets: ``[P + 1]``; the Gaussians of pdf ``p`` are rows ``offsets[p]:offsets[p + 1]``.
        weights: mixture weights ``[G]``, summing to one within each pdf.
        means: ``[G, D]``.
        variances: ``[G, D]``, above zero.

    Raises:
        SpeechError: where the arrays do not fit each other or a value is impossible.
    """

    def __init__(
        self,
        offsets: npt.ArrayLike,
        weights: npt.ArrayLike,
        means: npt.ArrayLike,
        variances: npt.ArrayLike,
    ) -> None:
        self.offsets: npt.NDArray[np.int64] = np.asarray(offsets, dtype=np.int64)
        self.weights: DoubleArray = np.asarray(weights, dtype=np.float64)
        self.means: DoubleArray = np.asarray(means, dtype=np.float64)
        self.variances: DoubleArray = np.asarray(variances, dtype=np.float64)
        count = self.weights.size
        if self.offsets.ndim != 1 or self.offsets.size < 2 or self.offsets[0] != 0:
            raise SpeechError("GMM offsets: expected [P + 1] numbers that start with 0")
        if np.any(np.diff(self.offsets) < 1) or self.offsets[-1] != count:
            raise SpeechError(
                f"GMM offsets: expected at least one Gaussian per pdf and {count} in all, "
                f"found {self.offsets[-1]}"
            )
        if self.means.ndim != 2 or self.means.shape[0] != count:
            raise SpeechError(f"GMM means: expected [{count}, D], found {self.means.shape}")
        if self.variances.shape != self.means.shape:
            raise SpeechError(
                f"GMM variances: expected {self.means.shape}, found {self.variances.shape}"
            )
        finite = np.isfinite(self.means).all() and np.isfinite(self.variances).all()
        if not finite or not np.all(self.variances > 0) or not np.all(self.weights > 0):
            raise SpeechError("GMM: expected finite means, variances > 0 and weights > 0")

    @classmethod
    def single(cls, means: npt.ArrayLike, variances: npt.ArrayLike) -> DiagonalGmmSet:
        """One Gaussian per pdf, from means and variances ``[P, D]``."""
        means = np.asarray(means, dtype=np.float64)
        return cls(np.arange(len(means) + 1), np.ones(len(means)), means, variances)

    @property
    def num_pdfs(self) -> int:
        """Number of mixtures."""
        return self.offsets.size - 1

    @property
    def num_gaussians(self) -> int:
        """Number of Gaussians over all pdfs."""
        return int(self.offsets[-1])

    @property
    def dim(self) -> int:
        """Dimension of a frame."""
        return int(self.means.shape[1])

    @cached_property
    def _projection(self) -> FloatArray:
        """``[G, 2 D + 1]``: times (1, x, x^2) gives each Gaussian's weighted log density."""
        inverse = 1.0 / self.variances
        constant = np.log(self.weights) - 0.5 * (
            self.dim * np.log(2 * np.pi)
            + np.log(self.variances).sum(axis=1)
            + (self.means**2 * inverse).sum(axis=1)
        )
        parts = (constant[:, None], self.means * inverse, -0.5 * inverse)
        return np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)

    def log_likelihoods(self, x: npt.ArrayLike, pdfs: npt.ArrayLike | None = None) -> FloatArray:
        """Log-likelihoods (natural log) of every frame under the mixtures of ``pdfs``.

        Args:
            x: frames ``[T, D]``.
            pdfs: the pdf-ids wanted, ``[K]``; None means all of them.

        Returns:
            ``[T, K]`` float32, C-contiguous.
        """
        extended = _extend(self._frames(x))
        if pdfs is None:
            rows, starts = self._projection, self.offsets[:-1]
        else:
            chosen = np.asarray(pdfs, dtype=np.int64)
            if chosen.size == 0:
                return np.zeros((extended.shape[0], 0), dtype=np.float32)
            if chosen.min() < 0 or chosen.max() >= self.num_pdfs:
                raise SpeechError(f"pdf-ids: expected 0 .. {self.num_pdfs - 1}")
            sizes = self.offsets[chosen + 1] - self.offsets[chosen]
            starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
            gaussians = np.arange(sizes.sum()) + np.repeat(self.offsets[chosen] - starts, sizes)
            rows = self._projection[gaussians]
        # Gaussians are rows and frames columns: every reduction then runs along whole rows.
        scores = rows @ extended.T
        best = np.maximum.reduceat(scores, starts, axis=0)
        scores -= np.repeat(best, np.diff(np.append(starts, len(rows))), axis=0)
        np.exp(scores, out=scores)
        best += np.log(np.add.reduceat(scores, starts, axis=0))
        return np.ascontiguousarray(best.T)

    def accumulate(self, x: npt.ArrayLike, pdfs: npt.ArrayLike) -> GmmStats:
        """Statistics of frames that a Viterbi path assigned to pdfs.

        Args:
            x: frames ``[N, D]``; already sorted by pdf they are not copied.
            pdfs: the pdf-id of every frame, ``[N]``.
        """
        frames, labels = self._labelled(x, pdfs)
        if np.any(np.diff(labels) < 0):
            order = np.argsort(labels, kind="stable")
            frames, labels = frames[order], labels[order]
        occupancies = np.zeros(self.num_gaussians)
        moments = np.zeros((self.num_gaussians, 2 * self.dim))
        log_prob = 0.0
        for rows, here in self._chunks(labels):
            extended = _extend(frames[rows])
            posteriors, log_probs = self._component_posteriors(extended, here)
            log_prob += log_probs
            sums = posteriors.T @ extended
            occupancies[here] += sums[:, 0]
            moments[here] += sums[:, 1:]
        first, second = moments[:, : self.dim], moments[:, self.dim :]
        return GmmStats(occupancies, first, second, log_prob, len(labels))

    def posteriors(
        self, x: npt.ArrayLike, pdfs: npt.ArrayLike
    ) -> Iterator[tuple[npt.NDArray[np.int64], slice, FloatArray]]:
        """Posteriors of the Gaussians of the pdfs that frames are assigned to, a pdf at a time.

        Args:
            x: frames ``[N, D]``.
            pdfs: the pdf-id of every frame, ``[N]``.

        Yields:
            Indices of frames ``[M]``, the Gaussians of their pdf, and their posteriors ``[M, K]``.
        """
        frames, labels = self._labelled(x, pdfs)
        order = np.argsort(labels, kind="stable")
        for rows, here in self._chunks(labels[order]):
            chosen = order[rows]
            yield chosen, here, self._component_posteriors(_extend(frames[chosen]), here)[0]

    def updated(self, stats: GmmStats, options: GmmOptions | None = None) -> DiagonalGmmSet:
        """Maximum-likelihood mixtures from statistics; a pdf without frames stays as it is.

        Gaussians below the options' occupancy or weight are removed (Kaldi's
        ``--remove-low-count-gaussians``), but never the heaviest of a pdf.
        """
        options = options or GmmOptions()
        owner = np.repeat(np.arange(self.num_pdfs), np.diff(self.offsets))
        totals = np.add.reduceat(stats.occupancies, self.offsets[:-1])
        share = stats.occupancies / np.maximum(totals[owner], 1e-10)
        seen = (stats.occupancies > options.min_occupancy) & (share > options.min_weight)
        # The last key is the primary one: by pdf, and the heaviest Gaussian of a pdf first.
        heaviest = np.lexsort((-stats.occupancies, owner))[self.offsets[:-1]]
        unseen = totals <= options.min_occupancy
        keep = seen.copy()
        keep[heaviest] = True
        keep |= unseen[owner]
        occupancies = np.maximum(stats.occupancies, 1e-10)[:, None]
        means = stats.first / occupancies
        variances = np.maximum(stats.second / occupancies - means**2, options.variance_floor)
        stale = ~seen
        means[stale], variances[stale] = self.means[stale], self.variances[stale]
        weights = np.where(unseen[owner], self.weights, np.maximum(share, 1e-10))[keep]
        sizes = np.add.reduceat(keep.astype(np.int64), self.offsets[:-1])
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        weights /= np.repeat(np.add.reduceat(weights, offsets[:-1]), sizes)
        return DiagonalGmmSet(offsets, weights, means[keep], variances[keep])

    def split(
        self, occupancies: npt.ArrayLike, num_gaussians: int, options: GmmOptions, seed: int = 0
    ) -> DiagonalGmmSet:
        """Grow to about ``num_gaussians`` by splitting the heaviest Gaussians of each pdf.

        Args:
            occupancies: frames per pdf ``[P]``.
            num_gaussians: the wanted number over all pdfs; fewer where counts are too small.
            options: the power rule and the perturbation.
            seed: of the random directions in which the halves part.
        """
        counts = np.asarray(occupancies, dtype=np.float64)
        targets = split_targets(counts, num_gaussians, options)
        rng = np.random.default_rng(seed)
        sizes: list[int] = []
        weights, means, variances = [], [], []
        for pdf in range(self.num_pdfs):
            here = slice(int(self.offsets[pdf]), int(self.offsets[pdf + 1]))
            w, m, v = list(self.weights[here]), list(self.means[here]), list(self.variances[here])
            while len(w) < targets[pdf]:
                top = int(np.argmax(w))
                w[top] *= 0.5
                step = options.perturbation * np.sqrt(v[top]) * rng.standard_normal(self.dim)
                w.append(w[top])
                m.append(m[top] + step)
                v.append(v[top])
                m[top] = m[top] - step
            sizes.append(len(w))
            weights += w
            means += m
            variances += v
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        return DiagonalGmmSet(offsets, weights, np.stack(means), np.stack(variances))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file (float32 but for the offsets)."""
        target = Path(path)
        partial = target.with_name(target.name + ".partial")
        tensors: dict[str, npt.NDArray[np.generic]] = {
            "offsets": self.offsets,
            "weights": self.weights.astype(np.float32),
            "means": self.means.astype(np.float32),
            "variances": self.variances.astype(np.float32),
        }
        save_file(tensors, partial, metadata={"kind": "diagonal-gmm-set", "version": "1"})
        partial.replace(target)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> DiagonalGmmSet:
        """Read what :meth:`write` wrote.

        Raises:
            SpeechError: where the file is missing, damaged, or of another kind.
        """
        try:
            tensors = load_file(path)
            return cls(*(tensors[name] for name in ("offsets", "weights", "means", "variances")))
        except FileNotFoundError:
            raise SpeechError(f"{path}: no such file (expected Gaussian mixtures)") from None
        except KeyError as error:
            raise SpeechError(f"{path}: expected an array named {error}, found none") from None
        except (SafetensorError, OSError) as error:
            raise SpeechError(f"{path}: not a readable safetensors file: {error}") from None
        except SpeechError as error:
            raise SpeechError(f"{path}: {error}") from None

    def _labelled(self, x: npt.ArrayLike, pdfs: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
        """Frames and their pdfs, which fit each other and these mixtures."""
        frames = self._frames(x)
        labels = np.asarray(pdfs, dtype=np.int32)
        if labels.shape != frames.shape[:1]:
            raise SpeechError(f"pdfs: expected [{len(frames)}], found {labels.shape}")
        if labels.size and (labels.min() < 0 or labels.max() >= self.num_pdfs):
            raise SpeechError(f"pdf-ids: expected 0 .. {self.num_pdfs - 1}")
        return frames, labels

    def _chunks(self, labels: IntArray) -> Iterator[tuple[slice, slice]]:
        """Some frames of one pdf, and its Gaussians; the labels are sorted."""
        bounds = np.searchsorted(labels, np.arange(self.num_pdfs + 1))
        for pdf in np.flatnonzero(np.diff(bounds)):
            here = slice(int(self.offsets[pdf]), int(self.offsets[pdf + 1]))
            for start in range(int(bounds[pdf]), int(bounds[pdf + 1]), _CHUNK):
                yield slice(start, min(start + _CHUNK, int(bounds[pdf + 1]))), here

    def _component_posteriors(self, extended: FloatArray, here: slice) -> tuple[FloatArray, float]:
        """Posteriors ``[M, K]`` of a pdf's Gaussians, and the sum of the log-likelihoods."""
        scores = extended @ self._projection[here].T
        best = scores.max(axis=1, keepdims=True)
        np.exp(scores - best, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        scores /= total
        return scores, float(np.sum(best + np.log(total), dtype=np.float64))

    def _frames(self, x: npt.ArrayLike) -> FloatArray:
        frames = np.asarray(x, dtype=np.float32)
        if frames.ndim != 2 or frames.shape[1] != self.dim:
            raise SpeechError(f"frames: expected [T, {self.dim}], found {frames.shape}")
        return frames


def split_targets(occupancies: DoubleArray, num_gaussians: int, options: GmmOptions) -> IntArray:
    """How many Gaussians each pdf should have: Kaldi's ``GetSplitTargets``.

    One Gaussian after the other goes to the pdf with the most ``count ** power`` per Gaussian,
    as long as the pdf has ``min_count`` frames for each.

    Returns:
        ``[P]`` int32, at least one each.
    """
    targets = np.ones(len(occupancies), dtype=np.int32)
    scaled = np.power(np.maximum(occupancies, 0.0), options.power)
    queue = [(-float(value), pdf) for pdf, value in enumerate(scaled)]
    heapq.heapify(queue)
    for _ in range(num_gaussians - len(targets)):
        while queue:
            pdf = queue[0][1]
            if (targets[pdf] + 1) * options.min_count <= occupancies[pdf]:
                break
            heapq.heappop(queue)  # too few frames for one more
        if not queue:
            break
        targets[pdf] += 1
        heapq.heapreplace(queue, (-float(scaled[pdf]) / int(targets[pdf]), pdf))
    return targets


def _extend(frames: FloatArray) -> FloatArray:
    """Frames ``[T, D]`` to ``[T, 2 D + 1]``: (1, x, x^2)."""
    count, dim = frames.shape
    extended = np.empty((count, 2 * dim + 1), dtype=np.float32)
    extended[:, 0] = 1.0
    extended[:, 1 : dim + 1] = frames
    np.square(frames, out=extended[:, dim + 1 :])
    return extended
