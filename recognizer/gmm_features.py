"""Features of the Gaussian bootstrap: MFCC with differences, normalised per speaker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from am.features import MfccOptions, add_deltas, cmvn, mfcc
from data.corpus import Utterance
from data.errors import SpeechError

FloatArray = npt.NDArray[np.float32]
In = TypeVar("In")
Out = TypeVar("Out")


def gmm_features(
    utterances: Sequence[Utterance], options: MfccOptions, jobs: int | None = None
) -> dict[str, FloatArray]:
    """Features ``[T, 3 num_ceps]`` by utterance id: MFCC, mean-normalised per speaker, two deltas.

    Differences are taken after the normalisation; a mean changes none of them.

    Raises:
        SpeechError: unreadable audio, or audio too short for one frame (names the utterance).
    """

    def compute(utterance: Utterance) -> FloatArray:
        try:
            return mfcc(utterance.samples(), options)
        except SpeechError as error:
            raise SpeechError(f"utterance {utterance.id}: {error}") from None

    cepstra = list(parallel(compute, utterances, jobs))
    speakers: dict[str, list[int]] = {}
    for index, utterance in enumerate(utterances):
        speakers.setdefault(utterance.speaker, []).append(index)
    features: dict[str, FloatArray] = {}
    for members in speakers.values():
        normalised = cmvn([cepstra[index] for index in members])
        for index, matrix in zip(members, normalised, strict=True):
            features[utterances[index].id] = add_deltas(matrix)
    return {utterance.id: features[utterance.id] for utterance in utterances}


def parallel(function: Callable[[In], Out], items: Iterable[In], jobs: int | None) -> Iterator[Out]:
    """Map in order on ``jobs`` threads (default: one a core); numpy and native code run freely."""
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(function, items)
