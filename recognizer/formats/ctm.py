"""CTM, the time-marked words of NIST's scoring programs."""

from __future__ import annotations

from recognizer.formats.recordings import Recording
from recognizer.recognition.result import Result


def ctm(recording: Recording, result: Result) -> str:
    """``RECORDING CHANNEL START DURATION WORD CONFIDENCE`` for each word.

    Times are in seconds, to the hundredth. Start and end are rounded, and the duration is the
    difference of the two, so that words that touch in the recording touch here too.
    """
    lines = []
    for word in result.words:
        start, end = round(word.start * 100), round(word.end * 100)
        lines.append(
            f"{recording.name} {recording.channel} {start / 100:.2f} {(end - start) / 100:.2f} "
            f"{word.word} {word.confidence:.3f}\n"
        )
    return "".join(lines)
