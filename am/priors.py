"""Prior probabilities of the tied HMM states, by which the network's posteriors are divided.

A hybrid system needs log p(x|s) = log p(s|x) - log p(s) + const. The priors are the relative
frequencies of the training labels, with the counts of silence states divided by a weight (Sak,
Senior and Beaufays 2014: 2.7) and the whole renormalised. The weight acts here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from data.errors import SpeechError, UsageError

SILENCE_WEIGHT = 2.7

# States never seen in training get a huge but finite log prior, so that their scaled likelihood is
# hopeless and yet no arithmetic meets inf - inf. Kaldi's nnet1 (nnet-pdf-prior.cc) uses the same.
DISABLED_LOG_PRIOR = math.sqrt(float(np.finfo(np.float32).max))


def count_labels(labels: Iterable[npt.NDArray[np.integer]], num_pdfs: int) -> npt.NDArray[np.int64]:
    """Count the frames of each pdf-id.

    Args:
        labels: one array ``[T]`` of pdf-ids for each utterance; negative ones are padding.
        num_pdfs: S.

    Returns:
        Counts ``[S]``.

    Raises:
        SpeechError: a label is not below ``num_pdfs``.
    """
    counts = np.zeros(num_pdfs, dtype=np.int64)
    for array in labels:
        found = np.bincount(array[array >= 0])
        if len(found) > num_pdfs:
            raise SpeechError(f"labels: expected pdf-ids below {num_pdfs}, found {len(found) - 1}")
        counts[: len(found)] += found
    return counts


def state_priors(
    label_counts: npt.ArrayLike,
    silence_pdfs: Collection[int],
    silence_weight: float = SILENCE_WEIGHT,
) -> npt.NDArray[np.float32]:
    """Log prior of each state.

    Args:
        label_counts: frames of each pdf-id in the training labels ``[S]``.
        silence_pdfs: the pdf-ids of every state of every silence phone.
        silence_weight: divisor of their counts; 1 leaves the priors as counted.

    Returns:
        ``[S]`` float32, natural log. States that were never seen get `DISABLED_LOG_PRIOR`.

    Raises:
        UsageError: an impossible weight or pdf-id.
        SpeechError: negative counts or none at all.
    """
    counts = np.array(label_counts, dtype=np.float64)
    if counts.ndim != 1 or not np.isfinite(counts).all() or (counts < 0).any():
        raise SpeechError("label counts: expected one row of finite numbers >= 0")
    if not (math.isfinite(silence_weight) and silence_weight > 0):
        raise UsageError(f"silence weight: expected a number > 0, found {silence_weight}")
    for pdf in silence_pdfs:
        if not 0 <= pdf < len(counts):
            raise UsageError(f"silence pdf-id: expected 0 to {len(counts) - 1}, found {pdf}")
    counts[sorted(set(silence_pdfs))] /= silence_weight
    total = counts.sum()
    if total == 0:
        raise SpeechError("label counts: expected some frames, found none")
    log_priors = np.full(len(counts), DISABLED_LOG_PRIOR, dtype=np.float32)
    seen = counts > 0
    log_priors[seen] = np.log(counts[seen] / total)
    return log_priors
