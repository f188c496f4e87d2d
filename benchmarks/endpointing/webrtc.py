"""WebRTC's voice activity detector (`pip install webrtcvad-wheels`), and endpoints by it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.common.report import output
from benchmarks.endpointing import mixtures
from recognizer.data.audio.reading import SAMPLE_RATE, Samples

_VAD_SAMPLES = 480  # 30 ms, the longest that the detector takes
_ONSET = 30
_OTHERS = 10
"""Percent of frames that may be speech in silence, or silence in speech."""

BoolArray = npt.NDArray[np.bool_]


def modes() -> tuple[int, ...]:
    """The detector's modes; none where it is not installed, which is said."""
    try:
        import webrtcvad  # noqa: F401
    except ImportError:
        output().print("WebRTC's detector is left out: pip install webrtcvad-wheels")
        return ()
    return (0, 1, 2, 3)


def webrtc_speech(mode: int, samples: Samples) -> BoolArray:
    """Of each 10 ms, whether WebRTC's detector takes it for speech."""
    import webrtcvad

    detector = webrtcvad.Vad(mode)
    integers = np.rint(samples * 32767.0).clip(-32768, 32767).astype("<i2")
    whole = -(-len(integers) // _VAD_SAMPLES) * _VAD_SAMPLES
    padded = np.pad(integers, (0, whole - len(integers))).reshape(-1, _VAD_SAMPLES)
    found = [detector.is_speech(frame.tobytes(), SAMPLE_RATE) for frame in padded]
    return np.repeat(found, _VAD_SAMPLES // mixtures.FRAME)[: len(samples) // mixtures.FRAME]


def webrtc_endpoints(speech: BoolArray, trailing: float, longest: float) -> list[int]:
    """Frames of 10 ms at which utterances end, by the rules of py-webrtcvad's example.

    An utterance has begun where nine tenths of the last 0.3 s are speech.

    Args:
        speech: of each frame, whether the detector takes it for speech.
        trailing: seconds of which nine tenths must then be without speech.
        longest: seconds after which an utterance ends in any case.
    """
    length, voiced = round(100 * trailing), np.concatenate([[0], np.cumsum(speech)])
    ends, begin, heard = [], 0, -1
    for frame in range(1, len(speech) + 1):
        if heard < 0 and frame - begin >= _ONSET:
            said = voiced[frame] - voiced[frame - _ONSET]
            heard = frame if 100 * said >= (100 - _OTHERS) * _ONSET else -1
        quiet = 0 <= heard <= frame - length and (
            100 * (voiced[frame] - voiced[frame - length]) <= _OTHERS * length
        )
        if quiet or frame - begin >= 100 * longest:
            if heard >= 0:
                ends.append(frame)
            begin, heard = frame, -1
    return ends
