"""Grammars, given at run time: what they are, files of them, and a model's words for theirs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from recognizer.data.errors import UsageError
from recognizer.data.io.files import read_lines
from recognizer.decoding.vocabulary.grammar import grammar_automaton
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.grammar.acceptor import determinize
from recognizer.lm.grammar.jsgf import parse_grammar
from recognizer.lm.grammar.network import make_network
from recognizer.lm.grammar.rules import RuleSet
from recognizer.model.bundle import ModelBundle
from recognizer.vocabulary.match import GrammarMatch
from recognizer.vocabulary.words import SpokenWords

# Natural log. What it finds and rejects is measured in docs/guides/vocabulary.md.
REJECTION_COST = 0.0


@dataclass(frozen=True)
class Grammar:
    """The sentences that may be said, and how probable they are.

    Attributes:
        text: JSGF, or a list of sentences, one a line
            (`recognizer.lm.grammar.jsgf.parse_grammar`).
        rejection_cost: natural log, of what is said outside of the grammar, beside its cost by the
            first pass's language model. The larger, the less is rejected; negative: more is.
        source: where the text was read, for messages.
        rules: what the text says.

    Raises:
        UsageError: a cost that is not finite.
        SpeechError: the text is no grammar; names source and line.
    """

    text: str
    rejection_cost: float = REJECTION_COST
    source: str = field(default="grammar", compare=False)
    rules: RuleSet = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not -inf < self.rejection_cost < inf:
            raise UsageError(
                f"{self.source}: rejection cost: expected a finite number, "
                f"found {self.rejection_cost}"
            )
        object.__setattr__(self, "rules", parse_grammar(self.text, self.source))


def read_grammar(path: str | os.PathLike[str], rejection_cost: float | None = None) -> Grammar:
    """The grammar of a file: JSGF, or a list of sentences.

    Args:
        path: the file.
        rejection_cost: of what is said outside; None: the default.

    Raises:
        UsageError, SpeechError: as `Grammar`; the file cannot be read. Names file and line.
    """
    cost = REJECTION_COST if rejection_cost is None else rejection_cost
    return Grammar("\n".join(read_lines(path)), cost, str(path))


class ModelGrammar:
    """A grammar in the words of a model.

    Args:
        bundle: the model.
        grammar: what may be said.
        spoken: finds the model's words, and gets those that it lacks.

    Raises:
        UsageError: the model searches a static graph.
        SpeechError: the model's units are pieces of words; there is no acceptor of the grammar.
    """

    def __init__(self, bundle: ModelBundle, grammar: Grammar, spoken: SpokenWords) -> None:
        bundle.check_extendable("for a grammar")
        self._lm = bundle.first_pass_lm
        self._cost = grammar.rejection_cost
        source = grammar.source
        words = {
            token.text: spoken.find(token.text, f"{source}:{token.line}")
            for token in grammar.rules.tokens()
        }
        self._network = make_network(grammar.rules, words)
        self._acceptor = determinize(self._network, source)

    def automaton(self, symbols: Sequence[str]) -> NgramAutomaton:
        """What the search takes, for a graph of these words."""
        return grammar_automaton(self._acceptor, self._lm, symbols, self._cost)

    def match(self, words: Sequence[str]) -> GrammarMatch:
        """How the words of an utterance go with the grammar.

        Where nothing was said, nothing is rejected.
        """
        tags = self._network.tags(words)
        return GrammarMatch(bool(words)) if tags is None else GrammarMatch(False, tags)

    def begins(self, words: Sequence[str]) -> bool:
        """Whether a sentence of the grammar begins with these words."""
        return self._network.begins(words)
