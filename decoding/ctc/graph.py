"""Decoding graphs of networks that spell: TLG, and TL for the on-the-fly search.

    TLG = min(T o rmeps(min(det(L o G))))

where T is CTC's topology, L spells words with characters, and G is an n-gram model or, in TL, lets
every word follow every word at no cost. A lexicon of HMMs gives HCLG in the same way
(`recognizer.decoding.graph.build`), and what is said of costs and determinization there holds here.
The same searches take both: their scores are log posteriors of the network's outputs.

Words may be characters themselves: with an n-gram model of characters, such as those of Mandarin,
the graph has a word for each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

import kaldifst

from recognizer.data.errors import SpeechError
from recognizer.data.text.characters import CharacterSet
from recognizer.decoding.ctc.spelling_fst import spelling_fst
from recognizer.decoding.ctc.topology import compose_topology
from recognizer.decoding.graph.build import minimal, reduced
from recognizer.decoding.graph.epsilon_removal import remove_epsilons_locally, without_labels
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.grammar_fst import grammar_fst
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.hcl import any_words
from recognizer.lm.ngram.model import SPECIAL_WORDS, NgramModel

_log = logging.getLogger(__name__)


def build_tlg(characters: CharacterSet, ngram_model: NgramModel) -> DecodingGraph:
    """Builds TLG, for the static search.

    The graph's words are those of the language model that the characters can spell, without
    `<unk>`; n-grams with other words are left out.

    Args:
        characters: of the network; its outputs are theirs and the blank.
        ngram_model: the first pass's language model, of any order.

    Raises:
        SpeechError: no word remains.
    """
    words = _spelled_words(characters, ngram_model.vocabulary)
    return _compose(characters, words, lambda ids, backoff: grammar_fst(ngram_model, ids, backoff))


def build_tl(characters: CharacterSet, words: Iterable[str]) -> DecodingGraph:
    """Builds TL, for the search with a language model on the fly.

    Args:
        characters: as of `build_tlg`.
        words: that can be recognised; those that the characters cannot spell, `<unk>`, `<s>` and
            `</s>` are left out.

    Raises:
        SpeechError: no word remains.
    """
    return _compose(characters, _spelled_words(characters, words), any_words)


def _spelled_words(characters: CharacterSet, words: Iterable[str]) -> tuple[str, ...]:
    wanted = sorted(set(words) - set(SPECIAL_WORDS))
    known = [word for word in wanted if " " not in word and not characters.missing(word)]
    if not known:
        raise SpeechError(
            f"graph: expected words of the network's characters, found none among {len(wanted)}"
        )
    if len(known) < len(wanted):
        _log.warning(
            "graph: %d of %d words are left out, the network's characters do not spell them",
            len(wanted) - len(known),
            len(wanted),
        )
    return ("<eps>", *known)


def _compose(
    characters: CharacterSet,
    words: tuple[str, ...],
    grammar: Callable[[Mapping[str, int], int], FstArrays],
) -> DecodingGraph:
    ids = {word: index for index, word in enumerate(words) if index}
    backoff = len(words)  # the label of #0 among the words
    l_fst = spelling_fst(characters, ids, backoff).fst.to_kaldifst()
    kaldifst.arcsort(l_fst, sort_type="olabel")
    g_fst = grammar(ids, backoff).to_kaldifst()
    kaldifst.arcsort(g_fst, sort_type="ilabel")
    lg = FstArrays.from_kaldifst(reduced("LG", kaldifst.compose(l_fst, g_fst)))
    outputs = characters.num_outputs
    lg = remove_epsilons_locally(without_labels(lg, 2 * outputs - 1))  # disambiguation symbols
    arrays = minimal(compose_topology(lg, outputs)).depth_first()
    _log.info("graph: %d states, %d arcs", arrays.num_states, arrays.num_arcs)
    return DecodingGraph.from_arrays(arrays, words)
