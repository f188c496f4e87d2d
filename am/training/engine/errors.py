"""What can go wrong in a training, apart from wrong input. Whoever catches it needs no torch."""

from __future__ import annotations

from recognizer.data.errors import SpeechError


class DivergedError(SpeechError):
    """The loss of a training is not finite any more."""
