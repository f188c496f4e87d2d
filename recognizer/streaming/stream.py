"""One recording that is recognised while it arrives."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

from recognizer.am.features.fbank import FbankStream
from recognizer.data.audio.audio_stream import AudioStream
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.errors import UsageError
from recognizer.recognition.passes import Passes
from recognizer.streaming.endpointing import EndpointOptions
from recognizer.streaming.events import Event
from recognizer.streaming.utterances import Utterances

if TYPE_CHECKING:
    from typing_extensions import Self


class Stream:
    """Audio in, piece by piece; events out. `recognizer.recognizer.Recognizer.stream` makes it.

    The final results do not depend on how the audio was cut into pieces. Without endpointing there
    is one, that of `recognizer.recognizer.Recognizer.recognize`, bit for bit.

    A stream may be used by one thread at a time, except for `cancel`. As a context manager it is
    cancelled at the end of the block unless it was finished.

    Args:
        passes: the recogniser.
        endpointing: when an utterance ends; None: at the stream's end only.
        channel: which channel to take, counted from 1; None is the mean of the channels.
        partials: whether to give `Partial` events.

    Raises:
        UsageError: the model takes whole utterances only, or a channel below 1.
    """

    def __init__(
        self,
        passes: Passes,
        *,
        endpointing: EndpointOptions | None,
        channel: int | None = None,
        partials: bool = True,
    ) -> None:
        self._audio = AudioStream(channel)
        self._samples = 0
        self._features = FbankStream(passes.acoustic_model.features)
        self._session = passes.acoustic_model.start()
        self._utterances = Utterances(passes, endpointing=endpointing, partials=partials)
        self._busy = threading.Lock()
        self._finished = False

    @property
    def cancelled(self) -> bool:
        """Whether the stream was cancelled."""
        return self._utterances.cancelled.is_set()

    def accept(self, samples: Any, sample_rate: float) -> list[Event]:
        """Take the next piece of audio.

        Args:
            samples: ``[n]`` or ``[n, channels]``, n >= 0: a NumPy array, a torch tensor, or lists
                of numbers; floats with full scale [-1, 1], or integers of 16 bits of any type.
            sample_rate: samples per second; the same in all calls.

        Returns:
            What is new, in order; often nothing.

        Raises:
            UsageError: samples of another type or shape, an impossible rate, another rate or number
                of channels than before, or the stream was finished or cancelled.
            SpeechError: samples that are not numbers, or out of scale.
            After these errors the stream stands as before.
        """
        with self._busy:
            self._check_open()
            mono = self._audio.accept(samples, sample_rate)
            self._samples += len(mono)
            scores = self._session.advance(self._features.accept(mono))
            return self._utterances.accept(scores)

    def finish(self) -> list[Event]:
        """End the audio.

        Returns:
            What is new; the last event is the `Final` of the utterance in progress, which may have
            no words.

        Raises:
            UsageError: the stream was finished or cancelled before.
        """
        with self._busy:
            self._check_open()
            self._finished = True
            mono = self._audio.finish()
            self._samples += len(mono)
            frames = [self._features.accept(mono), self._features.finish()]
            events: list[Event] = []
            for scores in (*map(self._session.advance, frames), self._session.finish()):
                events += self._utterances.accept(scores)
            return events + self._utterances.finish(self._samples / SAMPLE_RATE)

    def cancel(self) -> None:
        """Give the stream up: nothing more comes of it.

        Any thread may call it, any number of times. It waits for a call that is running in another
        thread, which stops within about half a second of audio.
        """
        self._utterances.cancelled.set()
        with self._busy:
            self._utterances.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._finished:
            self.cancel()

    def _check_open(self) -> None:
        if self._finished:
            raise UsageError("stream: expected an open stream, found a finished one")
        if self.cancelled:
            raise UsageError("stream: expected an open stream, found a cancelled one")
