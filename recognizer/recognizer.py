"""Audio in, words out: the pipeline of features, network, search and rescoring."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from recognizer.data.audio.reader import AudioReader, SamplesReader, first_seconds
from recognizer.data.audio.reading import SAMPLE_RATE, Source, as_audio
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.parallel.threads import thread_map
from recognizer.long.recognition import (
    LONG_SECONDS,
    BrokenRecordingError,
    joined,
    recognize_segments,
)
from recognizer.long.segmentation import SegmentationOptions
from recognizer.recognition.passes import FloatArray, Passes
from recognizer.recognition.result import Result, TranscriptSegment
from recognizer.streaming.endpointing import ENDPOINTING, EndpointOptions
from recognizer.streaming.stream import Stream
from recognizer.vocabulary.adaptation import Adaptation, AdaptationArguments

if TYPE_CHECKING:
    from typing_extensions import Unpack

Audio = str | os.PathLike[str] | BinaryIO | npt.ArrayLike
Progress = Callable[[float, float | None], None]


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
        neural_rescoring: replaces the model's own options of rescoring with a `neural_lm`.
        adaptation: words, phrases, language models and a grammar that are given at run time;
            `adapted` gives single recordings their own.
        given: fields of `recognizer.vocabulary.adaptation.Adaptation` (words, boost, grammar, lm,
            lm_weight, neural_lm, neural_weight), in place of those of `adaptation`.

    >>> Recognizer(words=["Rotherhithe"], boost=["oaken door"], lm="minutes.txt", lm_weight=0.3)

    Raises:
        UsageError: there is no such model directory, or an impossible option; as of `adapted`.
        SpeechError: the model is damaged; names the file and the field. As of `adapted`.
    """

    def recognize(
        self,
        audio: Audio,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Recognise one recording.

        One of at most `recognizer.long.recognition.LONG_SECONDS` is recognised as a whole. A longer
        one is cut at silences and recognised in segments, in memory that does not grow with it; its
        result has no lattice.

        Args:
            audio: a path, "-" for standard input, an open binary file, or samples ``[N]``,
                ``[N, channels]`` or ``[channels, N]``: a NumPy array, a torch tensor or a list;
                floats in [-1, 1] or integers of 16 bits.
            sample_rate: of samples (default 16000); a file knows its own.
            channel: which channel to take, counted from 1; None is the mean of the channels, or
                the loudest one where they cancel each other.
            threads: segments of a long recording that are recognised at a time; None: as many as
                there are processors. The result does not depend on it.
            progress: is called after each segment of a long recording with the seconds that are
                done and those of the whole recording, None where only decoding would tell.

        Raises:
            BrokenRecordingError: a long recording is damaged; has the result of what comes before.
            SpeechError: the audio cannot be read or holds values that are not numbers.
            UsageError: a sample rate for a file, samples of another shape or type, no such channel,
                fewer than one thread.
        """
        if threads is not None and threads < 1:
            raise UsageError(f"threads: expected at least 1, found {threads}")
        with self._opened(audio, sample_rate, channel) as reader:
            pieces, whole = first_seconds(reader, LONG_SECONDS)
            if whole is not None:
                return self.recognize_samples(whole)
            seconds = reader.seconds
            results: list[Result] = []
            segments = recognize_segments(self, pieces, SegmentationOptions(), threads)
            try:
                for result in segments:
                    results.append(result)
                    if progress is not None:
                        progress(result.segments[-1].end, seconds)
            except SpeechError as error:
                raise BrokenRecordingError(str(error), joined(results, reader.read)) from error
            return joined(results, reader.read)

    def recognize_long(
        self,
        audio: Audio,
        *,
        sample_rate: int | None = None,
        channel: int | None = None,
        threads: int | None = None,
        segmentation: SegmentationOptions | None = None,
    ) -> Iterator[TranscriptSegment]:
        """Recognise one recording in segments, each given as soon as it is recognised.

        Args:
            audio: as of `recognize`, as are `sample_rate`, `channel` and `threads`. The recording
                is read, at most some minutes ahead, while segments are asked for.
            sample_rate: of samples.
            channel: which channel to take.
            threads: segments that are recognised at a time.
            segmentation: where to cut.

        Yields:
            The segments in order; stretches without speech are in none. Times are the recording's.

        Raises:
            SpeechError: as `recognize`; where the recording is damaged, after all segments before.
            UsageError: as `recognize`.
        """
        with self._opened(audio, sample_rate, channel) as reader:
            options = segmentation or SegmentationOptions()
            for result in recognize_segments(self, reader, options, threads):
                yield from result.segments

    def _opened(
        self, audio: Audio, sample_rate: int | None, channel: int | None
    ) -> AudioReader | SamplesReader:
        """The recording, to be read in pieces; arguments and errors as of `recognize`."""
        if not isinstance(audio, str | os.PathLike) and not hasattr(audio, "read"):
            rate = SAMPLE_RATE if sample_rate is None else sample_rate
            return SamplesReader(as_audio(audio, rate, channel))
        if sample_rate is not None:
            raise UsageError("sample_rate: expected none for a file, which knows its own")
        return AudioReader(cast(Source, audio), channel=channel)

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
        return thread_map(partial(self.recognize, threads=1), recordings, threads)

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
        adaptation: Adaptation | None = None,
        **given: Unpack[AdaptationArguments],
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
            adaptation: what this stream is given at run time, as of `adapted`; None: what the
                recogniser was given.
            given: fields of `recognizer.vocabulary.adaptation.Adaptation`, as of `adapted`:
                ``recognizer.stream(words=["Rotherhithe"])``.

        Raises:
            UsageError: the model takes whole utterances only, or a channel below 1; as of
                `adapted`.
            SpeechError: as of `adapted`.
        """
        passes = self if adaptation is None and not given else self.adapted(adaptation, **given)
        return Stream(passes, endpointing=endpointing, channel=channel, partials=partials)
