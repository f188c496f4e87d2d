"""One recording that is recognised while it arrives."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from recognizer.recognition.passes import Passes
from recognizer.streaming.endpointing import EndpointOptions
from recognizer.streaming.events import Event
from recognizer.streaming.steps import BLOCK_SAMPLES, StreamSteps

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
        self._steps = StreamSteps(passes, endpointing, channel, partials)
        self._busy = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Whether the stream was cancelled."""
        return self._steps.cancelled

    def accept(self, samples: Any, sample_rate: float) -> list[Event]:
        """Take the next piece of audio.

        Args:
            samples: ``[n]`` or ``[n, channels]``, n >= 0: a NumPy array, a torch tensor, or lists
                of numbers; floats with full scale [-1, 1], or integers of 16 bits of any type.
            sample_rate: samples per second; the same in all calls.

        Returns:
            What is new, in order; often nothing. After an error the stream stands as before.

        Raises:
            UsageError: samples of another type or shape, an impossible rate, another rate or number
                of channels than before, or the stream was finished or cancelled.
            SpeechError: samples that are not numbers, or out of scale.
        """
        with self._busy:
            steps = self._steps
            mono = steps.samples(steps.check(samples, sample_rate))
            events: list[Event] = []
            for first in range(0, len(mono), BLOCK_SAMPLES):
                if steps.cancelled:
                    return []
                block = mono[first : first + BLOCK_SAMPLES]
                scores = steps.session.advance(steps.features(block, last=False))
                events += steps.events(scores, last=False)
            return events

    def finish(self) -> list[Event]:
        """End the audio.

        Returns:
            What is new; the last event is the `Final` of the utterance in progress, which may have
            no words.

        Raises:
            UsageError: the stream was finished or cancelled before.
        """
        with self._busy:
            steps = self._steps
            frames = steps.features(steps.last_samples(), last=True)
            scores = [steps.session.advance(frames), steps.session.finish()]
            return steps.events(np.concatenate(scores), last=True)

    def cancel(self) -> None:
        """Give the stream up: nothing more comes of it.

        Any thread may call it, any number of times. It waits for a call that is running in another
        thread, which stops within about half a second of audio.
        """
        self._steps.cancel()
        with self._busy:
            self._steps.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._steps.finished:
            self.cancel()
