"""Adaptation of features to a speaker: feature-space maximum-likelihood linear regression (fMLLR).

M. J. F. Gales, "Maximum likelihood linear transformations for HMM-based speech recognition"
(Computer Speech and Language 12, 1998), section 3.2 (constrained model-space transforms) and
appendix A: the affine transform ``A x + b`` of a speaker's frames that makes them likeliest to
mixtures of diagonal Gaussians, one row after the other. The arithmetic is that of Kaldi's
``gmm-est-fmllr`` with full transforms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.gmm import DiagonalGmmSet
from recognizer.data.errors import UsageError

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

_WORST_CONDITION = 1e12
"""Of statistics; beyond it the frames do not differ in all directions."""


@dataclass(frozen=True)
class FmllrOptions:
    """How speakers are adapted to.

    Attributes:
        passes: how often utterances are aligned and transforms are estimated from that.
        iterations: rounds over the rows of a transform.
        min_frames: a speaker with fewer frames of speech is not adapted to.
    """

    passes: int = 2
    iterations: int = 20
    min_frames: int = 500

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        for name in ("passes", "iterations", "min_frames"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected a number > 0, found {getattr(self, name)}")


@dataclass
class FmllrStats:
    """Statistics of one speaker's frames, for features of D dimensions.

    Attributes:
        dim: D.
        frames: number of frames (beta of the paper).
        linear: ``[D, D + 1]``, for each row d the sum over Gaussians of mean / variance times the
            frames (k of the paper), with a 1 after each frame.
        quadratic: ``[D, D + 1, D + 1]``, the sum of 1 / variance times their outer products (G).
    """

    dim: int
    frames: int = 0
    linear: DoubleArray = field(init=False)
    quadratic: DoubleArray = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no frames."""
        self.linear = np.zeros((self.dim, self.dim + 1))
        self.quadratic = np.zeros((self.dim, self.dim + 1, self.dim + 1))

    def accumulate(self, gmm: DiagonalGmmSet, x: npt.ArrayLike, pdfs: npt.ArrayLike) -> None:
        """Add frames ``[N, D]``, as they were recorded, and the pdf that each is aligned to.

        Args:
            gmm: the mixtures.
            x: frames.
            pdfs: ``[N]``.
        """
        frames = np.asarray(x, dtype=np.float64)
        extended = np.concatenate([frames, np.ones((len(frames), 1))], axis=1)
        precisions = 1.0 / gmm.variances
        weighted = gmm.means * precisions
        first = np.empty((len(frames), self.dim))
        second = np.empty((len(frames), self.dim))
        for index, gaussians, posteriors in gmm.posteriors(x, pdfs):
            first[index] = posteriors @ weighted[gaussians]
            second[index] = posteriors @ precisions[gaussians]
        self.frames += len(frames)
        self.linear += first.T @ extended
        for row in range(self.dim):
            self.quadratic[row] += (extended * second[:, row : row + 1]).T @ extended

    def objective(self, transform: DoubleArray) -> float:
        """The auxiliary function of a transform ``[D, D + 1]``, natural log, but for a constant."""
        determinant = float(np.linalg.slogdet(transform[:, :-1])[1])
        square = np.einsum("di,dij,dj->", transform, self.quadratic, transform)
        return self.frames * determinant + float(np.sum(transform * self.linear) - 0.5 * square)

    def estimate(self, options: FmllrOptions | None = None) -> DoubleArray | None:
        """The transform ``[D, D + 1]`` (A, and b in the last column) that is likeliest.

        Returns:
            None where there are too few frames, or too few different ones, to tell.
        """
        options = options or FmllrOptions()
        if self.frames < options.min_frames:
            return None
        if np.linalg.cond(self.quadratic).max() > _WORST_CONDITION:
            return None
        transform = np.eye(self.dim, self.dim + 1)
        inverses: DoubleArray = np.linalg.inv(self.quadratic).astype(np.float64)
        for _ in range(options.iterations):
            for row in range(self.dim):
                transform[row] = self._row(transform, inverses, row)
        return transform

    def _row(self, transform: DoubleArray, inverses: DoubleArray, row: int) -> DoubleArray:
        """The best row while the others stay (equations 29 to 32 of the paper)."""
        # Proportional to the row's cofactors; the factor of proportion is part of alpha.
        cofactors = np.append(np.linalg.inv(transform[:, :-1])[:, row], 0.0)
        inverse, linear = inverses[row], self.linear[row]
        quadratic = float(cofactors @ inverse @ cofactors)
        mixed = float(cofactors @ inverse @ linear)
        root = np.sqrt(mixed * mixed + 4.0 * quadratic * self.frames)
        alphas = np.array([root - mixed, -root - mixed]) / (2.0 * quadratic)
        gains = (
            self.frames * np.log(np.abs(alphas * quadratic + mixed)) - 0.5 * alphas**2 * quadratic
        )
        found: DoubleArray = (alphas[np.argmax(gains)] * cofactors + linear) @ inverse
        return found


def transformed(features: npt.ArrayLike, transform: DoubleArray | None) -> FloatArray:
    """Frames ``[T, D]`` after a transform ``[D, D + 1]``; None changes nothing."""
    frames = np.asarray(features, dtype=np.float32)
    if transform is None:
        return frames
    moved = frames @ transform[:, :-1].T + transform[:, -1]
    return np.ascontiguousarray(moved, dtype=np.float32)
