"""Scores of phones without context, and how well an aligned path agrees with them.

The score of a phone in a frame is the logarithm of the mean likelihood of all pdfs that the tree
has for it. Where a path says one phone and the model alone another, the difference of the two
scores tells how unlikely the path's phone is there. Averaged over a phone's frames, it is goodness
of pronunciation (GOP) as of S. M. Witt and S. J. Young, "Phone-level pronunciation scoring and
assessment for interactive language learning" (Speech Communication 30, 2000, section 2), with the
phone that is likeliest in each frame in place of a phone loop's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE, PhoneTable
from recognizer.am.hmm.transitions import TransitionModel

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]

_CHUNK = 1000  # frames whose scores are averaged at a time, for the sake of memory


class MeanLikelihoods:
    """Logarithms of mean likelihoods of groups of pdfs.

    Args:
        groups: pdf-ids of each group, at least one.
    """

    def __init__(self, groups: Sequence[Iterable[int]]) -> None:
        members = [sorted(group) for group in groups]
        self._counts = np.array([len(group) for group in members])
        self._offsets = np.concatenate(([0], np.cumsum(self._counts)[:-1]))
        self._members = np.concatenate(members)

    def __call__(self, log_likelihoods: FloatArray) -> FloatArray:
        """Natural logs ``[T, G]`` of the groups, of those of all pdfs ``[T, P]``."""
        scores = np.empty((len(log_likelihoods), len(self._counts)), dtype=np.float32)
        for first in range(0, len(scores), _CHUNK):
            each = np.take(log_likelihoods[first : first + _CHUNK], self._members, axis=1)
            best = np.maximum.reduceat(each, self._offsets, axis=1)
            each -= np.repeat(best, self._counts, axis=1)
            np.exp(each, out=each)
            mean = np.add.reduceat(each, self._offsets, axis=1) / self._counts
            scores[first : first + _CHUNK] = best + np.log(mean)
        return scores


@dataclass(frozen=True, eq=False)
class PathScores:
    """How well a path agrees with the model, frame by frame.

    Attributes:
        log_likelihood: mean natural-log likelihood per frame of the path's pdfs, unscaled.
        log_ratios: float32 ``[T]``, score of the path's phone less that of the likeliest phone,
            at most 0.
        speech: bool ``[T]``, whether the path's phone or the likeliest one is of speech, neither
            silence nor noise.
        likeliest: int ``[T]``, index in `phones` of the likeliest phone.
        phones: names of the phones that are compared; SIL, the last, is silence and noise.
    """

    log_likelihood: float
    log_ratios: FloatArray
    speech: npt.NDArray[np.bool_]
    likeliest: npt.NDArray[np.int_]
    phones: tuple[str, ...]


class PhoneScorer:
    """Scores paths of one model; silence and spoken noise count as one phone.

    Args:
        phones: the phone table.
        transitions: its transition model.
    """

    def __init__(self, phones: PhoneTable, transitions: TransitionModel) -> None:
        pdfs: dict[str, set[int]] = {}
        for phone, _, pdf in transitions.tuples:
            pdfs.setdefault(phones.base(phone), set()).add(pdf)
        # The kinds of silence come last, and are joined to one column.
        spoken = sorted(pdfs.keys() - {SILENCE, SPOKEN_NOISE})
        self._means = MeanLikelihoods(
            [pdfs[name] for name in spoken]
            + [pdfs[name] for name in (SILENCE, SPOKEN_NOISE) if name in pdfs]
        )
        self._silence = len(spoken)
        self._names = (*spoken, SILENCE)
        number = {name: index for index, name in enumerate(spoken)}
        self._columns = np.full(1 + max(phone for phone, _, _ in transitions.tuples), -1)
        for phone, _, _ in transitions.tuples:
            self._columns[phone] = number.get(phones.base(phone), self._silence)
        self._transitions = transitions

    def __call__(self, tids: IntArray, log_likelihoods: FloatArray) -> PathScores:
        """The scores of a path.

        Args:
            tids: transition-id of every frame, ``[T]``.
            log_likelihoods: natural logs of all pdfs ``[T, P]``.
        """
        frames = np.arange(len(tids))
        scores = self._means(log_likelihoods)
        scores[:, self._silence] = scores[:, self._silence :].max(axis=1)
        scores = scores[:, : self._silence + 1]
        said = self._columns[self._transitions.phone[tids]]
        best = scores.argmax(axis=1)
        return PathScores(
            log_likelihood=float(log_likelihoods[frames, self._transitions.pdf[tids]].mean()),
            log_ratios=scores[frames, said] - scores[frames, best],
            speech=(said != self._silence) | (best != self._silence),
            likeliest=best,
            phones=self._names,
        )
