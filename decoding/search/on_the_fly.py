"""The first pass with a language model that is composed with the graph while searching.

The graph (HCL, `recognizer.decoding.graph.hcl`) holds lexicon, context and HMMs; the language model
stays an n-gram automaton (`recognizer.lm.automaton.automaton`), so that memory grows with the model
alone and not with the product of both. A token is a state of the graph and a history. To be pruned
as in a static graph, its cost holds a look-ahead: what the best of the words that can come next
will cost after its history, of the model's full order. Tokens whose next words are all unknown to
their histories meet in the history that they back off to
(`decoding/csrc/look_ahead/look_ahead.h`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding import _search
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.search.pool import MAX_IDLE_BYTES
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.decoding.vocabulary.phrases import WeightedPhrase, native_phrases
from recognizer.lm.automaton.automaton import NgramAutomaton

BackoffMode = Literal["exact", "epsilon"]

# Of the words in the graph: where more than that can come next, nothing is looked ahead.
_MAX_SHARE = 0.1
_FEW_WORDS = 64


class OnTheFlyDecoder(Decoder):
    """Searches a graph without language model together with an n-gram automaton.

    It answers as `recognizer.decoding.search.search.Decoder` does, and may be shared by threads as
    well.

    Args:
        graph: HCL. Its words that the automaton lacks cannot be recognised.
        pdfs: int32 ``[num_transition_ids + 1]``, pdf-id of each transition-id
            (`TransitionModel.pdf`); index 0 is unused. None for a `MappedGraph`, which knows.
        automaton: the language model. Its arrays are kept.
        options: beams and scales.
        mode: "exact" scores each word by the longest n-gram that is explicit. "epsilon" allows
            every word to back off first if that is cheaper, as a static graph does in which
            back-off is an epsilon arc; the costs are then those of the static graph.
        look_ahead_bytes: bounds what each thread remembers of the language model between frames.
            With less, words are composed again and again where many compete. None: twice what
            graph and language model take, and 16 MiB at least.
        is_silence: as of `Decoder`.
        lm_words: for each word of the graph the language model's word that it is scored as, if
            they are not the same. Several may be scored as one.
        num_own_words: how many words the graph was built with, if others were added to it. Those
            that follow are not looked ahead to.
        phrases: words in a row that get a bonus.
        max_idle_bytes: as of `Decoder`; without what is remembered of the language model.

    Raises:
        SpeechError: the graph's labels do not fit the transition-ids, its non-emitting arcs form a
            cycle, or it has no word of the automaton; a phrase has a word that it lacks.
        UsageError: an unknown mode, or no memory for the look-ahead.
    """

    def __init__(
        self,
        graph: MappedGraph | DecodingGraph,
        pdfs: npt.NDArray[np.int32] | None,
        automaton: NgramAutomaton,
        options: SearchOptions | None = None,
        mode: BackoffMode = "exact",
        look_ahead_bytes: int | None = None,
        *,
        is_silence: npt.NDArray[np.bool_] | None = None,
        lm_words: Sequence[str] | None = None,
        num_own_words: int | None = None,
        phrases: Sequence[WeightedPhrase] = (),
        max_idle_bytes: int = MAX_IDLE_BYTES,
    ) -> None:
        if mode not in get_args(BackoffMode):
            raise UsageError(f"mode: expected 'exact' or 'epsilon', found {mode!r}")
        if look_ahead_bytes is not None and look_ahead_bytes < 0:
            raise UsageError(f"look_ahead_bytes: expected at least 0, found {look_ahead_bytes}")
        super().__init__(graph, pdfs, options, is_silence=is_silence, max_idle_bytes=max_idle_bytes)
        self.automaton = automaton
        self.mode = mode
        if automaton.order > _search.MAX_ORDER:
            raise SpeechError(
                f"on-the-fly search: expected a language model of order {_search.MAX_ORDER} at "
                f"most, found {automaton.order}"
            )
        words = automaton.word_ids(self.graph.words if lm_words is None else lm_words)
        words[0] = -1
        ahead = len(words) if num_own_words is None else num_own_words
        if not (words >= 0).any():
            raise SpeechError(
                f"on-the-fly search: expected words of the language model in the graph, found none "
                f"among {len(words) - 1}"
            )
        self._phrases = native_phrases(phrases, self.graph.words) if phrases else None
        self._composed = _search.ComposedGraph(
            self.graph.start,
            len(words),
            dict(self.graph.arrays),
            automaton.arrays,
            words,
            ahead,
            max(_FEW_WORDS, int(_MAX_SHARE * ahead)),
        )
        if look_ahead_bytes is None:
            arrays = (*self.graph.arrays.values(), *automaton.arrays.values())
            look_ahead_bytes = max(16 << 20, 2 * sum(array.nbytes for array in arrays))
        self.look_ahead_bytes = look_ahead_bytes
        self.graph.release()  # the composed graph has arcs of its own
        self._pool = _search.CompositionPool(
            self._composed, mode == "epsilon", look_ahead_bytes, self._phrases
        )

    def _make(self, best_only: bool) -> _search.Search:
        return _search.OnTheFlySearch(self._pool, self._options, best_only)
