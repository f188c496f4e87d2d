"""Scores in, events out: the search of one stream, utterance after utterance."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from recognizer.decoding.search.search import Decoding
from recognizer.recognition.passes import Passes
from recognizer.recognition.result import Result
from recognizer.streaming.events import Event, Final, Partial

FloatArray = npt.NDArray[np.float32]

_BLOCK_SECONDS = 0.5
"""Audio that is searched between two looks at whether the stream was cancelled."""


class Utterances:
    """The search of one stream. One thread at a time may use it, except for `cancelled`.

    Args:
        passes: the model.
        partials: whether to give `Partial` events.

    Attributes:
        cancelled: once set, the search stops within a block of frames.
    """

    def __init__(self, passes: Passes, *, partials: bool) -> None:
        self.cancelled = threading.Event()
        self._passes = passes
        self._partials = partials
        self._shift = passes.acoustic_model.output_frame_shift
        self._block = max(1, round(_BLOCK_SECONDS / self._shift))
        self._decoding: Decoding | None = None  # search buffers are taken when there are frames
        self._first = 0  # of the utterance, in output frames of the stream
        self._told: Partial | None = None

    def accept(self, scores: FloatArray) -> list[Event]:
        """Search the next output frames ``[t, S]``, t >= 0.

        Raises:
            NoPathError: as `recognizer.decoding.search.search.Decoder.decode`.
        """
        for begin in range(0, len(scores), self._block):
            if self.cancelled.is_set():
                return []
            if self._decoding is None:
                self._decoding = self._passes.decoder.start()
            self._decoding.advance(scores[begin : begin + self._block])
        return self._partial() if self._partials and len(scores) else []

    def finish(self, seconds: float) -> list[Event]:
        """End the utterance in progress.

        Args:
            seconds: length of the stream.

        Returns:
            Its `Final`; nothing if the stream was cancelled.
        """
        if self.cancelled.is_set():
            return []
        start = self._first * self._shift
        decoding, self._decoding, self._told = self._decoding, None, None
        if decoding is None:
            result = self._passes.no_result(seconds - start, start)
            return [Final(start, seconds, result)]
        frames = decoding.num_frames
        self._first += frames
        return [Final(start, seconds, self._result(decoding, seconds - start, frames, start))]

    def release(self) -> None:
        """Give the search buffers back, without a result."""
        if self._decoding is not None:
            self._decoding.cancel()
            self._decoding = None

    def _result(self, decoding: Decoding, duration: float, frames: int, start: float) -> Result:
        lattice = self._passes.determinized(decoding.finish())
        return self._passes.result(lattice, duration, frames, start)

    def _partial(self) -> list[Event]:
        """The best words so far, if they are not those that were told last."""
        if self._decoding is None:
            return []
        words = self._passes.path_words(self._decoding.partial())
        partial = Partial(self._first * self._shift, (), words)
        if partial == self._told or not (words or self._told):
            return []
        self._told = partial
        return [partial]
