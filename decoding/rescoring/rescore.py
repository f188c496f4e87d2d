"""The second pass: a lattice's language model scores are taken out, those of a larger one put in.

What the first pass charged for words is known exactly (epsilon or exact back-off, see
`recognizer.decoding.rescoring.models`), so that graph costs keep pronunciation and transition
probabilities as they are. States of the lattice are split by the true histories of both models, as
in composition with the models as acceptors (Kaldi's ``lattice-lmrescore-pruned``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding import _rescore
from recognizer.decoding.lattice.lattice import BestPath, CompactLattice, check_scale
from recognizer.decoding.lattice.relabelling import first_labels, relabelled
from recognizer.decoding.rescoring.models import EpsilonBackoff, native_model
from recognizer.lm.model.language_model import LanguageModel

_LOG = logging.getLogger(__name__)
_INFINITY = float("inf")


@dataclass(frozen=True)
class RescoringOptions:
    """How much the language model of the second pass counts.

    Together with the acoustic scale, which the first pass has in common, these are what is tuned.

    Attributes:
        lm_scale: factor of the new model's log probabilities.
        word_insertion_penalty: cost added for each word, natural log; positive values make for
            fewer words.
    """

    lm_scale: float = 1.0
    word_insertion_penalty: float = 0.0

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not 0.0 <= self.lm_scale < _INFINITY:
            raise UsageError(f"lm_scale: expected a finite number >= 0, found {self.lm_scale}")
        if not abs(self.word_insertion_penalty) < _INFINITY:
            raise UsageError(
                f"word_insertion_penalty: expected a finite number, "
                f"found {self.word_insertion_penalty}"
            )


@dataclass(frozen=True)
class RescoringLimits:
    """What bounds the expansion of a lattice by the histories of two language models.

    Attributes:
        beam: histories that are worse than the best one in the same lattice state by more are
            dropped; inf for none.
        max_arcs: arcs of the expanded lattice; if they do not suffice, the beam is halved until
            they do. The best history of each state is always kept, so that a lattice of more arcs
            keeps them.
    """

    beam: float = 16.0
    max_arcs: int = 200_000

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not self.beam > 0.0:
            raise UsageError(f"rescoring beam: expected a number > 0, found {self.beam}")
        if self.max_arcs < 1:
            raise UsageError(f"max_arcs: expected a number >= 1, found {self.max_arcs}")


@dataclass(frozen=True, eq=False)
class Rescored:
    """A lattice after rescoring.

    Attributes:
        best: the best path; its graph cost has the new model's scaled scores and the penalty.
        num_states: pairs of a lattice state and histories that were expanded.
        num_arcs: arcs between them, before those that lead to no end are left out.
        num_dropped: histories that the beam left out.
        beam: the beam that was used.
        hit_max_arcs: whether `max_arcs` made it less than was asked for.
    """

    best: BestPath
    num_states: int
    num_arcs: int
    num_dropped: int
    beam: float
    hit_max_arcs: bool
    _source: CompactLattice = field(repr=False)
    _expansion: _rescore.Rescoring = field(repr=False)
    _acoustic_scale: float = field(repr=False)
    _labels: npt.NDArray[np.int32] | None = field(repr=False)

    @cached_property
    def lattice(self) -> CompactLattice:
        """The expanded lattice, every word sequence on one path, with the new graph costs."""
        beam = min(self._source.beam, self.beam) if self.num_dropped else self._source.beam
        states, final_costs, sources, targets, arcs, graph_costs = self._expansion.lattice()
        lattice = split_lattice(
            self._source, states, sources, targets, arcs, graph_costs, final_costs, beam
        )
        if self._labels is None:
            return lattice
        return relabelled(lattice, self._labels, self._acoustic_scale)


class Rescorer:
    """Two language models, ready to replace one by the other in any number of lattices.

    Several threads may use one. With n-gram automata the interpreter lock is released.

    Args:
        old: the model of the first pass, as the first pass applies it: an `NgramAutomaton` (exact
            back-off), an `EpsilonBackoff` of one, or any other model.
        new: any model.
        symbols: the words of the lattices by id. A word that a model does not know is scored as
            its `<unk>`.
        scored_as: for each of the symbols the word of the models that stands for it, if they are
            not the same. A symbol may then stand there more than once, scored as different words;
            rescored lattices have the first of its ids only.
    """

    def __init__(
        self,
        old: LanguageModel[Any] | EpsilonBackoff,
        new: LanguageModel[Any] | EpsilonBackoff,
        symbols: Sequence[str],
        scored_as: Sequence[str] | None = None,
    ) -> None:
        self._symbols = symbols
        self._labels = first_labels(symbols)
        self._old = native_model(old, scored_as or symbols)
        self._new = native_model(new, scored_as or symbols)

    def rescore(
        self,
        lattice: CompactLattice,
        acoustic_scale: float,
        options: RescoringOptions | None = None,
        limits: RescoringLimits | None = None,
    ) -> Rescored:
        """Replace the old language model's scores by the new one's.

        A path's new graph cost is its old one, plus the old model's log probability, less
        ``lm_scale`` times the new model's, plus the word insertion penalty for each word. Both
        models score the end of the sentence too, except on a lattice that reached no final state,
        whose paths do not end. An arc of word 0 is scored by neither.

        Args:
            lattice: determinised on words.
            acoustic_scale: factor of the acoustic costs in comparisons.
            options: scale of the new model, and word insertion penalty.
            limits: beam and size of the expansion.

        Raises:
            UsageError: an acoustic scale that is not finite or below 0.
            SpeechError: the lattice has no complete path or other words than `symbols`, or a
                model gives no finite score.
        """
        native = self._open(lattice)
        options, limits = options or RescoringOptions(), limits or RescoringLimits()
        return self._expand(native, lattice, acoustic_scale, options, limits)

    def best_paths(
        self,
        lattice: CompactLattice,
        acoustic_scale: float,
        options: Sequence[RescoringOptions],
        limits: RescoringLimits | None = None,
    ) -> list[BestPath]:
        """The best path under each of several options, as `rescore` finds it.

        For tuning: no (history, word) of the lattice is asked for twice.

        Raises:
            UsageError, SpeechError: as `rescore`.
        """
        native = self._open(lattice)
        limits = limits or RescoringLimits()
        return [self._expand(native, lattice, acoustic_scale, one, limits).best for one in options]

    def _open(self, lattice: CompactLattice) -> _rescore.Rescoring:
        if lattice.symbols is not self._symbols and lattice.symbols != tuple(self._symbols):
            raise SpeechError("lattice: expected the words that the rescorer was made for")
        try:
            return _rescore.Rescoring(
                lattice.arc_offsets,
                lattice.targets,
                lattice.words,
                lattice.graph_costs,
                lattice.acoustic_costs,
                lattice.final_graph_costs,
                lattice.final_acoustic_costs,
                lattice.reached_final,
                self._old,
                self._new,
            )
        except ValueError as error:
            raise SpeechError(str(error)) from error

    def _expand(
        self,
        native: _rescore.Rescoring,
        lattice: CompactLattice,
        acoustic_scale: float,
        options: RescoringOptions,
        limits: RescoringLimits,
    ) -> Rescored:
        check_scale("acoustic_scale", acoustic_scale)
        fault = native.expand(
            acoustic_scale=acoustic_scale,
            lm_scale=options.lm_scale,
            word_insertion_penalty=options.word_insertion_penalty,
            beam=limits.beam,
            max_arcs=limits.max_arcs,
        )
        if fault is not None:
            word, old, new = fault
            what = "the sentence end" if word < 0 else repr(self._symbols[word])
            raise SpeechError(
                f"language model: expected finite scores of {what}, found {old} and {new}"
            )
        try:
            arcs, graph_cost = native.best_path()
        except ValueError as error:
            raise SpeechError(str(error)) from error
        num_states, num_arcs, num_dropped, beam, hit_max_arcs = native.stats()
        if hit_max_arcs:
            _LOG.warning(
                "lattice rescoring ran into its limit of %d arcs: beam %.2f instead of %.2f",
                limits.max_arcs,
                beam,
                limits.beam,
            )
        path = lattice.path(arcs.tolist())
        best = BestPath(
            words=path.words,
            word_ids=path.word_ids,
            tids=path.tids,
            graph_cost=graph_cost,
            acoustic_cost=path.acoustic_cost,
            complete=path.complete,
        )
        return Rescored(
            best,
            num_states,
            num_arcs,
            num_dropped,
            beam,
            hit_max_arcs,
            lattice,
            native,
            acoustic_scale,
            self._labels,
        )


def split_lattice(
    lattice: CompactLattice,
    states: npt.NDArray[np.signedinteger[Any]],
    sources: npt.NDArray[np.int32],
    targets: npt.NDArray[np.int32],
    arcs: npt.NDArray[np.signedinteger[Any]],
    graph_costs: npt.NDArray[np.float64],
    final_graph_costs: npt.NDArray[np.float64],
    beam: float,
) -> CompactLattice:
    """What is left of a lattice, its states split, with new graph costs.

    Args:
        lattice: where all else is from.
        states: of each of the S new states, the lattice's state.
        sources: of each of the A new arcs.
        targets: of each of the new arcs.
        arcs: of each of the new arcs, the lattice's arc.
        graph_costs: ``[A]``.
        final_graph_costs: ``[S]``, inf where a state is not final.
        beam: of the new lattice.
    """
    tids, tid_offsets = _gather(lattice.tids, lattice.tid_offsets, arcs)
    final_tids, final_tid_offsets = _gather(lattice.final_tids, lattice.final_tid_offsets, states)
    return CompactLattice(
        state_frames=lattice.state_frames[states],
        sources=sources,
        targets=targets,
        words=lattice.words[arcs],
        graph_costs=graph_costs,
        acoustic_costs=lattice.acoustic_costs[arcs],
        tid_offsets=tid_offsets,
        tids=tids,
        final_graph_costs=final_graph_costs,
        final_acoustic_costs=lattice.final_acoustic_costs[states],
        final_tid_offsets=final_tid_offsets,
        final_tids=final_tids,
        beam=beam,
        reached_final=lattice.reached_final,
        symbols=lattice.symbols,
    )


def _gather(
    values: np.ndarray[Any, np.dtype[np.int32]],
    offsets: np.ndarray[Any, np.dtype[np.int64]],
    rows: np.ndarray[Any, np.dtype[np.signedinteger[Any]]],
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.int64]]]:
    """The rows of a ragged array, one after the other, and their offsets."""
    lengths = np.diff(offsets)[rows]
    after = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    index = np.arange(after[-1]) - np.repeat(after[:-1] - offsets[rows], lengths)
    return values[index], after
