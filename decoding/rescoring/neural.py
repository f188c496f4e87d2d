"""The third pass: a lattice's language model scores are mixed with those of a neural model.

Neural histories do not recombine, so that a lattice has as many of them as beginnings of paths.
What bounds their number is Xu, Chen, Gao, Wang, Povey and Khudanpur 2018, "A pruned RNNLM
lattice-rescoring algorithm for automatic speech recognition": histories that end in the same words
count as one, and only those are expanded whose cost so far, with the lattice's best continuation,
is within a beam; also Liu, Wang, Chen, Gales and Woodland 2014, "Efficient lattice rescoring using
recurrent neural network language models", for merging by the distance of states. Kaldi's
``lattice-lmrescore-pruned`` expands one history after the other, the best first; here all histories
at the same depth of the lattice go through the network together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.lattice import (
    BestPath,
    CompactLattice,
    check_scale,
    scaled_costs,
)
from recognizer.decoding.lattice.paths import best_path, n_best
from recognizer.decoding.rescoring.rescore import split_lattice
from recognizer.lm.model.language_model import LanguageModel
from recognizer.lm.neural.word_model import FloatArray, NeuralLanguageModel, States
from recognizer.lm.neural.word_options import END_ID, UNKNOWN_ID

DoubleArray = npt.NDArray[np.float64]

Mixing = Literal["linear", "log-linear"]

_INFINITY = float("inf")


@dataclass(frozen=True)
class NeuralRescoringOptions:
    """How much a neural language model counts, and what bounds the expansion of a lattice by it.

    Attributes:
        weight: of the neural model beside the n-gram model, 0 to 1.
        mixing: "linear" adds probabilities, "log-linear" their logarithms, as Kaldi does.
        beam: what is worse than the best by more is not expanded: paths of the lattice as it comes,
            and histories, with the lattice's best continuation, among those at the same depth.
        max_histories: that are expanded at one depth, the best ones.
        history_words: histories that end in the same so many words count as one, the best of
            them; 0: only equal ones do.
        state_distance: so do those of the same state of the lattice and of the n-gram model if
            the root mean square difference of the network's outputs is at most this; 0: none do.
        n_best: rescore so many of the lattice's best paths instead, each with its own history; the
            beam and merging do not count then. 0: rescore the lattice.
    """

    weight: float = 0.5
    mixing: Mixing = "linear"
    beam: float = 8.0
    max_histories: int = 256
    history_words: int = 4
    state_distance: float = 0.0
    n_best: int = 0

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not 0.0 <= self.weight <= 1.0:
            raise UsageError(f"weight: expected a number from 0 to 1, found {self.weight}")
        if self.mixing not in get_args(Mixing):
            raise UsageError(f"mixing: expected linear or log-linear, found {self.mixing!r}")
        if not self.beam > 0.0:
            raise UsageError(f"beam: expected a number > 0, found {self.beam}")
        if self.max_histories < 1:
            raise UsageError(f"max_histories: expected at least 1, found {self.max_histories}")
        for name in ("history_words", "state_distance", "n_best"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name}: expected at least 0, found {getattr(self, name)}")

    def mixed(self, ngram: DoubleArray, neural: DoubleArray) -> DoubleArray:
        """Mixed log probabilities; where the neural model has none (NaN), the n-gram model's."""
        known = np.isfinite(neural)
        other = np.where(known, neural, ngram)
        if self.mixing == "log-linear" or self.weight in (0.0, 1.0):
            products: DoubleArray = (1.0 - self.weight) * ngram + self.weight * other
            return products
        sums: DoubleArray = np.logaddexp(
            np.log1p(-self.weight) + ngram, np.log(self.weight) + other
        )
        return sums


@dataclass(frozen=True, eq=False)
class NeuralRescored:
    """A lattice expanded by a neural model's histories.

    Attributes:
        options: of the expansion and of the mixture.
        num_states: pairs of a lattice state and a history that went through the network.
        num_arcs: arcs of the expanded lattice.
    """

    options: NeuralRescoringOptions
    num_states: int
    _source: CompactLattice = field(repr=False)
    _acoustic_scale: float
    _lm_scale: float
    _expansion: _Expansion = field(repr=False)

    @property
    def num_arcs(self) -> int:
        """Arcs of the expanded lattice."""
        return len(self._expansion.arcs)

    @cached_property
    def lattice(self) -> CompactLattice:
        """The expanded lattice, every word sequence on one path, with the new graph costs."""
        source, found = self._source, self._expansion
        arc_gain = found.ngram - self.options.mixed(found.ngram, found.neural)
        final_gain = found.final_ngram - self.options.mixed(found.final_ngram, found.final_neural)
        limit = _INFINITY if self.options.n_best else self.options.beam
        return split_lattice(
            source,
            found.states,
            found.sources,
            found.targets,
            found.arcs,
            source.graph_costs[found.arcs] + self._lm_scale * arc_gain,
            np.where(
                found.is_final,
                source.final_graph_costs[found.states] + self._lm_scale * final_gain,
                _INFINITY,
            ),
            min(source.beam, limit),
        )

    @cached_property
    def best(self) -> BestPath:
        """The best path; its graph cost has the mixed scores."""
        return best_path(self.lattice, self._acoustic_scale)

    def with_weight(self, weight: float) -> NeuralRescored:
        """The same histories with another weight of the neural model.

        For tuning: what was expanded is what the first weight's beam kept.
        """
        return replace(self, options=replace(self.options, weight=weight))


class NeuralRescorer:
    """A neural language model, ready to be mixed into any number of rescored lattices.

    Several threads may use one.

    Args:
        network: the neural model.
        ngram: the model whose scores the lattices have.
        symbols: the words of the lattices by id. What the neural model does not have keeps the
            n-gram model's score.
        scored_as: for each of the symbols the word of the models that stands for it, if they are
            not the same. A symbol that stands there more than once is scored as the first, whose id
            rescored lattices have.
    """

    def __init__(
        self,
        network: NeuralLanguageModel,
        ngram: LanguageModel[Any],
        symbols: Sequence[str],
        scored_as: Sequence[str] | None = None,
    ) -> None:
        self.network = network
        self.ngram = ngram
        self.symbols = symbols
        self.words = tuple(scored_as or symbols)
        self.word_ids = network.word_ids(self.words)

    def rescore(
        self,
        lattice: CompactLattice,
        acoustic_scale: float,
        lm_scale: float,
        options: NeuralRescoringOptions | None = None,
    ) -> NeuralRescored:
        """Mix the neural model's scores into those of the n-gram model.

        A path's new graph cost is its old one, plus ``lm_scale`` times the n-gram model's log
        probability, less ``lm_scale`` times that of the mixture. Sentence ends are scored too,
        except on a lattice that reached no final state.

        Args:
            lattice: of the second pass: its graph costs have the n-gram model's scaled scores.
            acoustic_scale: factor of the acoustic costs in comparisons.
            lm_scale: factor of the n-gram model's log probabilities in the lattice.
            options: of the mixture and the expansion.

        Raises:
            UsageError: a scale that is not finite or below 0.
            SpeechError: the lattice has no complete path or other words than `symbols`.
        """
        check_scale("acoustic_scale", acoustic_scale)
        check_scale("lm_scale", lm_scale)
        if lattice.symbols is not self.symbols and lattice.symbols != tuple(self.symbols):
            raise SpeechError("lattice: expected the words that the rescorer was made for")
        options = options or NeuralRescoringOptions()
        expander = _Expander(self, lattice, acoustic_scale, lm_scale, options)
        expansion = expander.expand()
        return NeuralRescored(
            options, expander.num_scored, lattice, acoustic_scale, lm_scale, expansion
        )


@dataclass(frozen=True, eq=False)
class _Expansion:
    """What is left of a lattice: S pairs of a state and a history, and the A arcs between them.

    Attributes:
        states: int64 ``[S]``, lattice states.
        is_final: bool ``[S]``.
        final_ngram: float64 ``[S]``, log probabilities of the sentence's end.
        final_neural: the same of the neural model.
        sources: int32 ``[A]``.
        targets: int32 ``[A]``.
        arcs: int64 ``[A]``, arcs of the lattice.
        ngram: float64 ``[A]``, log probabilities of the arcs' words.
        neural: the same of the neural model; NaN where it does not have the word.
    """

    states: npt.NDArray[np.int64]
    is_final: npt.NDArray[np.bool_]
    final_ngram: DoubleArray
    final_neural: DoubleArray
    sources: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    arcs: npt.NDArray[np.int64]
    ngram: DoubleArray
    neural: DoubleArray


class _Node:
    """A state of the lattice with a history."""

    __slots__ = (
        "alive",
        "cost",
        "merged_into",
        "ngram_state",
        "number",
        "parent",
        "recent",
        "row",
        "state",
        "states",
        "word",
    )

    def __init__(self, state: int, ngram_state: Hashable, recent: tuple[int, ...]) -> None:
        self.state = state
        self.ngram_state = ngram_state
        self.recent = recent  # the last words, as merging compares them; with n-best lists all
        self.cost = _INFINITY  # of the best way here
        self.parent: _Node | None = None  # on that way
        self.word = END_ID  # read last on that way
        self.states: States = ()  # of the network; this node's is one row
        self.row = 0
        self.merged_into: _Node | None = None
        self.alive = False  # whether it was expanded and has a way to the end
        self.number = -1


class _Expander:
    """The expansion of one lattice."""

    def __init__(
        self,
        rescorer: NeuralRescorer,
        lattice: CompactLattice,
        acoustic_scale: float,
        lm_scale: float,
        options: NeuralRescoringOptions,
    ) -> None:
        self._rescorer, self._lattice, self._options = rescorer, lattice, options
        self._lm_scale = lm_scale
        arcs, finals = scaled_costs(lattice, acoustic_scale)
        self._arc_costs: list[float] = arcs.tolist()
        self._final_costs: list[float] = finals.tolist()
        self._backward = lattice.backward_costs(acoustic_scale)
        if not self._backward or self._backward[0] == _INFINITY:
            raise SpeechError("lattice: expected a path from the start to a final state")
        self._arcs_of = self._arcs_within_beam()
        self._ngram_scores: dict[tuple[Hashable, int], tuple[float, Hashable]] = {}
        self._prefixes: set[tuple[int, ...]] | None = None
        self._whole: set[tuple[int, ...]] = set()
        if options.n_best:
            paths = islice(n_best(lattice, acoustic_scale), options.n_best)
            self._whole = {tuple(path.word_ids.tolist()) for path in paths}
            self._prefixes = {path[:n] for path in self._whole for n in range(len(path) + 1)}
        self.num_scored = 0

    def expand(self) -> _Expansion:
        """All histories, depth by depth, and what of them leads to the end."""
        lattice, rescorer = self._lattice, self._rescorer
        depths = self._depths()
        waiting: list[dict[tuple[Hashable, ...], _Node]] = [{} for _ in range(max(depths) + 1)]
        root = _Node(0, rescorer.ngram.start(), ())
        root.cost = 0.0
        waiting[0][()] = root
        order: list[_Node] = []
        links: list[tuple[_Node, int, float, float, _Node]] = []
        ends: dict[_Node, tuple[float, float]] = {}
        targets, words = lattice.targets.tolist(), lattice.words.tolist()
        for depth, found in enumerate(waiting):
            waiting[depth] = {}
            nodes, outputs = self._scored(list(found.values()))
            order += nodes
            pairs, rows, asked = self._asked(nodes)
            if not pairs:
                continue
            numbers = np.array(asked)
            neural = rescorer.network.log_probs(outputs, np.array(rows), numbers).astype(np.float64)
            neural[numbers == UNKNOWN_ID] = np.nan
            scored = [self._ngram(node, arc) for node, arc in pairs]
            ngram = np.array([score for score, _ in scored])
            gains = self._lm_scale * (ngram - self._options.mixed(ngram, neural))
            for (node, arc), (score, after), own, gain in zip(
                pairs, scored, neural.tolist(), gains.tolist(), strict=True
            ):
                if arc < 0:
                    ends[node] = score, own
                    continue
                cost = node.cost + self._arc_costs[arc] + gain
                state = targets[arc]
                recent = self._recent(node, words[arc])
                exact = not self._options.history_words and self._prefixes is None
                key = (state, after, (id(node), arc) if exact else recent)
                target = waiting[depths[state]].get(key)
                if target is None:
                    target = waiting[depths[state]][key] = _Node(state, after, recent)
                if cost < target.cost:
                    target.cost, target.parent = cost, node
                    target.word = int(rescorer.word_ids[words[arc]])
                links.append((node, arc, score, own, target))
        return self._assembled(order, links, ends)

    def _arcs_within_beam(self) -> list[list[int]]:
        """The arcs of each state that are on a path within the beam of the best one."""
        lattice, backward = self._lattice, self._backward
        targets, sources = lattice.targets.tolist(), lattice.sources.tolist()
        forward = [_INFINITY] * lattice.num_states
        forward[0] = 0.0
        for arc, cost in enumerate(self._arc_costs):
            cost += forward[sources[arc]]
            if cost < forward[targets[arc]]:
                forward[targets[arc]] = cost
        limit = _INFINITY if self._options.n_best else backward[0] + self._options.beam
        kept: list[list[int]] = [[] for _ in range(lattice.num_states)]
        for arc, cost in enumerate(self._arc_costs):
            total = forward[sources[arc]] + cost + backward[targets[arc]]
            # The best path is kept, whatever rounding does.
            if total < _INFINITY and total <= limit + 1e-9 * abs(limit):
                kept[sources[arc]].append(arc)
        return kept

    def _depths(self) -> list[int]:
        """Arcs of the longest path from the start to each state."""
        depths = [0] * self._lattice.num_states
        targets = self._lattice.targets.tolist()
        for state, arcs in enumerate(self._arcs_of):
            for arc in arcs:
                depths[targets[arc]] = max(depths[targets[arc]], depths[state] + 1)
        return depths

    def _scored(self, nodes: list[_Node]) -> tuple[list[_Node], FloatArray]:
        """The nodes that are expanded, sorted by cost, and the network's outputs for them."""
        network, options = self._rescorer.network, self._options
        nodes.sort(key=lambda node: node.cost + self._backward[node.state])
        if self._prefixes is None and nodes:
            limit = nodes[0].cost + self._backward[nodes[0].state] + options.beam
            nodes = [n for n in nodes if n.cost + self._backward[n.state] <= limit]
            nodes = nodes[: options.max_histories]
        if not nodes:
            return [], np.empty((0, 0), np.float32)
        parents = [node.parent for node in nodes]
        if parents[0] is None:
            before = network.blank(1)
        else:
            before = tuple(
                np.stack([p.states[k][p.row] for p in parents if p is not None])
                for k in range(len(parents[0].states))
            )
        outputs, states = network.advance(before, np.array([node.word for node in nodes]))
        self.num_scored += len(nodes)
        for row, node in enumerate(nodes):
            node.states, node.row = states, row
        if options.state_distance and self._prefixes is None:
            nodes = self._merged(nodes, outputs)
            outputs = outputs[[node.row for node in nodes]]
        return nodes, outputs

    def _merged(self, nodes: list[_Node], outputs: FloatArray) -> list[_Node]:
        """The nodes without those whose network states are near a better one's."""
        kept: dict[tuple[int, Hashable], list[_Node]] = {}
        left = []
        for node in nodes:
            others = kept.setdefault((node.state, node.ngram_state), [])
            differences = outputs[[other.row for other in others]] - outputs[node.row]
            distances = np.sqrt(np.square(differences).mean(axis=1))
            near = np.flatnonzero(distances <= self._options.state_distance)
            if len(near):
                node.merged_into = others[int(near[0])]
            else:
                others.append(node)
                left.append(node)
        return left

    def _asked(self, nodes: list[_Node]) -> tuple[list[tuple[_Node, int]], list[int], list[int]]:
        """Pairs of a node and an arc, or -1 for ending there; rows of the nodes; words' numbers."""
        words, ids = self._lattice.words, self._rescorer.word_ids
        pairs: list[tuple[_Node, int]] = []
        rows: list[int] = []
        for row, node in enumerate(nodes):
            arcs = self._arcs_of[node.state]
            if self._prefixes is not None:
                arcs = [a for a in arcs if (*node.recent, int(words[a])) in self._prefixes]
            if self._final_costs[node.state] < _INFINITY and (
                self._prefixes is None or node.recent in self._whole
            ):
                arcs = [*arcs, -1]
            pairs += [(node, arc) for arc in arcs]
            rows += [row] * len(arcs)
        asked = [END_ID if arc < 0 else int(ids[words[arc]]) for _, arc in pairs]
        return pairs, rows, asked

    def _ngram(self, node: _Node, arc: int) -> tuple[float, Hashable]:
        """Log probability of the arc's word (or of the sentence's end), and the state after it."""
        word = -1 if arc < 0 else int(self._lattice.words[arc])
        key = (node.ngram_state, word)
        if key not in self._ngram_scores:
            model, state = self._rescorer.ngram, node.ngram_state
            if word < 0:
                self._ngram_scores[key] = model.final(state), None
            else:
                self._ngram_scores[key] = model.score(state, self._rescorer.words[word])
        return self._ngram_scores[key]

    def _recent(self, node: _Node, word: int) -> tuple[int, ...]:
        """What merging compares after a word."""
        if self._prefixes is not None:
            return (*node.recent, word)
        kept = self._options.history_words
        return (*node.recent, word)[-kept:] if kept else ()

    def _assembled(
        self,
        order: list[_Node],
        links: list[tuple[_Node, int, float, float, _Node]],
        ends: dict[_Node, tuple[float, float]],
    ) -> _Expansion:
        """What leads to the end, numbered in topological order."""
        joined = [
            (source, arc, ngram, neural, target.merged_into or target)
            for source, arc, ngram, neural, target in links
        ]
        for node in order:
            node.alive = node in ends
        for source, _, _, _, target in reversed(joined):
            source.alive = source.alive or target.alive
        kept = [node for node in order if node.alive]
        for number, node in enumerate(kept):
            node.number = number
        lines = [link for link in joined if link[0].alive and link[4].alive]
        states = np.array([node.state for node in kept], np.int64)
        scores = [ends.get(node, (0.0, 0.0)) for node in kept]
        if not self._lattice.reached_final:
            scores = [(0.0, 0.0)] * len(kept)  # its paths have no end
        return _Expansion(
            states,
            np.array([node in ends for node in kept], np.bool_),
            np.array([ngram for ngram, _ in scores], np.float64),
            np.array([neural for _, neural in scores], np.float64),
            np.array([source.number for source, *_ in lines], np.int32),
            np.array([link[4].number for link in lines], np.int32),
            np.array([link[1] for link in lines], np.int64),
            np.array([link[2] for link in lines], np.float64),
            np.array([link[3] for link in lines], np.float64),
        )
