"""From output frames to seconds of the audio."""

from __future__ import annotations

import math


def frame_seconds(
    frame: float, frame_shift: float, *, start: float = 0.0, end: float = math.inf
) -> float:
    """The time at which an output frame begins, never after the end of the audio.

    The last output frame is seldom a whole one: of 1.01 s of audio, frames of 30 ms end at 1.02 s.

    Args:
        frame: counted from the utterance's beginning; expected frames need not be whole numbers.
        frame_shift: seconds from one output frame to the next.
        start: seconds before the utterance.
        end: seconds at which the utterance's audio ends, counted as `start` is.
    """
    return min(start + frame * frame_shift, end)
