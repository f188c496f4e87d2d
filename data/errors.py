"""The errors that a user may meet, each one line that names the place and the fault."""

from __future__ import annotations


class SpeechError(Exception):
    """Failed work: the message is one line naming file, place, what was expected, what was found.

    The command line prints it and exits with 1.
    """


class UsageError(SpeechError):
    """Wrong use (an impossible option or argument): the command line exits with 2."""
