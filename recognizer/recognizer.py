"""Audio in, words out: the pipeline of features, network, search and rescoring."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from recognizer.data.audio.reading import SAMPLE_RATE, Source, as_audio, read_audio
from recognizer.data.errors import UsageError
from recognizer.data.parallel.threads import thread_map
from recognizer.recognition.passes import FloatArray, Passes
from recognizer.recognition.result import Result
from recognizer.streaming.endpointing import ENDPOINTING, EndpointOptions
from recognizer.streaming.stream import Stream

Audio = str | os.PathLike[str] | BinaryIO | npt.ArrayLike


class Recognizer(Passes):
    """Recognises recordings with one model.

    >>> recognizer = Recognizer()
    >>> recognizer.recognize("interview.wav").text
    'well to begin with ...'

    One recogniser may be used by several threads at once: the model's parts are only read after
    loading, and every recording has its own network state and search. Network, search and
    rescoring release Python's interpreter lock (rescoring with a language model that is no
    `NgramAutomaton` takes it). Results do not depend on the number of threads.

    Args:
        model: a model directory or an open bundle; None is the English model of this package.
        acoustic_scale: replaces the model's own tuned value.
        beam: replaces the model's own value.
        rescoring: replaces the model's own tuned LM scale and word insertion penalty.
        minimum_bayes_risk: choose the words that are expected to have the fewest errors instead
            of those of the best path.

    Raises:
        UsageError: there is no such model directory, or an impossible option.
        SpeechError: the model is damaged; names the file and the field.
    """

    def recognize(
        self, audio: Audio, *, sample_rate: int | None = None, channel: int | None = None
    ) -> Result:
        """Recognise one recording.

        Args:
            audio: a path, "-" for standard input, an open binary file, or samples ``[N]``,
                ``[N, channels]`` or ``[channels, N]``: a NumPy array, a torch tensor or a list;
                floats in [-1, 1] or integers of 16 bits.
            sample_rate: of samples (default 16000); a file knows its own.
            channel: which channel to take, counted from 1; None is the mean of the channels, or
                the loudest one where they cancel each other.

        Raises:
            SpeechError: the audio cannot be read or holds values that are not numbers.
            UsageError: a sample rate for a file, samples of another shape or type, no such channel.
        """
        if not isinstance(audio, str | os.PathLike) and not hasattr(audio, "read"):
            rate = SAMPLE_RATE if sample_rate is None else sample_rate
            return self.recognize_samples(as_audio(audio, rate, channel))
        if sample_rate is not None:
            raise UsageError("sample_rate: expected none for a file, which knows its own")
        return self.recognize_samples(read_audio(cast(Source, audio), channel=channel))

    def recognize_all(self, recordings: Iterable[Audio], threads: int = 1) -> Iterator[Result]:
        """Recognise many recordings, several at a time.

        Args:
            recordings: as for `recognize`; drawn from a few ahead of the results.
            threads: how many to recognise at a time.

        Yields:
            Their results, in order.

        Raises:
            UsageError: fewer than one thread.
            SpeechError: as `recognize`, when the recording's turn comes.
        """
        return thread_map(self.recognize, recordings, threads)

    def recognize_samples(self, samples: FloatArray) -> Result:
        """Recognise 16 kHz mono float32 samples ``[N]`` in [-1, 1].

        Raises:
            UsageError: another shape or type; `recognize` takes more.
        """
        if np.ndim(samples) != 1 or np.asarray(samples).dtype.kind != "f":
            raise UsageError(
                "samples: expected 16 kHz mono floats [N], found "
                f"{np.asarray(samples).dtype} {list(np.shape(samples))}"
            )
        duration = len(samples) / SAMPLE_RATE
        if self.bundle.config.features.num_frames(len(samples)) == 0:
            return self.no_result(duration)
        scores = self.acoustic_scores(samples)
        return self.result(self.first_pass(scores), duration, len(scores))

    def stream(
        self,
        *,
        endpointing: EndpointOptions | None = ENDPOINTING,
        channel: int | None = None,
        partials: bool = True,
    ) -> Stream:
        """Begin to recognise audio that arrives piece by piece.

        >>> with recognizer.stream() as stream:
        ...     for samples in microphone:
        ...         for event in stream.accept(samples, 16000):
        ...             print(event.text)
        ...     for event in stream.finish():
        ...         print(event.text)

        Args:
            endpointing: when an utterance ends; None: at the stream's end only.
            channel: which channel to take, counted from 1; None is the mean of the channels.
            partials: whether to give `Partial` events.

        Raises:
            UsageError: the model takes whole utterances only, or a channel below 1.
        """
        return Stream(self, endpointing=endpointing, channel=channel, partials=partials)
