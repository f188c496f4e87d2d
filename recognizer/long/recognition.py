"""A recording of any length, recognised segment by segment in bounded memory.

The recording is read once, from front to back. The acoustic model says where silence is, window by
window; at silences the recording is cut into spans (`recognizer.long.segmentation`); each span is
recognised as a recording of its own. Both steps work on all threads, a few windows and spans ahead
of what is asked for, and no further: nothing grows with the recording but the words.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.errors import SpeechError
from recognizer.data.parallel.threads import thread_map
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.long.audio_buffer import AudioBuffer
from recognizer.long.segmentation import SegmentationOptions, Segmenter, Span
from recognizer.long.silence import FloatArray, SilenceDetector
from recognizer.recognition.passes import Passes
from recognizer.recognition.result import Hypothesis, Result, TranscriptSegment, Word

Answer = TypeVar("Answer")

LONG_SECONDS = 60.0
"""A recording above this length is recognised in segments."""

_WINDOW_SECONDS = 20.0
_CONTEXT_SECONDS = 1.0
"""What the acoustic model hears before a window, and after it, without an answer being asked."""


class BrokenRecordingError(SpeechError):
    """A recording of which a part was read and recognised before an error.

    Attributes:
        result: of the part that was read.
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type[BrokenRecordingError], tuple[str, Result]]:
        """For other processes."""
        return type(self), (str(self), self.result)


def recognize_segments(
    passes: Passes,
    pieces: Iterable[Samples],
    options: SegmentationOptions,
    threads: int | None = None,
) -> Iterator[Result]:
    """Recognise a recording that is read piece by piece.

    Args:
        passes: the model.
        pieces: the samples at 16 kHz, from front to back, in pieces of any length.
        options: where to cut.
        threads: spans that are recognised at a time; None: as many as there are processors.

    Yields:
        The result of each span in order, each with one segment. Words are those of the segment
        alone and their times are the recording's; the hypotheses are the span's, which may share
        words with the next one where there was no silence to cut in. There are no lattices.

    Raises:
        SpeechError: what the pieces raise, after the results of all that came before; what a span
            raises, when its turn comes.
    """
    threads = len(os.sched_getaffinity(0)) if threads is None else threads
    recording = _Recording(passes, pieces, options)
    # Where silence is, is found much sooner than what is said.
    odds = thread_map(recording.log_odds, recording.windows(), max(1, threads // 4))
    taken = 0.0
    for span, result in thread_map(recording.recognize, recording.spans(odds), threads):
        segment = recording.segment(span, result, taken)
        taken = segment.end if span.cut is not None else 0.0
        yield replace(result, words=segment.words, segments=(segment,))
    if recording.error is not None:
        raise recording.error


def map_lattices(
    passes: Passes,
    pieces: Iterable[Samples],
    options: SegmentationOptions,
    use: Callable[[CompactLattice], Answer],
    threads: int = 1,
) -> Iterator[tuple[Span, Answer]]:
    """What can be made of the lattices of a recording, which is recognised in segments.

    Args:
        passes: the model.
        pieces: the samples at 16 kHz, from front to back, in pieces of any length.
        options: where to cut.
        use: makes something of a span's rescored lattice, whose frames count from the span's begin;
            it is called by several threads, and no lattice is kept longer.
        threads: spans that are recognised at a time.

    Yields:
        Each span, in order, and what `use` made of its lattice.

    Raises:
        SpeechError: as `recognize_segments`.
    """
    recording = _Recording(passes, pieces, options)

    def work(item: tuple[Span, Samples]) -> tuple[Span, Answer]:
        lattice = passes.first_pass(passes.acoustic_scores(item[1]))
        return item[0], use(passes.second_pass(lattice).lattice)

    odds = thread_map(recording.log_odds, recording.windows(), max(1, threads // 4))
    yield from thread_map(work, recording.spans(odds), threads)
    if recording.error is not None:
        raise recording.error


@dataclass(frozen=True)
class _Window:
    """Samples ``[N]`` for the silence detector; of its frames `skip` are before the window.

    Attributes:
        count: frames of the window; None for all that are left.
    """

    samples: Samples
    skip: int
    count: int | None


class _Recording:
    """One recording on its way; arguments as of `recognize_segments`."""

    def __init__(
        self, passes: Passes, pieces: Iterable[Samples], options: SegmentationOptions
    ) -> None:
        self._passes, self._pieces = passes, pieces
        self._shift = passes.acoustic_model.output_frame_shift
        self._frame_samples = round(self._shift * SAMPLE_RATE)
        self._detector = SilenceDetector.of(passes.bundle)
        self._segmenter = Segmenter(options, self._shift)
        self._audio = AudioBuffer()
        self._windowed = 0  # frames given to the detector
        self.error: SpeechError | None = None

    def windows(self) -> Iterator[_Window]:
        """The windows of the recording, as far as it can be read."""
        window = round(_WINDOW_SECONDS / self._shift)
        context = round(_CONTEXT_SECONDS / self._shift)
        try:
            for piece in self._pieces:
                self._audio.append(piece)
                while self._audio.end >= (self._windowed + window + context) * self._frame_samples:
                    yield self._window(context, window)
        except SpeechError as error:
            self.error = error
        last = self._window(context, None)
        if self._num_frames(len(last.samples)) > last.skip:
            yield last

    def _window(self, context: int, count: int | None) -> _Window:
        begin = max(0, self._windowed - context)
        end = self._audio.end
        if count is not None:
            end = (self._windowed + count + context) * self._frame_samples
        samples = self._audio.part(begin * self._frame_samples, end)
        skip = self._windowed - begin
        self._windowed += count or 0
        return _Window(samples, skip, count)

    def _num_frames(self, num_samples: int) -> int:
        """Output frames of so many samples."""
        frames = self._passes.acoustic_model.features.num_frames(num_samples)
        return -(-frames // self._passes.acoustic_model.network.subsampling)

    def log_odds(self, window: _Window) -> FloatArray:
        """Log odds of silence of the window's frames."""
        odds = self._detector.log_odds(window.samples)[window.skip :]
        return odds if window.count is None else odds[: window.count]

    def spans(self, log_odds: Iterable[FloatArray]) -> Iterator[tuple[Span, Samples]]:
        """The spans of the recording with their samples, given the log odds of all its windows."""
        for odds in log_odds:
            yield from self._with_samples(self._segmenter.accept(odds))
        yield from self._with_samples(self._segmenter.finish(), last=True)

    def _with_samples(
        self, spans: Iterable[Span], *, last: bool = False
    ) -> Iterator[tuple[Span, Samples]]:
        total = self._num_frames(self._audio.end) if last else None
        for span in spans:
            # The last frame need not be a whole one.
            end = self._audio.end if span.end == total else span.end * self._frame_samples
            yield span, self._audio.part(span.begin * self._frame_samples, end)
        context = round(_CONTEXT_SECONDS / self._shift)
        needed = min(self._segmenter.begin, self._windowed - context)
        self._audio.let_go(needed * self._frame_samples)

    def recognize(self, item: tuple[Span, Samples]) -> tuple[Span, Result]:
        """Recognise the samples of a span."""
        span, samples = item
        duration, start = len(samples) / SAMPLE_RATE, span.begin * self._shift
        # Scores and lattices are large: neither is kept longer than it is needed.
        lattice = self._passes.first_pass(self._passes.acoustic_scores(samples))
        num_frames = self._num_frames(len(samples))
        return span, replace(
            self._passes.result(lattice, duration, num_frames, start), lattice=None
        )

    def segment(self, span: Span, result: Result, taken: float) -> TranscriptSegment:
        """What is new in a span.

        A word that lies across a cut is taken from the span that hears more of it. The next one
        then begins where the last word taken ends, so that no word is lost and none comes twice.

        Args:
            span: the span.
            result: what was recognised in it.
            taken: seconds up to which words were taken from the span before, where it was cut.
        """
        (whole,) = result.segments
        start, end = max(whole.start, taken), whole.end
        words = [word for word in result.words if _middle(word) >= start]
        if span.cut is not None:
            end = span.cut * self._shift
            for word in words:
                if word.start < end < word.end:
                    end = word.end if _middle(word) < end else word.start
                    break
            words = [word for word in words if _middle(word) < end]
        kept = tuple(_from(word, start) for word in words)
        return TranscriptSegment(start, end, kept, whole.match)


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2


def _from(word: Word, start: float) -> Word:
    """A word of which nothing lies before the segment."""
    return replace(word, start=start) if word.start < start else word


def joined(results: Iterable[Result], duration: float) -> Result:
    """The result of a recording from those of its segments.

    Args:
        results: in order, as `recognize_segments` gives them.
        duration: seconds of the recording.
    """
    segments: list[TranscriptSegment] = []
    first: list[Hypothesis] = []
    second: list[Hypothesis] = []
    frames, complete = 0, True
    for result in results:
        segments += result.segments
        first.append(result.first_pass)
        second.append(result.rescored)
        frames += result.num_frames
        complete = complete and result.complete
    return Result(
        words=tuple(word for segment in segments for word in segment.words),
        duration=duration,
        num_frames=frames,
        first_pass=_joined_hypotheses(first),
        rescored=_joined_hypotheses(second),
        complete=complete,
        segments=tuple(segments),
    )


def _joined_hypotheses(parts: list[Hypothesis]) -> Hypothesis:
    return Hypothesis(
        tuple(word for part in parts for word in part.words),
        float(np.sum([part.acoustic_log_prob for part in parts])),
        float(np.sum([part.graph_log_prob for part in parts])),
    )
