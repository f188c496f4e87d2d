"""Audio in, words out: the pipeline of features, network, search and rescoring."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from recognizer.am.features.fbank import fbank
from recognizer.data.audio.reading import SAMPLE_RATE, Source, as_audio, read_audio
from recognizer.data.errors import UsageError
from recognizer.data.parallel.threads import thread_map
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import BestPath, CompactLattice
from recognizer.decoding.lattice.mbr import confidences, mbr
from recognizer.decoding.lattice.paths import best_path, path_of_words
from recognizer.decoding.lattice.word_times import word_times
from recognizer.decoding.rescoring.rescore import Rescored, Rescorer, RescoringOptions
from recognizer.lm.units.pieces import join_pieces, whole_words
from recognizer.model.bundle import ModelBundle
from recognizer.result import Hypothesis, Result, TranscriptSegment, Word

FloatArray = npt.NDArray[np.float32]
Audio = str | os.PathLike[str] | BinaryIO | npt.ArrayLike


class Recognizer:
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

    def __init__(
        self,
        model: str | Path | ModelBundle | None = None,
        *,
        acoustic_scale: float | None = None,
        beam: float | None = None,
        rescoring: RescoringOptions | None = None,
        minimum_bayes_risk: bool = False,
    ) -> None:
        bundle = model if isinstance(model, ModelBundle) else ModelBundle(model)
        search = bundle.config.search
        if acoustic_scale is not None:
            search = replace(search, acoustic_scale=acoustic_scale)
        if beam is not None:
            search = replace(search, beam=beam)
        self.bundle = bundle
        self.search = search
        self.rescoring = rescoring or bundle.config.rescoring
        self._minimum_bayes_risk = minimum_bayes_risk
        self._limits = bundle.config.lattice
        self._join = join_pieces if bundle.config.units == "pieces" else whole_words
        self._acoustic_model = bundle.acoustic_model
        self._decoder = bundle.decoder(search)
        self._rescorer = Rescorer(bundle.first_pass_scores, bundle.rescoring_lm, bundle.graph.words)

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
            nothing, whole = Hypothesis((), 0.0, 0.0), TranscriptSegment(0.0, duration, ())
            return Result((), duration, 0, nothing, nothing, complete=False, segments=(whole,))
        scores = self.acoustic_scores(samples)
        lattice = self.first_pass(scores)
        rescored = self.second_pass(lattice)
        words = self.words(rescored)
        return Result(
            words=words,
            duration=duration,
            num_frames=len(scores),
            first_pass=self._hypothesis(self.first_best(lattice)),
            rescored=self._hypothesis(rescored.best),
            complete=rescored.best.complete,
            segments=(TranscriptSegment(0.0, duration, words),),
            lattice=rescored.lattice,
        )

    def acoustic_scores(self, samples: FloatArray) -> FloatArray:
        """Scores of the acoustic model ``[T, S]``, natural log, for 16 kHz samples ``[N]``.

        The T output frames are `AcousticModel.output_frame_shift` apart.
        """
        return self._acoustic_model.scores(fbank(samples, self._acoustic_model.features))

    def first_pass(self, scores: FloatArray) -> CompactLattice:
        """Search the decoding graph: the word lattice, with unscaled scores.

        Args:
            scores: what `acoustic_scores` gives.
        """
        return determinize(
            self._decoder.decode(scores),
            self.search.acoustic_scale,
            self.search.determinization_beam,
            max_memory=self._limits.determinization_bytes,
        )

    def first_best(self, lattice: CompactLattice) -> BestPath:
        """The best path with the scores of the first pass alone."""
        return best_path(lattice, self.search.acoustic_scale)

    def second_pass(self, lattice: CompactLattice) -> Rescored:
        """Rescore with the large language model instead of the first pass's."""
        return self._rescorer.rescore(
            lattice, self.search.acoustic_scale, self.rescoring, self._limits.rescoring
        )

    def second_passes(
        self, lattice: CompactLattice, options: Sequence[RescoringOptions]
    ) -> list[tuple[str, ...]]:
        """The words of the second pass under each of several options."""
        scale, limits = self.search.acoustic_scale, self._limits.rescoring
        paths = self._rescorer.best_paths(lattice, scale, options, limits)
        return [self.path_words(path) for path in paths]

    def path_words(self, path: BestPath) -> tuple[str, ...]:
        """The words of a path, put together where the model's units are pieces of words."""
        return tuple(joined.word for joined in self._join(path.words))

    def words(self, rescored: Rescored, confidence_scale: float | None = None) -> tuple[Word, ...]:
        """The chosen words with their times in seconds and their confidences.

        A word of several pieces is as likely as the least likely of them: pieces of a word are
        right or wrong together, so that their product would be far too low.

        Args:
            rescored: what `second_pass` found.
            confidence_scale: instead of the model's own.
        """
        lattice, acoustic_scale = rescored.lattice, self.search.acoustic_scale
        path: BestPath | None = rescored.best
        words = rescored.best.words
        if self._minimum_bayes_risk:
            words = mbr(lattice, acoustic_scale).words
            path = path_of_words(lattice, words)
        scale = self._limits.confidence_scale if confidence_scale is None else confidence_scale
        chosen = confidences(lattice, words, acoustic_scale * scale, scale)
        joined = self._join(chosen.words)
        # Words that no path has in this order have expected times only.
        spans: Sequence[tuple[float, float]] = [
            (chosen.times[one.first][0], chosen.times[one.end - 1][1]) for one in joined
        ]
        if path is not None:
            transitions, phones = self.bundle.transitions, self.bundle.phones
            times = word_times(path, transitions, phones, [one.word for one in joined])
            spans = [(start, end) for _, start, end in times]
        shift = self._acoustic_model.output_frame_shift
        return tuple(
            Word(one.word, start * shift, end * shift, min(chosen.confidences[one.first : one.end]))
            for one, (start, end) in zip(joined, spans, strict=True)
        )

    def _hypothesis(self, path: BestPath) -> Hypothesis:
        return Hypothesis(self.path_words(path), -path.acoustic_cost, -path.graph_cost)
