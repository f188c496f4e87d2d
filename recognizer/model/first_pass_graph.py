"""The decoding graph of a model's first pass, made of its parts: HCL or HCLG, TL or TLG."""

from __future__ import annotations

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.characters import CharacterSet
from recognizer.decoding.ctc.graph import build_tl, build_tlg
from recognizer.decoding.ctc.topology import ctc_pdfs
from recognizer.decoding.graph.build import build_graph
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.graph.options import GraphOptions
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.automaton.ngrams import ngram_model
from recognizer.model.bundle import ModelBundle
from recognizer.model.config import FirstPassOptions


def first_pass_graph(
    lexicon: Lexicon,
    phones: PhoneTable,
    tree: Tree,
    transitions: TransitionModel,
    language_model: NgramAutomaton,
    first_pass: FirstPassOptions,
    options: GraphOptions,
    *,
    allow_missing_words: bool = True,
) -> MappedGraph:
    """Builds the graph that a kind of search needs.

    Args:
        lexicon: pronunciations in base phones.
        phones: the phone table.
        tree: pdfs.
        transitions: transition-ids.
        language_model: of the first pass; HCL takes from it what words there are.
        first_pass: which search it is for.
        options: scales and silence.
        allow_missing_words: whether words of the language model may lack a pronunciation; they are
            then left out.

    Raises:
        SpeechError: the parts do not go together, or no word remains.
    """
    parts = (lexicon, phones, tree, transitions)
    missing = allow_missing_words
    if first_pass.search == "static":
        model = ngram_model(language_model)
        graph = build_graph(*parts, model, options, allow_missing_words=missing)
    else:
        graph = build_hcl(*parts, language_model.words, options, allow_missing_words=missing)
    return MappedGraph.from_graph(graph, transitions.pdf)


def spelling_graph(
    characters: CharacterSet, language_model: NgramAutomaton, first_pass: FirstPassOptions
) -> MappedGraph:
    """Builds the graph of a network that spells: TLG, or TL for the search on the fly.

    Args:
        characters: of the network.
        language_model: of the first pass; TL takes from it what words there are.
        first_pass: which search it is for.

    Raises:
        SpeechError: no word remains.
    """
    if first_pass.search == "static":
        graph = build_tlg(characters, ngram_model(language_model))
    else:
        graph = build_tl(characters, language_model.words)
    return MappedGraph.from_graph(graph, ctc_pdfs(characters.num_outputs))


def graph_of_bundle(bundle: ModelBundle, first_pass: FirstPassOptions | None = None) -> MappedGraph:
    """The graph of a model directory built anew, also for another kind of search than its own."""
    if bundle.recognition.is_ctc:
        kind = first_pass or bundle.config.first_pass
        return spelling_graph(bundle.characters, bundle.first_pass_lm, kind)
    return first_pass_graph(
        bundle.lexicon,
        bundle.phones,
        bundle.tree,
        bundle.transitions,
        bundle.first_pass_lm,
        first_pass or bundle.config.first_pass,
        bundle.config.graph,
    )
