"""The errors that a user may meet, each one line that names the place and the fault."""

from __future__ import annotations


class SpeechError(Exception):
    """Failed work: the message is one line naming file, place, what was expected, what was found.

    The command line prints it and exits with 1.
    """


class UsageError(SpeechError):
    """Wrong use (an impossible option or argument): the command line exits with 2."""


def as_speech_error(error: Exception) -> SpeechError:
    """Any exception as the one line that a user is told.

    For work on many files, of which one may fail in a way that nobody foresaw: the others are
    still done. An exception that is neither a `SpeechError`, nor the system's, nor a lack of
    memory is a fault of the program; its line says so and names the exception's type.
    """
    if isinstance(error, SpeechError):
        return error
    if isinstance(error, MemoryError):
        return SpeechError("not enough memory")
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename is not None else ""
        return SpeechError(f"{place}{error.strerror or error}")
    found = " ".join(str(error).split()) or "no message"
    return SpeechError(
        f"a fault of this program: {type(error).__name__}: {found} "
        "(RECOGNIZER_TRACEBACK=1 shows where)"
    )
