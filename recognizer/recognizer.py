"""Audio in, words out: the pipeline of features, network, search and rescoring."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from am.features import fbank
from am.inference import scaled_log_likelihoods
from data.audio import SAMPLE_RATE, as_audio, read_audio
from data.errors import UsageError
from decoding.lattice import BestPath, CompactLattice, best_path, determinize
from decoding.rescore import RescoreOptions, Rescorer
from decoding.search import Decoder
from decoding.word_times import word_times
from recognizer.bundle import ModelBundle, RescoringOptions
from recognizer.result import Hypothesis, Result, Word

FloatArray = npt.NDArray[np.float32]
Audio = str | os.PathLike[str] | npt.NDArray[np.floating] | npt.NDArray[np.int16]


class Recognizer:
    """Recognises recordings with one model.

    >>> recognizer = Recognizer()
    >>> recognizer.recognize("interview.wav").text
    'well to begin with ...'

    One recogniser may be used by several threads at once: the model's parts are only read after
    loading, and every recording has its own network state and search. Network and search release
    Python's interpreter lock; so does rescoring, except while it asks KenLM.

    Args:
        model: a model directory or an open bundle; None is the English model of this package.
        acoustic_scale: replaces the model's own tuned value.
        beam: replaces the model's own value.
        rescoring: replaces the model's own tuned LM scale and word insertion penalty.

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
        self._load()
        self._acoustic_model = bundle.acoustic_model
        self._decoder = Decoder(bundle.graph, bundle.transitions.pdf, search)
        self._rescorer = Rescorer(bundle.first_pass_lm, bundle.rescoring_lm, bundle.graph.words)

    def _load(self) -> None:
        """Read the parts side by side: unpacking and hashing release the interpreter lock."""
        parts: tuple[Callable[[], object], ...] = (
            lambda: self.bundle.rescoring_lm,
            lambda: self.bundle.graph,
            lambda: self.bundle.first_pass_lm,
            lambda: self.bundle.network,
        )
        with ThreadPoolExecutor(len(parts)) as pool:
            for part in [pool.submit(part) for part in parts]:
                part.result()

    def recognize(self, audio: Audio, *, sample_rate: int | None = None) -> Result:
        """Recognise one recording.

        Args:
            audio: a path, "-" for standard input, or samples ``[N]`` or ``[N, channels]``, float
                in [-1, 1] or int16.
            sample_rate: of samples (default 16000); a file knows its own.

        Raises:
            SpeechError: the audio cannot be read or holds values that are not numbers.
            UsageError: a sample rate for a file, or samples of another shape or type.
        """
        if isinstance(audio, np.ndarray):
            return self.recognize_samples(as_audio(audio, sample_rate or SAMPLE_RATE))
        if sample_rate is not None:
            raise UsageError("sample_rate: expected none for a file, which knows its own")
        return self.recognize_samples(read_audio(audio))

    def recognize_samples(self, samples: FloatArray) -> Result:
        """Recognise 16 kHz mono float32 samples ``[N]`` in [-1, 1]."""
        duration = len(samples) / SAMPLE_RATE
        if self.bundle.config.features.num_frames(len(samples)) == 0:
            nothing = Hypothesis((), 0.0, 0.0)
            return Result((), duration, 0, nothing, nothing, complete=False)
        log_likelihoods = self.log_likelihoods(samples)
        lattice = self.first_pass(log_likelihoods)
        first, second = self.first_best(lattice), self.second_pass(lattice)
        return Result(
            words=self.words(second),
            duration=duration,
            num_frames=len(log_likelihoods),
            first_pass=_hypothesis(first),
            rescored=_hypothesis(second),
            complete=second.complete,
        )

    def log_likelihoods(self, samples: FloatArray) -> FloatArray:
        """Log posteriors less log priors, natural log, ``[T, S]`` for 16 kHz samples ``[N]``."""
        features = fbank(samples, self.bundle.config.features)
        return scaled_log_likelihoods(self._acoustic_model, features)

    def first_pass(self, log_likelihoods: FloatArray) -> CompactLattice:
        """Search the decoding graph: the word lattice, with unscaled scores."""
        lattice = self._decoder.decode(log_likelihoods)
        return determinize(lattice, self.search.acoustic_scale, self.search.lattice_beam)

    def first_best(self, lattice: CompactLattice) -> BestPath:
        """The best path with the scores of the graph alone."""
        return best_path(lattice, self.search.acoustic_scale)

    def second_pass(self, lattice: CompactLattice) -> BestPath:
        """The best path with the large language model in the place of the graph's."""
        options = self._rescore_options(self.rescoring)
        return self._rescorer.rescore(lattice, options).best

    def second_passes(
        self, lattice: CompactLattice, options: Sequence[RescoringOptions]
    ) -> list[tuple[str, ...]]:
        """The words of the second pass under each of several options."""
        paths = self._rescorer.best_paths(lattice, [self._rescore_options(o) for o in options])
        return [path.words for path in paths]

    def _rescore_options(self, options: RescoringOptions) -> RescoreOptions:
        return RescoreOptions(
            self.search.acoustic_scale, options.lm_scale, options.word_insertion_penalty
        )

    def words(self, path: BestPath) -> tuple[Word, ...]:
        """A path's words with their times in seconds."""
        shift = self.bundle.config.features.frame_shift
        return tuple(
            Word(word, start * shift, end * shift)
            for word, start, end in word_times(path, self.bundle.transitions, self.bundle.phones)
        )


def _hypothesis(path: BestPath) -> Hypothesis:
    return Hypothesis(tuple(path.words), -path.acoustic_cost, -path.graph_cost)
