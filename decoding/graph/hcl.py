"""HCL: lexicon, context and HMMs as a graph without a language model, for on-the-fly search.

    LG = min(det(L o G)),  CLG = min(det(C o LG)),  HCL = loops(min(rmeps(det(H o CLG))))

where G lets every word follow every word at no cost. It is an ordinary decoding graph from
transition-ids to words, whose size depends on the lexicon alone. Determinization puts a word's
label where the lexicon's tree of phones leaves a single word.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import numpy as np

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.graph.build import compose_graph
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.options import GraphOptions
from recognizer.lm.ngram.model import SPECIAL_WORDS

_log = logging.getLogger(__name__)


def build_hcl(
    lexicon: Lexicon,
    phones: PhoneTable,
    tree: Tree,
    transitions: TransitionModel,
    words: Iterable[str] | None = None,
    options: GraphOptions | None = None,
    *,
    allow_missing_words: bool = True,
) -> DecodingGraph:
    """Builds HCL.

    Args:
        lexicon: pronunciations in base phones.
        phones: the phone table, that of `transitions`.
        tree: pdfs of phones in context.
        transitions: transition-ids and their probabilities.
        words: the words that can be recognised; those of the lexicon if not given. `<unk>`, `<s>`
            and `</s>` are never among them.
        options: scales and silence.
        allow_missing_words: whether some of `words` may lack a pronunciation; they are then left
            out of the graph.

    Raises:
        SpeechError: if the parts do not go together, or no word remains.
    """
    options = GraphOptions() if options is None else options
    wanted = sorted(set(lexicon.words if words is None else words) - set(SPECIAL_WORDS))
    known = [word for word in wanted if word in lexicon]
    if not known:
        raise SpeechError(
            f"HCL: expected words with pronunciations, found none among {len(wanted)} words"
        )
    if len(known) < len(wanted):
        missing = next(word for word in wanted if word not in lexicon)
        message = (
            f"HCL: expected a pronunciation of every word, found none for "
            f"{len(wanted) - len(known)} of {len(wanted)}, such as {missing!r}"
        )
        if not allow_missing_words:
            raise SpeechError(message)
        _log.warning("%s; they are left out", message)
    return compose_graph(lexicon, phones, tree, transitions, ("<eps>", *known), any_words, options)


def any_words(word_ids: Mapping[str, int], backoff_label: int) -> FstArrays:
    """The grammar of all word sequences, each at no cost, as an acceptor of one state."""
    del backoff_label  # nothing backs off
    labels = np.sort(np.fromiter(word_ids.values(), dtype=np.int32, count=len(word_ids)))
    nothing = np.zeros(len(labels))
    return FstArrays.from_arcs(nothing, labels, labels, nothing, nothing, np.zeros(1))
