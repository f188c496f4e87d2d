"""Scores in, events out: the search of one stream, utterance after utterance.

At an endpoint the search begins anew, as at the beginning of a sentence; the network's state goes
on, since what it knows of voice and channel still holds, and no audio needs to be gone over twice.
The finals are therefore those of the whole stream's scores, cut at the endpoints and searched piece
by piece.
"""

from __future__ import annotations

import math
import threading

import numpy as np
import numpy.typing as npt

from recognizer.decoding.search.decoding import CompactDecoding
from recognizer.recognition.passes import Passes
from recognizer.recognition.times import frame_seconds
from recognizer.streaming.endpointing import Endpointer, EndpointOptions
from recognizer.streaming.events import Event, Final, Partial

FloatArray = npt.NDArray[np.float32]

_BLOCK_SECONDS = 0.5
"""Audio that is searched between two looks at whether the stream was cancelled."""


class Utterances:
    """The search of one stream. One thread at a time may use it, except for `cancelled`.

    Args:
        passes: the model.
        endpointing: when an utterance ends; None: at the stream's end only.
        partials: whether to give `Partial` events.

    Attributes:
        cancelled: once set, the search stops within a block of frames.
    """

    def __init__(
        self, passes: Passes, *, endpointing: EndpointOptions | None, partials: bool
    ) -> None:
        self.cancelled = threading.Event()
        self._passes = passes
        self._partials = partials
        self._shift = passes.acoustic_model.output_frame_shift
        self._endpointer = None if endpointing is None else Endpointer(endpointing, self._shift)
        self._block = max(1, round(_BLOCK_SECONDS / self._shift))
        self._decoding: CompactDecoding | None = (
            None  # search buffers are taken when there are frames
        )
        self._first = 0  # output frame of the stream that begins the utterance
        self._seconds = math.inf  # length of the stream, once it is known
        self._told = Partial(0.0, (), ())
        self._open: tuple[str, ...] = ()  # committed pieces of a word that may go on

    def accept(self, scores: FloatArray) -> list[Event]:
        """Search the next output frames ``[t, S]``, t >= 0.

        Args:
            scores: what the acoustic model gives.

        Returns:
            The `Final` of each utterance that ended, and the `Partial` of the one in progress if it
            is new; nothing if the stream was cancelled.

        Raises:
            NoPathError: as `recognizer.decoding.search.search.Decoder.decode`.
        """
        tell = self._partials and len(scores) > 0
        events = self._search(scores)
        if tell and self._decoding is not None and not self.cancelled.is_set():
            events += self._partial(self._decoding)
        return events

    def finish(self, scores: FloatArray, seconds: float) -> list[Event]:
        """Search the last output frames ``[t, S]``, t >= 0, and end the utterance in progress.

        Args:
            scores: what the acoustic model gives.
            seconds: length of the stream.

        Returns:
            The `Final` of each utterance that ended; nothing if the stream was cancelled.

        Raises:
            NoPathError: as `accept`.
        """
        self._seconds = seconds
        events = self._search(scores)
        return [] if self.cancelled.is_set() else [*events, self._final(last=True)]

    def release(self) -> None:
        """Give the search buffers back, without a result."""
        if self._decoding is not None:
            self._decoding.cancel()
            self._decoding = None

    def _search(self, scores: FloatArray) -> list[Event]:
        """Search frames; the `Final` of each utterance that ended."""
        events: list[Event] = []
        while len(scores):
            if self.cancelled.is_set():
                return []
            if self._decoding is None:
                self._decoding = self._passes.start()
            count = self._block
            if self._endpointer is not None:
                count = min(count, self._endpointer.frames_to_check(self._decoding.num_frames))
            self._decoding.advance(scores[:count])
            scores = scores[count:]
            if self._endpointer is not None and self._endpointer.endpoint(self._decoding):
                events.append(self._final())
        return events

    def _final(self, *, last: bool = False) -> Final:
        """End the utterance: the last one at the stream's end, others at the last frame."""
        start = self._told.start
        decoding, self._decoding = self._decoding, None
        frames = 0 if decoding is None else decoding.num_frames
        self._first += frames
        end = self._seconds if last else frame_seconds(self._first, self._shift, end=self._seconds)
        self._told, self._open = Partial(end, (), ()), ()
        if decoding is None:
            return Final(start, end, self._passes.no_result(end - start, start))
        lattice = decoding.finish()
        return Final(start, end, self._passes.result(lattice, end - start, frames, start))

    def _partial(self, decoding: CompactDecoding) -> list[Event]:
        """The best words so far, if they are not those that were told last."""
        path = decoding.update()
        units = self._open + path.committed
        words = self._passes.joined(units + path.tentative)
        # The next piece may go on with the last word of pieces.
        fixed = len(units) - (1 if self._passes.bundle.config.units == "pieces" else 0)
        count = sum(one.end <= fixed for one in words)
        committed = self._told.committed
        if count:
            committed += tuple(one.word for one in words[:count])
            self._open = units[words[count - 1].end :]
        else:
            self._open = units
        tentative = tuple(one.word for one in words[count:])
        if not count and tentative == self._told.tentative:
            return []
        self._told = Partial(self._told.start, committed, tentative)
        grammar = self._passes.grammar
        # What will be rejected is not told.
        return [self._told] if grammar is None or grammar.begins(self._told.words) else []
