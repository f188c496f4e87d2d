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

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import SPOKEN_NOISE, PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.alignment.hmm_states import GraphStates, HmmBlock
from recognizer.decoding.alignment.own_words import OwnWords, own_words_graph
from recognizer.decoding.alignment.phone_graph import EDGE, PhoneGraph, Predecessor
from recognizer.decoding.alignment.tolerance import PhoneLoop, Tolerance
from recognizer.decoding.graph.graph import DecodingGraph

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class UtteranceGraph:
    """A transcript's graph, still without transition probabilities.

    Attributes:
        arcs: the graph; input labels are transition-ids (and labels of the `PhoneLoop`), output
            labels count the transcript's words from 1, costs are those of the lexicon, of optional
            silence and of departures from the transcript.
        pdfs: the distinct pdf-ids of its transition-ids, ascending, int32 ``[K]``.
    """

    arcs: DecodingGraph
    pdfs: IntArray

    def min_frames(self) -> int:
        """The number of frames of the shortest path."""
        arcs = self.arcs
        bounds = arcs.offsets.tolist()
        targets, labels = arcs.next_states.tolist(), arcs.ilabels.tolist()
        done: set[int] = set()
        waiting = deque([(0, arcs.start)])  # in ascending order of frames
        while waiting:
            frames, state = waiting.popleft()
            if arcs.final_costs[state] < np.inf:
                return frames
            if state in done:
                continue
            done.add(state)
            for arc in range(bounds[state], bounds[state + 1]):
                if labels[arc] == 0:
                    waiting.appendleft((frames, targets[arc]))
                else:
                    waiting.append((frames + 1, targets[arc]))
        raise SpeechError("transcript: expected a path through its graph, found none")


class GraphCompiler:
    """Makes the graphs of transcripts for one lexicon, tree and transition model.

    Args:
        lexicon: pronunciations; words outside it are said as spoken noise.
        phones: the phone table.
        tree: gives the pdf-ids of a phone in context.
        transitions: gives the transition-ids; its probabilities are not used.
        silence_probability: of silence at the start and after each word.
        tolerance: lets words be skipped and garbage be said; None for the transcript as it is.

    Attributes:
        loop: what garbage is made of; None without tolerance.

    Raises:
        UsageError: where the probability is not in [0, 1].
    """

    def __init__(
        self,
        lexicon: Lexicon,
        phones: PhoneTable,
        tree: Tree,
        transitions: TransitionModel,
        silence_probability: float,
        tolerance: Tolerance | None = None,
    ) -> None:
        if not 0.0 <= silence_probability <= 1.0:
            raise UsageError(f"silence_probability: expected 0 .. 1, found {silence_probability}")
        self._lexicon = lexicon
        self._phones = phones
        self._tree = tree
        self._transitions = transitions
        self._silence = log(silence_probability) if silence_probability > 0 else None
        self._no_silence = log(1.0 - silence_probability) if silence_probability < 1 else None
        self._tolerance = tolerance
        self._self_loops = transitions.self_loop
        self.loop: PhoneLoop | None = None
        if tolerance is not None:
            self.loop = PhoneLoop(phones, transitions)
            self._self_loops = np.concatenate((transitions.self_loop, self.loop.loops))
            self._loop_blocks = [HmmBlock.of_phone(states) for states in self.loop.forward.values()]
        self._blocks: dict[tuple[int, int, int], HmmBlock] = {}
        self._pronunciations: dict[str, tuple[tuple[tuple[int, ...], float], ...]] = {}

    def compile(self, words: Sequence[str]) -> UtteranceGraph:
        """The graph of a transcript (lower-case words).

        Raises:
            SpeechError: where the transcript has no word, unless there is tolerance.
        """
        if not words and self._tolerance is None:
            raise SpeechError("transcript: expected at least one word, found none")
        return self._expand(self._phone_graph(words), words)

    def compile_own(self, words: Sequence[str], others: Sequence[str]) -> UtteranceGraph:
        """The graph of an utterance's own language model; see `own_words_graph`.

        Output labels count the transcript's words from 1, and then the others.

        Raises:
            SpeechError: where the transcript has no word.
        """
        if not words:
            raise SpeechError("transcript: expected at least one word, found none")
        graph = own_words_graph(words, others, self.pronunciations, self._with_silence, OwnWords())
        return self._expand(graph, (*words, *others))

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

    def _phone_graph(self, words: Sequence[str]) -> PhoneGraph:
        graph = PhoneGraph()
        ends: list[Predecessor] = [(EDGE, 0.0)]  # after the words so far
        skipped: list[Predecessor] = []  # after the words so far, the last of them not said
        for number, word in enumerate(words, start=1):
            before, skipped = self._between(graph, ends, skipped)
            ends = []
            for phones, score in self.pronunciations(word):
                at = graph.phone(phones[0], [(node, way + score) for node, way in before], number)
                for phone in phones[1:]:
                    at = graph.phone(phone, [(at, 0.0)])
                ends.append((at, 0.0))
        graph.ends.extend(self._between(graph, ends, skipped)[0])
        return graph

    def _between(
        self, graph: PhoneGraph, ends: list[Predecessor], skipped: list[Predecessor]
    ) -> tuple[list[Predecessor], list[Predecessor]]:
        """The ways on from a boundary between words, and those past the next word, unsaid."""
        if self._tolerance is None:
            return self._with_silence(graph, ends), []
        # After garbage or a skipped word, which may be followed by silence and by more garbage.
        after = graph.junction(skipped)
        ways = self._with_silence(graph, [*ends, (after, 0.0)])
        departure = graph.junction(list(ways))
        graph.loops.append((departure, after))
        return ways, [(departure, -self._tolerance.skip_cost)]

    def _with_silence(self, graph: PhoneGraph, ends: list[Predecessor]) -> list[Predecessor]:
        """The ways on from ``ends``: through an optional silence, or past it."""
        ways = []
        if self._silence is not None:
            silence = self._silence
            reached = [(node, score + silence) for node, score in ends]
            ways.append((graph.phone(self._phones.optional_silence, reached), 0.0))
        if self._no_silence is not None:
            ways += [(node, score + self._no_silence) for node, score in ends]
        return ways

    def _expand(self, graph: PhoneGraph, words: Sequence[str]) -> UtteranceGraph:
        """Phones into phones in context, and these into the states of their HMMs."""
        phones, silence = graph.phones, self._phones.optional_silence
        rights: list[set[int]] = [set() for _ in phones]
        for phone, ways in zip(phones, graph.predecessors, strict=True):
            for before, _ in ways:
                if before >= 0:
                    rights[before].add(phone)
        for ways in graph.junctions:
            for before, _ in ways:
                if before >= 0:
                    rights[before].add(silence)
        for before, _ in graph.ends:
            if before >= 0:
                rights[before].add(0)

        # State 0 is the start, then come the junctions, then the nodes.
        states = GraphStates(1 + len(graph.junctions))
        # The exit nodes of each phone, by the phone to the right that they assume.
        exits: list[dict[int, list[int]]] = []

        def sources(before: int, right: int) -> Sequence[int]:
            return exits[before][right] if before >= 0 else (EDGE - before,)

        for index, (phone, ways) in enumerate(zip(phones, graph.predecessors, strict=True)):
            lefts: dict[int, list[Predecessor]] = {}
            for before, score in ways:
                left = phones[before] if before >= 0 else 0 if before == EDGE else silence
                lefts.setdefault(left, []).append((before, score))
            here: dict[int, list[int]] = {}
            for right in sorted(rights[index]):
                leaving: list[int] = []
                for left, reached in lefts.items():
                    block = self._block(left, phone, right)
                    base = states.block(block)
                    leaving += [base + n for n in block.exits]
                    entries = [base + n for n in block.entries]
                    for before, score in reached:
                        for source in sources(before, phone):
                            for entry in entries:
                                states.arc(source, entry, score, graph.words[index])
                here[right] = leaving
            exits.append(here)
        for number, ways in enumerate(graph.junctions, start=1):
            for before, score in ways:
                for source in sources(before, silence):
                    states.arc(source, number, score)
        finals = [(source, score) for before, score in graph.ends for source in sources(before, 0)]
        for departure, after in graph.loops:
            self._add_loop(states, EDGE - departure, EDGE - after)
        return self._arrays(states, finals, words)

    def _add_loop(self, states: GraphStates, departure: int, after: int) -> None:
        """Lets garbage be said between two junctions."""
        assert self._tolerance is not None
        begin, end = states.junction(), states.junction()
        states.arc(departure, begin, -self._tolerance.garbage_cost)
        states.arc(end, begin, 0.0)
        states.arc(end, after, 0.0)
        for block in self._loop_blocks:
            base = states.block(block)
            for entry in block.entries:
                states.arc(begin, base + entry, -self._tolerance.phone_cost)
            for node in block.exits:
                states.arc(base + node, end, 0.0)

    def _arrays(
        self, states: GraphStates, finals: list[tuple[int, float]], words: Sequence[str]
    ) -> UtteranceGraph:
        entering = np.array(states.labels, dtype=np.int32)
        known = self._self_loops
        staying = np.flatnonzero(known[entering] > 0)
        sources = np.concatenate((np.array(states.sources, dtype=np.int64), staying))
        targets = np.concatenate((np.array(states.targets, dtype=np.int64), staying))
        count = len(states.sources)
        labels = np.concatenate((entering[targets[:count]], known[entering[staying]]))
        zeros = np.zeros(len(staying), dtype=np.int32)
        final_costs = np.full(len(entering), np.inf, dtype=np.float32)
        for state, score in finals:
            final_costs[state] = min(final_costs[state], -score)
        order = np.argsort(2 * sources + (labels == 0), kind="stable")
        arcs = DecodingGraph(
            start=0,
            offsets=np.concatenate(
                (np.zeros(1, np.int64), np.cumsum(np.bincount(sources, minlength=len(entering))))
            ),
            num_emitting=np.bincount(sources[labels > 0], minlength=len(entering)).astype(
                np.uint32
            ),
            ilabels=labels[order],
            olabels=np.concatenate((np.array(states.words, dtype=np.int32), zeros))[order],
            costs=np.concatenate((-np.array(states.scores, dtype=np.float32), zeros))[order].astype(
                np.float32
            ),
            next_states=targets[order].astype(np.int32),
            final_costs=final_costs,
            words=("<eps>", *words),
        )
        tids = entering[(entering > 0) & (entering <= self._transitions.num_transition_ids)]
        return UtteranceGraph(arcs, np.unique(self._transitions.pdf[tids]).astype(np.int32))

    def _block(self, left: int, phone: int, right: int) -> HmmBlock:
        context = (left, phone, right)
        block = self._blocks.get(context)
        if block is None:
            block = self._new_block(phone, self._tree.pdfs(left, phone, right))
            self._blocks[context] = block
        return block

    def _new_block(self, phone: int, pdfs: Sequence[int]) -> HmmBlock:
        topology = self._transitions.topology.states(phone)
        return HmmBlock.of_phone(
            [
                [
                    (self._transitions.transition_id(phone, state, int(pdf), arc), to)
                    for arc, (to, _) in enumerate(topology[state].transitions)
                    if to != state
                ]
                for state, pdf in enumerate(pdfs)
            ]
        )

    def even_path(self, words: Sequence[str], num_frames: int) -> IntArray:
        """Transition-ids ``[T]`` that give every HMM state with a self-loop an equal share.

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
        forward = np.array(nodes, dtype=np.int32)
        loops = self._transitions.self_loop[forward]
        # A state without a self-loop takes one frame.
        lengths = np.ones(len(nodes), dtype=np.int64)
        shared = num_frames - int((loops == 0).sum())
        sharing = np.flatnonzero(loops)
        lengths[sharing] = np.bincount(np.arange(shared) * len(sharing) // max(shared, 1))
        first = np.cumsum(lengths) - lengths
        tids = np.repeat(loops, lengths)
        tids[first] = forward
        return tids
