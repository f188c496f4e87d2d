"""The part of a recording that is still needed."""

from __future__ import annotations

from collections import deque

import numpy as np

from recognizer.data.audio.reading import Samples


class AudioBuffer:
    """Samples of a recording, appended at its end and let go at its beginning.

    Attributes:
        end: samples of the recording so far.
    """

    def __init__(self) -> None:
        self._pieces: deque[Samples] = deque()
        self._begin = 0
        self.end = 0

    def append(self, samples: Samples) -> None:
        """Add the next samples ``[n]``, which are kept, not copied."""
        if len(samples):
            self._pieces.append(samples)
            self.end += len(samples)

    def part(self, begin: int, end: int) -> Samples:
        """A copy of the samples [begin, end) of the recording, none of them let go before."""
        assert self._begin <= begin
        parts = []
        position = self._begin
        for piece in self._pieces:
            if position >= end:
                break
            parts.append(piece[max(0, begin - position) : end - position])
            position += len(piece)
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def let_go(self, begin: int) -> None:
        """Samples before `begin` are not needed any more."""
        while self._pieces and self._begin + len(self._pieces[0]) <= begin:
            self._begin += len(self._pieces.popleft())
