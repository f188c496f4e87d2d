"""Features of the Gaussian bootstrap: MFCC with differences, normalised per speaker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from recognizer.alignment.aligned_set import parallel
from recognizer.am.features.fbank import MfccOptions, add_deltas, cmvn, mfcc
from recognizer.am.hmm.fmllr import transformed
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, as_speech_error

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

UTTERANCES_AT_ONCE = 500
"""Enough to keep threads busy, little to keep in memory."""


@dataclass(frozen=True)
class SpeechData:
    """Utterances with their features, in one order.

    Attributes:
        ids: the utterances.
        words: their transcripts, with tags of noise (`Utterance.tokens`).
        speakers: who says them.
        features: ``[T, 3 num_ceps]`` each.
        failed: why, by the id of each utterance that has no features and is in no other list.
    """

    ids: list[str]
    words: list[tuple[str, ...]]
    speakers: list[str]
    features: list[FloatArray]
    failed: dict[str, str]

    @classmethod
    def load(
        cls, utterances: Sequence[Utterance], options: MfccOptions, jobs: int | None
    ) -> SpeechData:
        """MFCC, mean-normalised per speaker, with two orders of differences.

        Differences are taken after the normalisation; a mean changes none of them.
        """

        def compute(utterance: Utterance) -> FloatArray | str:
            try:
                return mfcc(utterance.samples(), options)
            except Exception as error:
                return str(as_speech_error(error))

        cepstra: list[FloatArray] = []
        read: list[Utterance] = []
        failed: dict[str, str] = {}
        for utterance, found in zip(utterances, parallel(compute, utterances, jobs), strict=True):
            if isinstance(found, str):
                failed[utterance.id] = found
            else:
                read.append(utterance)
                cepstra.append(found)
        speakers: dict[str, list[int]] = {}
        for index, utterance in enumerate(read):
            speakers.setdefault(utterance.speaker, []).append(index)
        for members in speakers.values():
            normalised = cmvn([cepstra[index] for index in members])
            for index, matrix in zip(members, normalised, strict=True):
                cepstra[index] = add_deltas(matrix)
        return cls(
            [u.id for u in read], [u.tokens for u in read], [u.speaker for u in read], cepstra,
            failed,
        )  # fmt: skip

    @property
    def num_frames(self) -> int:
        """Frames of all utterances."""
        return sum(map(len, self.features))

    def shortest(self, count: int) -> SpeechData:
        """The ``count`` shortest utterances (all for 0)."""
        order = sorted(range(len(self.ids)), key=lambda i: len(self.features[i]))
        chosen = sorted(order[:count] if count else order)
        return SpeechData(
            [self.ids[i] for i in chosen],
            [self.words[i] for i in chosen],
            [self.speakers[i] for i in chosen],
            [self.features[i] for i in chosen],
            self.failed,
        )

    def adapted(self, transforms: Mapping[str, DoubleArray]) -> SpeechData:
        """The features after the transforms ``[D, D + 1]`` of those speakers that have one."""
        moved = [
            transformed(features, transforms.get(speaker))
            for features, speaker in zip(self.features, self.speakers, strict=True)
        ]
        return replace(self, features=moved)


def gmm_features(
    utterances: Sequence[Utterance], options: MfccOptions, jobs: int | None = None
) -> dict[str, FloatArray]:
    """Features ``[T, 3 num_ceps]`` by utterance id, as of `SpeechData.load`.

    Raises:
        SpeechError: an utterance cannot be read or is shorter than a frame (names the first).
    """
    data = SpeechData.load(utterances, options, jobs)
    for key, reason in data.failed.items():
        raise SpeechError(f"utterance {key}: {reason}")
    return dict(zip(data.ids, data.features, strict=True))


def speaker_groups(
    utterances: Iterable[Utterance], least: int = UTTERANCES_AT_ONCE
) -> Iterator[list[Utterance]]:
    """Cut a corpus into groups of whole speakers, since features are normalised by speaker.

    Args:
        utterances: of the corpus, its speakers in any order.
        least: speakers are put together until a group has so many utterances.
    """
    speakers: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        speakers.setdefault(utterance.speaker, []).append(utterance)
    group: list[Utterance] = []
    for members in speakers.values():
        group += members
        if len(group) >= least:
            yield group
            group = []
    if group:
        yield group
