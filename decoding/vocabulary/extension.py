"""Words at run time: HCL with more words than it was built with, without building it anew.

The graph says itself where words end and begin: its transition-ids name phones, and these tell
their position in a word (`decoding/csrc/vocabulary/word_boundaries.h`). The added words are a tree
of phones, in triphone context, whose HMMs are entered from every state where a word ends, each with
the right context that the added word's first phone is to that word's last one; and which lead back
to the state of the graph where a word with the same last two phones ends. Where there is none, two
more phones lead there. The result is an ordinary graph, and accepts what HCL of the whole lexicon
accepts, at the same costs (`decoding/csrc/vocabulary/extension.h`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError
from recognizer.decoding import _vocabulary
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.graph.options import GraphOptions
from recognizer.lm.text.classes import is_class


@dataclass(frozen=True)
class AddedWord:
    """A pronunciation of a word that is added to a graph.

    Attributes:
        word: its label. If the graph has it, this is one more pronunciation of it.
        phones: base phones.
        cost: natural log, negated, beside what the language model says.
        scored_as: the language model's word that stands for it; of no use for a word that the graph
            has already, except for a class (`<city>`): then the graph has the word once more, with
            another label.
    """

    word: str
    phones: tuple[str, ...]
    cost: float = 0.0
    scored_as: str = "<unk>"

    def __post_init__(self) -> None:
        """Refuse what no graph can have."""
        if not self.word or self.word.split() != [self.word] or self.word == "<eps>":
            raise SpeechError(f"word: expected one without white space, found {self.word!r}")
        if not self.phones:
            raise SpeechError(f"word {self.word!r}: expected at least one phone, found none")
        if not -inf < self.cost < inf:
            raise SpeechError(f"word {self.word!r}: expected a finite cost, found {self.cost}")


@dataclass(frozen=True, eq=False)
class ExtendedGraph:
    """A graph with more words.

    Attributes:
        graph: laid out for the search. The words of the original graph keep their ids.
        scored_as: for each word of the graph the language model's word that stands for it.
        num_own_words: how many of the words, the first ones, the original graph has.
    """

    graph: MappedGraph
    scored_as: tuple[str, ...]
    num_own_words: int


class ExtendableGraph:
    """HCL that words can be added to, any number of times, by several threads.

    Args:
        graph: HCL of whole words (`recognizer.decoding.graph.hcl.build_hcl`).
        tree: pdfs of phones in context.
        transitions: transition-ids, those of the graph.
        options: what the graph was built with.

    Raises:
        SpeechError: the graph is not HCL of whole words, or the parts do not go together.
    """

    def __init__(
        self,
        graph: MappedGraph | DecodingGraph,
        tree: Tree,
        transitions: TransitionModel,
        options: GraphOptions | None = None,
    ) -> None:
        options = options or GraphOptions()
        self._graph = graph.to_graph() if isinstance(graph, MappedGraph) else graph
        # Of words, and of words in a class.
        self._ids: dict[str | tuple[str, str], int] = {
            word: index for index, word in enumerate(self._graph.words)
        }
        self._transitions = transitions
        phones = transitions.phones
        none = -log(1.0 - options.silence_probability)
        silence = -log(options.silence_probability) if options.silence_probability > 0 else inf
        costs = -transitions.scaled_log_probs(options.self_loop_scale, options.transition_scale)
        try:
            self._native = _vocabulary.ExtendableGraph(
                self._graph.start,
                {
                    name: getattr(self._graph, name)
                    for name in (
                        "offsets",
                        "num_emitting",
                        "ilabels",
                        "olabels",
                        "costs",
                        "next_states",
                        "final_costs",
                    )
                },
                {
                    "phone": transitions.phone,
                    "hmm_state": transitions.hmm_state,
                    "pdf": transitions.pdf,
                    "next_state": _next_states(transitions),
                    "self_loop": transitions.self_loop,
                    "cost": costs.astype(np.float32),
                },
                tree.arrays(),
                np.array([phones.position(i) in ("E", "S") for i in range(len(phones))]),
                phones.optional_silence,
                none,
                min(none, silence),
            )
        except ValueError as error:
            raise SpeechError(str(error)) from error

    def extend(self, words: Sequence[AddedWord]) -> ExtendedGraph:
        """The graph with more words.

        Args:
            words: pronunciations, at least one; a word may have several. A word of a class has a
                label of its own for each class.

        Raises:
            SpeechError: a pronunciation has a phone that the model lacks, or one word is to be
                scored as two different ones; names the word.
        """
        phones = self._transitions.phones
        symbols = list(self._graph.words)
        scored_as = list(symbols)
        ids = dict(self._ids)
        labels, sequences = [], []
        for one in words:
            try:
                sequences.append(phones.word_phones(one.phones))
            except SpeechError as error:
                raise SpeechError(f"word {one.word!r}: {error}") from None
            key = (one.word, one.scored_as) if is_class(one.scored_as) else one.word
            label = ids.setdefault(key, len(symbols))
            if label == len(symbols):
                symbols.append(one.word)
                scored_as.append(one.scored_as)
            elif label >= len(self._ids) and scored_as[label] != one.scored_as:
                raise SpeechError(
                    f"word {one.word!r}: expected one class, "
                    f"found {scored_as[label]!r} and {one.scored_as!r}"
                )
            labels.append(label)
        offsets = np.zeros(len(sequences) + 1, np.int64)
        np.cumsum([len(sequence) for sequence in sequences], out=offsets[1:])
        try:
            arrays = self._native.extend(
                offsets,
                np.concatenate([np.array(one, np.int32) for one in sequences]),
                np.array(labels, np.int32),
                np.array([one.cost for one in words], np.float32),
            )
        except ValueError as error:
            raise SpeechError(str(error)) from error
        graph = DecodingGraph(start=self._graph.start, words=tuple(symbols), **arrays)
        mapped = MappedGraph.from_graph(graph, self._transitions.pdf)
        return ExtendedGraph(mapped, tuple(scored_as), len(self._graph.words))


def _next_states(transitions: TransitionModel) -> npt.NDArray[np.int32]:
    """Int32 ``[num_transition_ids + 1]``: the HMM state that each transition-id leads to."""
    states = [0]
    for phone, state, _ in transitions.tuples:
        states += [to for to, _ in transitions.topology.states(phone)[state].transitions]
    return np.array(states, dtype=np.int32)
