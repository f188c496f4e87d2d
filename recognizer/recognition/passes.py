"""The passes of recognition: acoustic scores, search, rescoring, words."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recognizer.am.features.fbank import fbank
from recognizer.data.errors import UsageError
from recognizer.decoding.lattice.lattice import BestPath, CompactLattice
from recognizer.decoding.lattice.mbr import confidences, mbr
from recognizer.decoding.lattice.paths import best_path, path_of_words
from recognizer.decoding.rescoring.neural import (
    NeuralRescored,
    NeuralRescorer,
    NeuralRescoringOptions,
)
from recognizer.decoding.rescoring.rescore import Rescored, Rescorer, RescoringOptions
from recognizer.decoding.search.decoding import CompactDecoding
from recognizer.decoding.vocabulary.phrases import WeightedPhrase
from recognizer.lm.text.classes import is_class
from recognizer.lm.units.pieces import JoinedWord, join_pieces, whole_words
from recognizer.model.bundle import ModelBundle
from recognizer.recognition.result import Hypothesis, Result, TranscriptSegment, Word
from recognizer.recognition.times import frame_seconds
from recognizer.vocabulary.adaptation import NO_ADAPTATION, Adaptation, AdaptationArguments
from recognizer.vocabulary.domain import MixedLm, read_domain_lm
from recognizer.vocabulary.grammar import ModelGrammar
from recognizer.vocabulary.phrases import weighted_phrases
from recognizer.vocabulary.words import NewWord, SpokenWords, added_words, classes_of

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

FloatArray = npt.NDArray[np.float32]


class Passes:
    """The parts of one model at work: what whole recordings and streams are recognised with.

    Attributes:
        bundle: the model directory.
        acoustic_model: features in, scores out.
        decoder: the search of the first pass.
        search: its options.
        rescoring: LM scale and word insertion penalty of the second pass.
        neural_rescoring: options of the third pass, if there is one.
        adaptation: what it was given at run time, with its language models opened and mixed.
        grammar: the grammar of `adaptation` in the words of the model; None: anything may be said.

    Args:
        model: a model directory or an open bundle; None is the English model of this package.
        acoustic_scale: replaces the model's own tuned value.
        beam: replaces the model's own value.
        rescoring: replaces the model's own tuned LM scale and word insertion penalty.
        minimum_bayes_risk: choose the words that are expected to have the fewest errors instead
            of those of the best path.
        neural_rescoring: replaces the model's own options of the third pass.
        adaptation: what the recogniser is given at run time.
        given: fields of `recognizer.vocabulary.adaptation.Adaptation`, in place of those of
            `adaptation`.

    Raises:
        UsageError: there is no such model directory, or an impossible option; as of `adapted`.
        SpeechError: the model is damaged; names the file and the field. The neural language model
            is, or lacks a word of the model.
    """

    def __init__(
        self,
        model: str | Path | ModelBundle | None = None,
        *,
        acoustic_scale: float | None = None,
        beam: float | None = None,
        rescoring: RescoringOptions | None = None,
        minimum_bayes_risk: bool = False,
        neural_rescoring: NeuralRescoringOptions | None = None,
        adaptation: Adaptation = NO_ADAPTATION,
        **given: Unpack[AdaptationArguments],
    ) -> None:
        adaptation = adaptation.updated(**given)
        bundle = model if isinstance(model, ModelBundle) else ModelBundle(model)
        search = bundle.config.search
        if acoustic_scale is not None:
            search = replace(search, acoustic_scale=acoustic_scale)
        if beam is not None:
            search = replace(search, beam=beam)
        self.bundle = bundle
        self.search = search
        self._given_rescoring = rescoring
        self._given_neural_rescoring = neural_rescoring
        self._minimum_bayes_risk = minimum_bayes_risk
        self._limits = bundle.config.lattice
        self._join = join_pieces if bundle.config.units == "pieces" else whole_words
        self.acoustic_model = bundle.acoustic_model
        self._adapt(adaptation)

    def adapted(
        self, adaptation: Adaptation | None = None, **given: Unpack[AdaptationArguments]
    ) -> Self:
        """The same recogniser with other words, phrases, language models or another grammar.

        It shares the model with this one, which stays as it is, and is made in well under a second
        for thousands of words, so that each utterance can have words of its own. To mix a domain's
        language model into the model's own takes seconds, once: recognisers that are adapted from
        this one share the mixture.

        >>> recognizer.adapted(words=["Rotherhithe"]).recognize("meeting.wav")

        Args:
            adaptation: what it is given; None: what this recogniser was given.
            given: fields of `recognizer.vocabulary.adaptation.Adaptation`, in place of those of
                `adaptation`.

        Raises:
            UsageError: as of `Adaptation`; the model searches a static graph; an `lm` of another
                model; a grammar beside the minimum-Bayes-risk choice of words, which need not be a
                sentence of it.
            SpeechError: a phone that the model lacks, or a word that nothing can pronounce; a
                grammar that is wrong; a model of pieces of words; a class of the domain's model
                that none of the words is in; a damaged language model.
        """
        other = copy.copy(self)
        other._adapt((self.adaptation if adaptation is None else adaptation).updated(**given))
        return other

    @property
    def lm(self) -> MixedLm | None:
        """The model's language models with a domain's mixed in; None: it has its own alone."""
        return self._lm

    def _adapt(self, given: Adaptation) -> None:
        bundle = self.bundle
        if given.grammar is not None and self._minimum_bayes_risk:
            raise UsageError("minimum Bayes risk: expected none with a grammar, found it")
        neural = self._given_neural_rescoring or bundle.config.neural_rescoring
        if given.neural_weight is not None:
            neural = replace(neural, weight=given.neural_weight)
        self.neural_rescoring = neural
        given_lm = None if given.neural_lm is None else bundle.neural_lm(given.neural_lm)
        neural_lm = given_lm
        if neural_lm is None and bundle.has_neural_lm:
            # With weight 0 it would not be used: it need not be read.
            neural_lm = bundle.own_neural_lm if neural.weight > 0.0 else None
        elif neural_lm is None:
            for name, is_given in (
                ("neural_rescoring", self._given_neural_rescoring is not None),
                ("neural_weight", given.neural_weight is not None),
            ):
                if is_given:
                    raise UsageError(f"{name}: expected a neural language model, found none")
        self._lm = mixed = _mixed(bundle, given)
        self.adaptation = replace(given, lm=mixed, lm_weight=None, neural_lm=given_lm)
        of_domain = () if mixed is None else mixed.domain.words
        if mixed is not None:
            mixed.check_classes(classes_of(given.words))
            if mixed is not given.lm:
                mixed.domain.warn_of_missing({one.word for one in given.words})
        spoken = SpokenWords(bundle, given.words, (one.word for one in of_domain))
        phrases = weighted_phrases(given.boost, spoken)
        self.grammar = None
        self.rescoring = self._given_rescoring or bundle.config.rescoring
        if given.grammar is not None:
            self.grammar = ModelGrammar(bundle, given.grammar, spoken)
            self.rescoring = self._given_rescoring or RescoringOptions()
            self._adapt_to_grammar(self.grammar, phrases, spoken.new)
            return
        # Without words to add, nothing is different from a recogniser that was given none.
        first_pass_lm = None if mixed is None else mixed.first_pass
        added = added_words(bundle, spoken.new, first_pass_lm) if spoken.new else []
        own = {one.word for one in added if not is_class(one.scored_as)}
        added += [one for one in of_domain if one.word not in own]
        extended = bundle.extendable_graph.extend(added) if added else None
        self.decoder = bundle.decoder(self.search, extended, phrases, first_pass_lm)
        ngram = bundle.rescoring_lm if mixed is None else mixed.rescoring
        symbols = self.decoder.graph.words
        scored_as = None if extended is None else extended.scored_as
        self._rescorer = Rescorer(
            bundle.first_pass_scores if mixed is None else mixed.first_pass_scores,
            ngram,
            symbols,
            scored_as,
        )
        self._neural_rescorer = (
            None if neural_lm is None else NeuralRescorer(neural_lm, ngram, symbols, scored_as)
        )

    def _adapt_to_grammar(
        self, grammar: ModelGrammar, phrases: Sequence[WeightedPhrase], words: Sequence[NewWord]
    ) -> None:
        bundle = self.bundle
        # Words of a grammar are not scored as <unk>.
        added = added_words(bundle, words, unknown_log_weight=0.0) if words else []
        extended = bundle.extendable_graph.extend(added) if added else None
        symbols = bundle.graph.words if extended is None else extended.graph.words
        automaton = grammar.automaton(symbols)
        self.decoder = bundle.decoder(self.search, extended, phrases, automaton, is_grammar=True)
        self._rescorer = Rescorer(automaton, automaton, symbols)
        self._neural_rescorer = None

    def acoustic_scores(self, samples: FloatArray) -> FloatArray:
        """Scores of the acoustic model ``[T, S]``, natural log, for 16 kHz samples ``[N]``.

        The T output frames are `AcousticModel.output_frame_shift` apart.
        """
        return self.acoustic_model.scores(fbank(samples, self.acoustic_model.features))

    def first_pass(self, scores: FloatArray) -> CompactLattice:
        """Search the decoding graph: the word lattice, with unscaled scores.

        Args:
            scores: what `acoustic_scores` gives.
        """
        decoding = self.start()
        decoding.advance(scores)
        return decoding.finish()

    def start(self) -> CompactDecoding:
        """Begin the first pass of an utterance whose scores come piece by piece.

        However they are cut, ``finish`` gives the lattice of `first_pass`, bit for bit.
        """
        return self.decoder.start_compact(max_memory=self._limits.determinization_bytes)

    def first_best(self, lattice: CompactLattice) -> BestPath:
        """The best path with the scores of the first pass alone."""
        return best_path(lattice, self.search.acoustic_scale)

    def second_pass(self, lattice: CompactLattice) -> Rescored:
        """Rescore with the large language model instead of the first pass's."""
        return self._rescorer.rescore(
            lattice, self.search.acoustic_scale, self.rescoring, self._limits.rescoring
        )

    def third_pass(
        self, rescored: Rescored, options: NeuralRescoringOptions | None = None
    ) -> NeuralRescored:
        """Mix the neural language model into the scores of the second pass.

        Args:
            rescored: what `second_pass` found.
            options: instead of the recogniser's own.

        Raises:
            UsageError: the recogniser has no neural language model.
        """
        if self._neural_rescorer is None:
            raise UsageError("third pass: expected a recogniser with neural_lm, found none")
        return self._neural_rescorer.rescore(
            rescored.lattice,
            self.search.acoustic_scale,
            self.rescoring.lm_scale,
            options or self.neural_rescoring,
        )

    def last_pass(self, lattice: CompactLattice) -> Rescored | NeuralRescored:
        """The second pass, and the third one if a neural language model has any weight."""
        rescored = self.second_pass(lattice)
        if self._neural_rescorer is None or self.neural_rescoring.weight == 0.0:
            return rescored
        return self.third_pass(rescored)

    def second_passes(
        self, lattice: CompactLattice, options: Sequence[RescoringOptions]
    ) -> list[tuple[str, ...]]:
        """The words of the second pass under each of several options."""
        scale, limits = self.search.acoustic_scale, self._limits.rescoring
        paths = self._rescorer.best_paths(lattice, scale, options, limits)
        return [self.path_words(path) for path in paths]

    def result(
        self, lattice: CompactLattice, duration: float, num_frames: int, start: float = 0.0
    ) -> Result:
        """What is recognised in an utterance, of its first pass.

        Args:
            lattice: what `first_pass` found.
            duration: seconds of audio.
            num_frames: output frames of the acoustic model.
            start: seconds before the utterance, which the times of words count from.
        """
        rescored = self.last_pass(lattice)
        match = None if self.grammar is None else self.grammar.match(rescored.best.words)
        rejected = match is not None and match.rejected
        words = () if rejected else self.words(rescored, start=start, end=start + duration)
        return Result(
            words=words,
            duration=duration,
            num_frames=num_frames,
            first_pass=self._hypothesis(self.first_best(lattice)),
            rescored=self._hypothesis(rescored.best),
            complete=rescored.best.complete,
            segments=(TranscriptSegment(start, start + duration, words, match),),
            lattice=rescored.lattice,
        )

    def no_result(self, duration: float, start: float = 0.0) -> Result:
        """The result of an utterance that is too short for a frame; arguments as of `result`."""
        match = None if self.grammar is None else self.grammar.match(())
        nothing = Hypothesis((), 0.0, 0.0)
        whole = TranscriptSegment(start, start + duration, (), match)
        return Result((), duration, 0, nothing, nothing, complete=False, segments=(whole,))

    def joined(self, units: Sequence[str]) -> tuple[JoinedWord, ...]:
        """The words of the model's units, put together where these are pieces of words."""
        return self._join(units)

    def path_words(self, path: BestPath) -> tuple[str, ...]:
        """The words of a path, put together where the model's units are pieces of words."""
        return tuple(joined.word for joined in self._join(path.words))

    def words(
        self,
        rescored: Rescored | NeuralRescored,
        confidence_scale: float | None = None,
        *,
        start: float = 0.0,
        end: float = math.inf,
    ) -> tuple[Word, ...]:
        """The chosen words with their times in seconds and their confidences.

        A word of several pieces is as likely as the least likely of them: pieces of a word are
        right or wrong together, so that their product would be far too low.

        Args:
            rescored: what `second_pass` or `third_pass` found.
            confidence_scale: instead of the model's own.
            start: seconds before the utterance, which times count from.
            end: seconds at which the audio of the utterance ends: no word goes beyond it.
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
            times = self.bundle.labels.word_times(path, [one.word for one in joined])
            spans = [(first, last) for _, first, last in times]
        shift = self.acoustic_model.output_frame_shift
        return tuple(
            Word(
                one.word,
                frame_seconds(first, shift, start=start, end=end),
                frame_seconds(last, shift, start=start, end=end),
                min(chosen.confidences[one.first : one.end]),
            )
            for one, (first, last) in zip(joined, spans, strict=True)
        )

    def _hypothesis(self, path: BestPath) -> Hypothesis:
        return Hypothesis(self.path_words(path), -path.acoustic_cost, -path.graph_cost)


def _mixed(bundle: ModelBundle, given: Adaptation) -> MixedLm | None:
    """The model's language models with the domain's mixed in, if one is given."""
    lm = given.lm
    if isinstance(lm, str):
        return read_domain_lm(bundle, lm).mixed(given.lm_weight)
    if lm is not None and lm.domain.bundle is not bundle:
        raise UsageError(
            f"lm: expected one that was mixed for {bundle.path}, found one for "
            f"{lm.domain.bundle.path}"
        )
    return lm
