"""Where utterances of a stream end: pauses that are found, speech that is cut, and how soon."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.common.report import Row
from benchmarks.endpointing import mixtures
from benchmarks.endpointing.webrtc import webrtc_endpoints, webrtc_speech
from recognizer import Final, Recognizer
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.streaming.endpointing import ENDPOINTING

TRAILING = (0.5, 1.0)
"""Seconds without speech after which WebRTC's detector ends an utterance."""

_PAUSE = 150
"""Frames of the shortest pause that an utterance should end in."""
_COLLAR = 10

BoolArray = npt.NDArray[np.bool_]


def recognizer_endpoints(recognizer: Recognizer, samples: Samples) -> list[int]:
    """Frames of 10 ms at which utterances with words end in a stream with the default rules."""
    stream = recognizer.stream(partials=False)
    ends = []
    for begin in range(0, len(samples), SAMPLE_RATE):
        events = stream.accept(samples[begin : begin + SAMPLE_RATE], SAMPLE_RATE)
        ends += [round(100 * one.end) for one in events if isinstance(one, Final) and one.words]
    stream.cancel()
    return ends


def runs(mask: BoolArray) -> list[tuple[int, int]]:
    """Where a mask is true: [first, end) of each stretch, in order."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def judged(speech: BoolArray, ends: Sequence[int]) -> Row:
    """What endpoints are worth.

    Args:
        speech: of each frame of 10 ms, whether a word is said.
        ends: frames of the endpoints.

    Returns:
        Of the pauses of at least 1.5 s after speech: percent with an endpoint, and the median of
        the seconds until it; endpoints in speech, farther than 0.1 s from its ends.
    """
    begins = runs(speech)[0][0]
    pauses = [
        (first, end) for first, end in runs(~speech) if end - first >= _PAUSE and first > begins
    ]
    delays = []
    for first, end in pauses:
        inside = [one for one in ends if first - _COLLAR <= one < end + _COLLAR]
        if inside:
            delays.append((inside[0] - first) / 100)
    within = sum(
        first + _COLLAR <= one < end - _COLLAR for first, end in runs(speech) for one in ends
    )
    return {
        "pauses": len(pauses),
        "found": round(100.0 * len(delays) / len(pauses), 1),
        "delay_s": round(float(np.median(delays)), 2) if delays else float("nan"),
        "in_speech": within,
    }


def compared(
    recognizer: Recognizer,
    modes: Sequence[int],
    clean: Sequence[mixtures.Utterance],
    mixed: Sequence[Samples],
) -> list[Row]:
    """The endpoints of all systems in one stream of all utterances of a condition."""
    samples = np.concatenate(
        [one[: len(said.speech) * mixtures.FRAME] for said, one in zip(clean, mixed, strict=True)]
    )
    speech = np.concatenate([one.speech for one in clean])
    rows = [{"system": "recognizer", **judged(speech, recognizer_endpoints(recognizer, samples))}]
    longest = ENDPOINTING.length.min_utterance_length
    for mode in modes:
        found = webrtc_speech(mode, samples)
        for trailing in TRAILING:
            ends = webrtc_endpoints(found, trailing, longest)
            name = f"WebRTC, mode {mode}, {trailing:g} s"
            rows.append({"system": name, **judged(speech, ends)})
    return rows
