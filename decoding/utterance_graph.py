"""The graph of one transcript: every way to say it, as HMM states in triphone context.

What Kaldi's ``compile-train-graphs`` gets by composing H, C, L and the transcript is written down
directly, because a transcript is nearly linear: words in order, each in any of its
pronunciations, with optional silence before, between and after them. Phones in context follow
from the phones that can stand to the left and right.

Nodes are *forward transitions* of HMM states (Kaldi's ``--reorder=true``): to be at a node is to be
in its HMM state, entered with the forward transition-id and kept with the self-loop's. The graph
holds transition-ids and lexicon scores only; a model's transition probabilities are added when it
is used, so that one graph serves all training passes of a tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from am.phones import SPOKEN_NOISE, PhoneTable
from am.transitions import TransitionModel
from am.tree import Tree
from data.errors import SpeechError, UsageError
from data.lexicon import Lexicon

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class UtteranceGraph:
    """Arrays of a transcript's graph; scores are natural logs, higher is better.

    Attributes:
        transition_ids: forward transition-id of each node, ``[N]``.
        loop_ids: self-loop transition-id of each node's HMM state, 0 where it has none, ``[N]``.
        columns: index into ``pdfs`` of each node, ``[N]``.
        pdfs: the distinct pdf-ids of the graph, ascending, ``[K]``.
        offsets: arcs of node n are ``offsets[n]:offsets[n + 1]``, ``[N + 1]`` int64.
        targets: node that each arc leads to, ``[A]``.
        arc_scores: lexicon scores of the arcs, ``[A]``.
        starts: nodes at which a path may begin, ``[S]``.
        start_scores: ``[S]``.
        final_scores: ``[N]``, -inf where a path may not end.
    """

    transition_ids: IntArray
    loop_ids: IntArray
    columns: IntArray
    pdfs: IntArray
    offsets: npt.NDArray[np.int64]
    targets: IntArray
    arc_scores: FloatArray
    starts: IntArray
    start_scores: FloatArray
    final_scores: FloatArray


@dataclass(frozen=True)
class _Block:
    """The nodes of one phone in context, numbered from 0.

    Attributes:
        forward: transition-id of each node.
        successors: nodes of the same phone that each node leads to.
        entries: nodes of HMM state 0.
        exits: nodes from which the phone ends.
    """

    forward: tuple[int, ...]
    successors: tuple[tuple[int, ...], ...]
    entries: tuple[int, ...]
    exits: tuple[int, ...]


_Way = tuple[int, float]  # a phone node (or _EDGE) to come from, and the score of doing so
_EDGE = -1  # the utterance's edge, before its first and after its last phone


@dataclass(frozen=True)
class _PhoneGraph:
    """The phones of a transcript without context, in topological order."""

    phones: list[int]
    ways: list[list[_Way]]  # per phone, how it can be reached
    ends: list[_Way]  # how the utterance can end

    def add(self, phone: int, ways: list[_Way]) -> int:
        self.phones.append(phone)
        self.ways.append(ways)
        return len(self.phones) - 1


class GraphCompiler:
    """Makes the graphs of transcripts for one lexicon, tree and transition model.

    Args:
        lexicon: pronunciations; words outside it are said as spoken noise.
        phones: the phone table.
        tree: gives the pdf-ids of a phone in context.
        transitions: gives the transition-ids; its probabilities are not used.
        silence_probability: of silence at the start and after each word (Kaldi: 0.5).

    Raises:
        UsageError: where the probability is not in [0, 1].
    """

    def __init__(
        self,
        lexicon: Lexicon,
        phones: PhoneTable,
        tree: Tree,
        transitions: TransitionModel,
        silence_probability: float = 0.5,
    ) -> None:
        if not 0.0 <= silence_probability <= 1.0:
            raise UsageError(f"silence_probability: expected 0 .. 1, found {silence_probability}")
        self._lexicon = lexicon
        self._phones = phones
        self._tree = tree
        self._transitions = transitions
        self._silence = log(silence_probability) if silence_probability > 0 else None
        self._no_silence = log(1.0 - silence_probability) if silence_probability < 1 else None
        self._blocks: dict[tuple[int, int, int], _Block] = {}
        self._pronunciations: dict[str, tuple[tuple[tuple[int, ...], float], ...]] = {}

    def compile(self, words: Sequence[str]) -> UtteranceGraph:
        """The graph of a transcript (lower-case words).

        Raises:
            SpeechError: where the transcript has no word.
        """
        if not words:
            raise SpeechError("transcript: expected at least one word, found none")
        return self._expand(self._phone_graph(words))

    def pronunciations(self, word: str) -> tuple[tuple[tuple[int, ...], float], ...]:
        """Phone ids (with word positions) and natural-log score of each way to say a word."""
        known = self._pronunciations.get(word)
        if known is None:
            if word in self._lexicon:
                known = tuple(
                    (self._phones.word_phones(entry.phones), log(entry.probability))
                    for entry in self._lexicon[word]
                )
            else:
                known = ((self._phones.word_phones((SPOKEN_NOISE,)), 0.0),)
            self._pronunciations[word] = known
        return known

    def _phone_graph(self, words: Sequence[str]) -> _PhoneGraph:
        graph = _PhoneGraph([], [], [])
        ends: list[_Way] = [(_EDGE, 0.0)]  # after the words so far
        for word in words:
            before = self._with_silence(graph, ends)
            ends = []
            for phones, score in self.pronunciations(word):
                at = graph.add(phones[0], [(node, way + score) for node, way in before])
                for phone in phones[1:]:
                    at = graph.add(phone, [(at, 0.0)])
                ends.append((at, 0.0))
        graph.ends.extend(self._with_silence(graph, ends))
        return graph

    def _with_silence(self, graph: _PhoneGraph, ends: list[_Way]) -> list[_Way]:
        """The ways on from ``ends``: through an optional silence, or past it."""
        ways = []
        if self._silence is not None:
            silence = self._silence
            reached = [(node, score + silence) for node, score in ends]
            ways.append((graph.add(self._phones.optional_silence, reached), 0.0))
        if self._no_silence is not None:
            ways += [(node, score + self._no_silence) for node, score in ends]
        return ways

    def _expand(self, graph: _PhoneGraph) -> UtteranceGraph:
        """Phones into phones in context, and these into the nodes of their HMM states."""
        phones = graph.phones
        rights: list[set[int]] = [set() for _ in phones]
        for phone, ways in zip(phones, graph.ways, strict=True):
            for before, _ in ways:
                if before != _EDGE:
                    rights[before].add(phone)
        for before, _ in graph.ends:
            rights[before].add(0)

        forward: list[int] = []
        successors: list[list[tuple[int, float]]] = []
        starts: list[tuple[int, float]] = []
        # The exit nodes of each phone node, by the phone to the right that they assume.
        exits: list[dict[int, list[int]]] = []
        for index, (phone, ways) in enumerate(zip(phones, graph.ways, strict=True)):
            lefts: dict[int, list[_Way]] = {}
            for before, score in ways:
                left = 0 if before == _EDGE else phones[before]
                lefts.setdefault(left, []).append((before, score))
            here: dict[int, list[int]] = {}
            for right in sorted(rights[index]):
                leaving: list[int] = []
                for left, reached in lefts.items():
                    block = self._block(left, phone, right)
                    base = len(forward)
                    forward += block.forward
                    successors += [[(base + n, 0.0) for n in to] for to in block.successors]
                    leaving += [base + n for n in block.exits]
                    entries = [base + n for n in block.entries]
                    for before, score in reached:
                        if before == _EDGE:
                            starts += [(entry, score) for entry in entries]
                        else:
                            for source in exits[before][phone]:
                                successors[source] += [(entry, score) for entry in entries]
                here[right] = leaving
            exits.append(here)
        finals = np.full(len(forward), -np.inf, dtype=np.float32)
        for before, score in graph.ends:
            finals[exits[before][0]] = score
        return self._arrays(forward, successors, starts, finals)

    def _arrays(
        self,
        forward: list[int],
        successors: list[list[tuple[int, float]]],
        starts: list[tuple[int, float]],
        finals: FloatArray,
    ) -> UtteranceGraph:
        transition_ids = np.array(forward, dtype=np.int32)
        pdfs, columns = np.unique(self._transitions.pdf[transition_ids], return_inverse=True)
        arcs = [arc for out in successors for arc in out]
        counts = np.fromiter(map(len, successors), dtype=np.int64, count=len(successors))
        return UtteranceGraph(
            transition_ids=transition_ids,
            loop_ids=self._transitions.self_loop[transition_ids],
            columns=columns.astype(np.int32).reshape(-1),
            pdfs=pdfs.astype(np.int32),
            offsets=np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))),
            targets=np.array([target for target, _ in arcs], dtype=np.int32),
            arc_scores=np.array([score for _, score in arcs], dtype=np.float32),
            starts=np.array([node for node, _ in starts], dtype=np.int32),
            start_scores=np.array([score for _, score in starts], dtype=np.float32),
            final_scores=finals,
        )

    def _block(self, left: int, phone: int, right: int) -> _Block:
        context = (left, phone, right)
        block = self._blocks.get(context)
        if block is None:
            block = self._new_block(phone, self._tree.pdfs(left, phone, right))
            self._blocks[context] = block
        return block

    def _new_block(self, phone: int, pdfs: Sequence[int]) -> _Block:
        states = self._transitions.topology.states(phone)
        forward: list[int] = []
        destinations: list[int] = []
        of_state: list[list[int]] = [[] for _ in states]
        for state, pdf in enumerate(pdfs):
            for arc, (to, _) in enumerate(states[state].transitions):
                if to != state:
                    of_state[state].append(len(forward))
                    forward.append(self._transitions.transition_id(phone, state, int(pdf), arc))
                    destinations.append(to)
        final = len(states)
        return _Block(
            forward=tuple(forward),
            successors=tuple(tuple(of_state[to]) if to < final else () for to in destinations),
            entries=tuple(of_state[0]),
            exits=tuple(node for node, to in enumerate(destinations) if to == final),
        )

    def even_path(self, words: Sequence[str], num_frames: int) -> IntArray:
        """Transition-ids ``[T]`` that give every HMM state an equal share of the frames.

        The start of training (Kaldi's ``align-equal-compiled``): first pronunciations, silence
        before and after the utterance and none between words.

        Raises:
            SpeechError: where there are fewer frames than states.
        """
        silence = self._phones.optional_silence
        phones = [phone for word in words for phone in self.pronunciations(word)[0][0]]
        if self._silence is not None:
            phones = [silence, *phones, silence]
        nodes: list[int] = []
        for left, phone, right in zip([0, *phones], phones, [*phones[1:], 0], strict=False):
            states = self._transitions.topology.states(phone)
            for state, pdf in enumerate(self._tree.pdfs(left, phone, right)):
                onward = [to for to, _ in states[state].transitions].index(state + 1)
                nodes.append(self._transitions.transition_id(phone, state, int(pdf), onward))
        if num_frames < len(nodes):
            raise SpeechError(f"expected at least {len(nodes)} frames, found {num_frames}")
        state_of = np.arange(num_frames) * len(nodes) // num_frames
        tids = np.array(nodes, dtype=np.int32)[state_of]
        stays = np.concatenate(([False], np.diff(state_of) == 0))
        return np.where(stays, self._transitions.self_loop[tids], tids).astype(np.int32)
