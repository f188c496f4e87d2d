"""Building the decoding graph HCLG from a lexicon, a tree and an n-gram model.

    LG = min(det(L o G)),  CLG = min(det(C o LG)),  HCLG = loops(min(rmeps(det(H o CLG))))

as Kaldi's `mkgraph.sh`, with one difference: determinization is in the tropical semiring, not in
the log semiring. There, paths of the same labels would be added up and costs moved so that every
state is stochastic; here, the cost of the best path through the graph is exactly the sum of the
costs that lexicon, grammar and transition model give to it. Rescoring takes the first pass's
language-model scores out of a lattice again and depends on that. In determinizing, the cost of the
likeliest word below a branch of the lexicon's tree moves to that branch, which is a language-model
look-ahead that a beam search needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import kaldifst

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.graph.cost_grid import COST_STEP
from recognizer.decoding.graph.epsilon_removal import remove_epsilons_locally, without_labels
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.grammar_fst import grammar_fst
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.hmm_fst import context_labels, hmm_fst
from recognizer.decoding.graph.lexicon_fst import lexicon_fst
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.graph.self_loops import add_self_loops
from recognizer.lm.ngram.model import SPECIAL_WORDS, NgramModel

_log = logging.getLogger(__name__)


def build_graph(
    lexicon: Lexicon,
    phones: PhoneTable,
    tree: Tree,
    transitions: TransitionModel,
    ngram_model: NgramModel,
    options: GraphOptions | None = None,
    *,
    allow_missing_words: bool = True,
) -> DecodingGraph:
    """Builds HCLG.

    The graph's words are those of the language model that have a pronunciation, without `<unk>`;
    n-grams with other words are left out.

    Args:
        lexicon: pronunciations in base phones.
        phones: the phone table, that of `transitions`.
        tree: pdfs of phones in context.
        transitions: transition-ids and their probabilities.
        ngram_model: the first pass's language model, of any order.
        options: scales and silence.
        allow_missing_words: whether words of the language model may lack a pronunciation; they are
            then left out of the graph.

    Raises:
        SpeechError: if the parts do not go together, or no word remains.
    """
    options = GraphOptions() if options is None else options
    words = _words(lexicon, ngram_model, allow_missing_words)
    return compose_graph(
        lexicon,
        phones,
        tree,
        transitions,
        words,
        lambda ids, backoff: grammar_fst(ngram_model, ids, backoff),
        options,
    )


def compose_graph(
    lexicon: Lexicon,
    phones: PhoneTable,
    tree: Tree,
    transitions: TransitionModel,
    words: tuple[str, ...],
    grammar: Callable[[Mapping[str, int], int], FstArrays],
    options: GraphOptions,
) -> DecodingGraph:
    """Builds the graph of any grammar of words.

    Args:
        lexicon: as in `build_graph`, like `phones`, `tree` and `transitions`.
        phones: the phone table.
        tree: pdfs.
        transitions: transition-ids.
        words: `<eps>` and the words of the graph, all of them in the lexicon.
        grammar: makes G from the words' labels and the label of back-off arcs.
        options: scales and silence.

    Raises:
        SpeechError: if the parts do not go together, or no sentence remains.
    """
    if transitions.phones != phones or tree.num_phones != len(phones):
        raise SpeechError(
            f"graph: expected tree and transitions of the {len(phones) - 1} phones of the table, "
            f"found {tree.num_phones - 1} and {len(transitions.phones) - 1}"
        )
    ids = {word: index for index, word in enumerate(words) if index}
    backoff = len(words)  # the label of #0 among the words
    dictionary = lexicon_fst(lexicon, phones, ids, backoff, options.silence_probability)
    l_fst = dictionary.fst.to_kaldifst()
    kaldifst.arcsort(l_fst, sort_type="olabel")
    g_fst = grammar(ids, backoff).to_kaldifst()
    # Sorted on both sides, composition goes through the arcs of whichever state has fewer.
    kaldifst.arcsort(g_fst, sort_type="ilabel")
    _report("G", g_fst)
    lg = reduced("LG", kaldifst.compose(l_fst, g_fst))
    del l_fst, g_fst
    clg, contexts = kaldifst.compose_context(list(dictionary.disambiguation), 3, 1, lg)
    del lg
    labels = context_labels(contexts, tree)
    arrays = FstArrays.from_kaldifst(clg)
    del contexts
    clg = replace(arrays, ilabels=labels.relabel[arrays.ilabels]).to_kaldifst()
    clg = reduced(f"CLG of {len(labels.units)} units", clg)
    kaldifst.arcsort(clg, sort_type="ilabel")
    h_fst = hmm_fst(labels, transitions).to_kaldifst()
    kaldifst.arcsort(h_fst, sort_type="olabel")
    hclg = kaldifst.compose(h_fst, clg)
    del h_fst, clg
    _determinize("HCLG", hclg)
    arrays = FstArrays.from_kaldifst(hclg)
    del hclg
    arrays = without_labels(arrays, transitions.num_transition_ids + 1)
    arrays = minimal(remove_epsilons_locally(arrays))
    arrays = add_self_loops(arrays, transitions, options.self_loop_scale, options.transition_scale)
    arrays = arrays.depth_first()
    _log.info("graph: %d states, %d arcs", arrays.num_states, arrays.num_arcs)
    return DecodingGraph.from_arrays(arrays, words)


def _words(lexicon: Lexicon, model: NgramModel, allow_missing: bool) -> tuple[str, ...]:
    known = sorted(set(model.vocabulary) - set(SPECIAL_WORDS))
    missing = [word for word in known if word not in lexicon]
    if len(missing) == len(known):
        raise SpeechError(
            f"graph: expected words with pronunciations, found none of the language model's "
            f"{len(known)} words in the lexicon"
        )
    if missing and not allow_missing:
        raise SpeechError(
            f"graph: expected a pronunciation of every word of the language model, found none for "
            f"{len(missing)} of {len(known)}, such as {missing[0]!r}"
        )
    if missing:
        _log.warning(
            "graph: %d of the language model's %d words are left out, they have no pronunciation",
            len(missing),
            len(known),
        )
    return ("<eps>", *(word for word in known if word in lexicon))


def reduced(name: str, fst: Any) -> Any:
    """The kaldifst transducer determinized and minimised, in place; ``name`` is for errors."""
    _determinize(name, fst)
    kaldifst.minimize_encoded(fst, delta=COST_STEP)
    _report(name, fst)
    return fst


def _determinize(name: str, fst: Any) -> None:
    """Determinizes in place, without input epsilons, in the tropical semiring."""
    _report(f"{name} before determinization", fst)
    kaldifst.determinize_star(fst, delta=COST_STEP / 2, use_log=False)
    if fst.start < 0:
        raise SpeechError(f"graph: {name}: expected at least one sentence, found none")


def minimal(arrays: FstArrays) -> FstArrays:
    """The transducer minimised, its labels and costs taken as one label."""
    fst = arrays.to_kaldifst()
    kaldifst.minimize_encoded(fst, delta=COST_STEP)
    return FstArrays.from_kaldifst(fst)


def _report(name: str, fst: Any) -> None:
    if _log.isEnabledFor(logging.INFO):
        _log.info("graph: %s: %d states, %d arcs", name, fst.num_states, _num_arcs(fst))


def _num_arcs(fst: Any) -> int:
    return sum(fst.num_arcs(state) for state in range(fst.num_states))
