"""WebRTC's voice activity detector (`pip install webrtcvad-wheels`), and endpoints by it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.common.report import output
from benchmarks.endpointing import mixtures
from recognizer.data.audio.reading import SAMPLE_RATE, Samples

_VAD_SAMPLES = 480  # 30 ms, the longest that the detector takes
_MOST_SPEECH = 10
"""Percent of frames that may be speech where an utterance ends, as in py-webrtcvad's example."""

BoolArray = npt.NDArray[np.bool_]


def modes() -> tuple[int, ...]:
    """The detector's modes; none where it is not installed, which is said."""
    try:
        import webrtcvad  # type: ignore[import-untyped]  # noqa: F401
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
    """Frames of 10 ms at which utterances end.

    Args:
        speech: of each frame, whether the detector takes it for speech.
        trailing: seconds of which nine tenths must be without speech, after some speech.
        longest: seconds after which an utterance ends in any case.
    """
    length = round(100 * trailing)
    voiced = np.concatenate([[0], np.cumsum(speech)])
    ends, begin, heard = [], 0, False
    for frame in range(1, len(speech) + 1):
        heard = heard or bool(speech[frame - 1])
        first = max(begin, frame - length)
        few = 100 * (voiced[frame] - voiced[first]) <= _MOST_SPEECH * length
        if (heard and few and frame - first == length) or frame - begin >= 100 * longest:
            if heard:
                ends.append(frame)
            begin, heard = frame, False
    return ends
