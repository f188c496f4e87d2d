"""What a stream goes through from samples to events, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.am.features.fbank import FbankStream
from recognizer.data.audio.audio_stream import AudioStream, Piece
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.errors import UsageError
from recognizer.recognition.passes import Passes
from recognizer.streaming.endpointing import EndpointOptions
from recognizer.streaming.events import Event
from recognizer.streaming.utterances import Utterances

FloatArray = npt.NDArray[np.float32]

BLOCK_SAMPLES = 10 * SAMPLE_RATE
"""At most so many samples should go through the steps at once: scores take much memory."""


class StreamSteps:
    """One stream's state. Each step takes what the one before it gave, in the same order.

    The step between `features` and `events` is the network's: `session`, which may be advanced
    together with those of other streams. One thread at a time may use a step; different steps of a
    stream may be at work at the same time.

    Args:
        passes: the recogniser.
        endpointing: when an utterance ends; None: at the stream's end only.
        channel: which channel to take, counted from 1; None is the mean of the channels.
        partials: whether to give `Partial` events.

    Attributes:
        session: the network's.
        finished: whether the audio has ended.

    Raises:
        UsageError: the model takes whole utterances only, or a channel below 1.
    """

    def __init__(
        self,
        passes: Passes,
        endpointing: EndpointOptions | None,
        channel: int | None,
        partials: bool,
    ) -> None:
        self.session = passes.acoustic_model.start()
        self.finished = False
        self._audio = AudioStream(channel)
        self._samples = 0
        self._features = FbankStream(passes.acoustic_model.features)
        self._utterances = Utterances(passes, endpointing=endpointing, partials=partials)

    @property
    def cancelled(self) -> bool:
        """Whether the stream was cancelled."""
        return self._utterances.cancelled.is_set()

    def check(self, samples: Any, sample_rate: float) -> Piece:
        """What `samples` takes; errors as of `recognizer.streaming.stream.Stream.accept`."""
        self._check_open()
        return self._audio.check(samples, sample_rate)

    def samples(self, piece: Piece) -> Samples:
        """Take audio; the 16 kHz samples ``[n]`` that are complete now."""
        mono = self._audio.take(piece)
        self._samples += len(mono)
        return mono

    def last_samples(self) -> Samples:
        """End the audio; the remaining samples.

        Raises:
            UsageError: the stream was finished or cancelled before.
        """
        self._check_open()
        self.finished = True
        mono = self._audio.finish()
        self._samples += len(mono)
        return mono

    def features(self, samples: Samples, *, last: bool) -> FloatArray:
        """Frames of features ``[t, D]`` that are complete now; with the last samples, all."""
        frames = self._features.accept(samples)
        return np.concatenate([frames, self._features.finish()]) if last else frames

    def events(self, scores: FloatArray, *, last: bool) -> list[Event]:
        """Search output frames ``[t, S]``; with the last ones, end the utterance in progress."""
        if last:
            return self._utterances.finish(scores, self._samples / SAMPLE_RATE)
        return self._utterances.accept(scores)

    def cancel(self) -> None:
        """Let a search that is running stop soon, and give nothing."""
        self._utterances.cancelled.set()

    def release(self) -> None:
        """Give the search buffers back; no search may be running."""
        self._utterances.release()

    def _check_open(self) -> None:
        if self.finished:
            raise UsageError("stream: expected an open stream, found a finished one")
        if self.cancelled:
            raise UsageError("stream: expected an open stream, found a cancelled one")
