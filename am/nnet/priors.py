"""Prior probabilities of the tied HMM states, by which the network's posteriors are divided.

A hybrid system needs log p(x|s) = log p(s|x) - log p(s) + const. The priors are relative
frequencies of the training labels, or the network's posteriors averaged over the training data,
with the counts of silence states divided by a weight (Sak, Senior and Beaufays 2014: 2.7) and the
whole renormalised. The weight acts here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Literal

import numpy as np
import numpy.typing as npt

from recognizer.am.nnet.inference import AcousticNetwork
from recognizer.data.errors import SpeechError, UsageError

PriorSource = Literal["labels", "posteriors", "none"]

SILENCE_WEIGHT = 2.7

# States never seen in training get a huge but finite log prior, so that their scaled likelihood is
# hopeless and yet no arithmetic meets inf - inf. Kaldi's nnet1 (nnet-pdf-prior.cc) uses the same,
# for states with a smaller share than this.
DISABLED_LOG_PRIOR = math.sqrt(float(np.finfo(np.float32).max))
_LEAST_SHARE = 1e-10

_BATCH = 16


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


def sum_posteriors(
    network: AcousticNetwork, features: Iterable[npt.ArrayLike]
) -> npt.NDArray[np.float64]:
    """Sum of a network's posteriors over all output frames: how often it expects each state.

    Args:
        network: the network.
        features: one array ``[T, D]`` for each utterance.

    Returns:
        ``[S]``; its sum is the number of output frames.
    """
    sums = np.zeros(network.num_outputs)
    utterances = iter(features)
    while batch := list(islice(utterances, _BATCH)):
        for log_posteriors in network.log_posteriors(batch):
            sums += np.exp(log_posteriors).sum(0, dtype=np.float64)
    return sums


def state_priors(
    counts: npt.ArrayLike,
    silence_pdfs: Collection[int],
    silence_weight: float = SILENCE_WEIGHT,
    known: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Log prior of each state.

    Args:
        counts: frames of each pdf-id in the training labels ``[S]``, or sums of posteriors with 0
            for the states that no label names.
        silence_pdfs: the pdf-ids of every state of every silence phone.
        silence_weight: divisor of their counts; 1 leaves the priors as counted.
        known: log priors ``[S]`` of the network that training started from, the weight in them:
            states that were hardly ever seen now keep them, and the whole is renormalised.

    Returns:
        ``[S]`` float32, natural log. States that were hardly ever seen, then as now, get
        `DISABLED_LOG_PRIOR`.

    Raises:
        UsageError: an impossible weight or pdf-id.
        SpeechError: negative counts or none at all.
    """
    counts = np.array(counts, dtype=np.float64)
    if counts.ndim != 1 or not np.isfinite(counts).all() or (counts < 0).any():
        raise SpeechError("counts of states: expected one row of finite numbers >= 0")
    if not (math.isfinite(silence_weight) and silence_weight > 0):
        raise UsageError(f"silence weight: expected a number > 0, found {silence_weight}")
    for pdf in silence_pdfs:
        if not 0 <= pdf < len(counts):
            raise UsageError(f"silence pdf-id: expected 0 to {len(counts) - 1}, found {pdf}")
    counts[sorted(set(silence_pdfs))] /= silence_weight
    total = counts.sum()
    if total == 0:
        raise SpeechError("counts of states: expected some frames, found none")
    log_priors = np.full(len(counts), DISABLED_LOG_PRIOR, dtype=np.float32)
    seen = counts > _LEAST_SHARE * total
    log_priors[seen] = np.log(counts[seen] / total)
    if known is not None:
        kept = ~seen & (known < DISABLED_LOG_PRIOR)
        if kept.any():
            log_priors[kept] = known[kept]
            log_priors[seen | kept] -= np.log(np.exp(log_priors[seen | kept], dtype=float).sum())
    return log_priors
