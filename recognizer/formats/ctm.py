"""CTM, the time-marked words of NIST's scoring programs."""

from __future__ import annotations

import math

from recognizer.formats.recordings import Recording
from recognizer.recognition.result import Result

_TOLERANCE = 1e-6
"""100 times 0.29 s is a little less than 29 in floats."""


def ctm(recording: Recording, result: Result) -> str:
    """``RECORDING CHANNEL START DURATION WORD CONFIDENCE`` for each word.

    Times are in seconds, to the hundredth. Start and end are rounded, but not beyond the end of the
    recording, and the duration is the difference of the two, so that words that touch in the
    recording touch here too.
    """
    lines, last = [], math.floor(result.duration * 100 + _TOLERANCE)
    for word in result.words:
        start, end = (min(round(time * 100), last) for time in (word.start, word.end))
        lines.append(
            f"{recording.name} {recording.channel} {start / 100:.2f} {(end - start) / 100:.2f} "
            f"{word.word} {word.confidence:.3f}\n"
        )
    return "".join(lines)
