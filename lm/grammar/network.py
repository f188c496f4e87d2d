"""The rules of a grammar as one network of words, with tags and costs.

Every use of a rule is a copy of its expansion; a rule that is used in itself at its very end leads
back to the copy's beginning. Costs are integers, in units of `COST_STEP`, so that sums are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log

from recognizer.data.errors import SpeechError
from recognizer.lm.grammar.rules import (
    Alternatives,
    Expansion,
    Optional,
    Reference,
    Repeat,
    Rule,
    RuleSet,
    Tag,
    Token,
    Void,
)
from recognizer.lm.grammar.rules import Sequence as SequenceOf

COST_STEP = 2.0**-14
"""Natural log; a power of two, so that costs are exact as float32."""

_HALF = round(log(2.0) / COST_STEP)
_MAX_STATES = 2_000_000


@dataclass(frozen=True)
class WordArc:
    """A word, its cost in units of `COST_STEP`, and the state after it."""

    word: str
    cost: int
    next: int


@dataclass(frozen=True)
class Near:
    """A state that has words or is final, reached without words.

    Attributes:
        state: which.
        cost: of the cheapest way there, in units of `COST_STEP`.
        tags: on that way, in order.
    """

    state: int
    cost: int
    tags: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class GrammarNetwork:
    """States with arcs of words, and arcs without words that may have a tag.

    Attributes:
        words: of each state the arcs with words.
        silent: of each state the others: cost, tag, next state. They form no cycle.
        start: where sentences start.
        final: where they end; it has no arcs.
    """

    words: list[list[WordArc]]
    silent: list[list[tuple[int, str | None, int]]]
    start: int
    final: int
    _nearest: dict[int, tuple[Near, ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def useful(self) -> list[bool]:
        """Of each state whether a sentence's end can be reached from it."""
        before: list[list[int]] = [[] for _ in self.words]
        for state, (words, silent) in enumerate(zip(self.words, self.silent, strict=True)):
            for arc in words:
                before[arc.next].append(state)
            for _, _, after in silent:
                before[after].append(state)
        useful = [False] * len(before)
        useful[self.final] = True
        waiting = [self.final]
        while waiting:
            for state in before[waiting.pop()]:
                if not useful[state]:
                    useful[state] = True
                    waiting.append(state)
        return useful

    def nearest(self, state: int) -> tuple[Near, ...]:
        """The states with words, and the final one, that are reached from a state without words.

        Of ways that cost the same, the first one in the grammar is taken.
        """
        known = self._nearest.get(state)
        if known is None:
            best: dict[int, tuple[int, tuple[str, ...]]] = {}
            waiting: list[tuple[int, int, tuple[str, ...]]] = [(state, 0, ())]
            while waiting:
                here, cost, tags = waiting.pop()
                if not self.useful[here] or (here in best and best[here][0] <= cost):
                    continue
                best[here] = (cost, tags)
                waiting.extend(
                    (after, cost + more, tags if tag is None else (*tags, tag))
                    for more, tag, after in reversed(self.silent[here])
                )
            known = tuple(
                Near(here, cost, tags)
                for here, (cost, tags) in best.items()
                if self.words[here] or here == self.final
            )
            self._nearest[state] = known
        return known

    def tags(self, words: Sequence[str]) -> tuple[str, ...] | None:
        """The tags of a sentence's likeliest derivation; None: it is not in the grammar."""
        reached = self._after(words)
        found = reached.get(self.final)
        return None if found is None else found[1]

    def begins(self, words: Sequence[str]) -> bool:
        """Whether a sentence of the grammar begins with these words."""
        return bool(self._after(words))

    def _after(self, words: Sequence[str]) -> dict[int, tuple[int, tuple[str, ...]]]:
        """The states after some words, with the cost and the tags of the cheapest way."""
        reached = {one.state: (one.cost, one.tags) for one in self.nearest(self.start)}
        for word in words:
            following: dict[int, tuple[int, tuple[str, ...]]] = {}
            for state, (cost, tags) in reached.items():
                for arc in self.words[state]:
                    if arc.word != word:
                        continue
                    for one in self.nearest(arc.next):
                        total = cost + arc.cost + one.cost
                        if one.state not in following or total < following[one.state][0]:
                            following[one.state] = (total, tags + one.tags)
            reached = following
        return reached


def make_network(
    rules: RuleSet, spoken: Mapping[str, Sequence[str]] | None = None
) -> GrammarNetwork:
    """The network of all public rules.

    Args:
        rules: the grammar.
        spoken: the words that are said for those that are written; None: these.

    Raises:
        SpeechError: a rule is used in itself elsewhere than at its end, the grammar is too large,
            or has no sentence; names file and line.
    """
    network = _Builder(rules, spoken).build()
    if not network.useful[network.start]:
        raise SpeechError(f"{rules.source}: expected at least one sentence, found none")
    return network


@dataclass(frozen=True)
class _Use:
    """A copy of a rule that is being made, and the one that it is a part of."""

    rule: str
    start: int
    end: int
    within: _Use | None


class _Builder:
    """Makes the network from the top, with a list of what is still to be made."""

    def __init__(self, rules: RuleSet, spoken: Mapping[str, Sequence[str]] | None) -> None:
        self._rules = rules
        self._named: dict[str, Rule] = {rule.name: rule for rule in rules.rules}
        self._spoken = spoken
        self._words: list[list[WordArc]] = []
        self._silent: list[list[tuple[int, str | None, int]]] = []
        self._waiting: list[tuple[Expansion, int, int, _Use | None]] = []

    def build(self) -> GrammarNetwork:
        start, final = self._state(), self._state()
        public = [rule for rule in self._rules.rules if rule.public]
        share = 1.0 / len(public)
        choices = tuple((share, Reference(rule.name, rule.line)) for rule in public)
        self._waiting.append((Alternatives(choices), start, final, None))
        while self._waiting:
            self._expand(*self._waiting.pop())
        return GrammarNetwork(self._words, self._silent, start, final)

    def _expand(self, item: Expansion, start: int, end: int, use: _Use | None) -> None:
        """Add what leads from a state to another one."""
        if isinstance(item, Token):
            self._say(item, start, end)
        elif isinstance(item, Tag):
            self._silent[start].append((0, item.text, end))
        elif isinstance(item, Reference):
            self._refer(item, start, end, use)
        elif isinstance(item, SequenceOf):
            if not item.items:
                self._pass(start, end)
            for index, one in enumerate(item.items):
                after = end if index + 1 == len(item.items) else self._state()
                self._waiting.append((one, start, after, use))
                start = after
        elif isinstance(item, Alternatives):
            for share, choice in item.choices:
                if share > 0.0:
                    first = self._state()
                    self._pass(start, first, round(-log(share) / COST_STEP))
                    self._waiting.append((choice, first, end, use))
        elif isinstance(item, Optional):
            first = self._state()
            self._pass(start, first, _HALF)
            self._pass(start, end, _HALF)
            self._waiting.append((item.item, first, end, use))
        elif isinstance(item, Repeat):
            first, after = self._state(), self._state()
            self._pass(start, first if item.at_least_once else after)
            self._pass(after, first, _HALF)
            self._pass(after, end, _HALF)
            self._waiting.append((item.item, first, after, use))
        else:
            assert isinstance(item, Void)

    def _say(self, token: Token, start: int, end: int) -> None:
        words = (token.text,) if self._spoken is None else self._spoken[token.text]
        if not words:
            self._pass(start, end)
        for index, word in enumerate(words):
            after = end if index + 1 == len(words) else self._state()
            self._words[start].append(WordArc(word, 0, after))
            start = after

    def _refer(self, item: Reference, start: int, end: int, use: _Use | None) -> None:
        outer = use
        while outer is not None and outer.rule != item.name:
            outer = outer.within
        if outer is None:
            first = self._state()
            self._pass(start, first)
            expansion = self._named[item.name].expansion
            self._waiting.append((expansion, first, end, _Use(item.name, first, end, use)))
        elif outer.end == end:
            self._pass(start, outer.start)
        else:
            message = "expected a rule to be used in itself at its end only, found words behind it"
            raise self._rules.fault(item.line, f"rule <{item.name}>: {message}")

    def _pass(self, start: int, end: int, cost: int = 0) -> None:
        self._silent[start].append((cost, None, end))

    def _state(self) -> int:
        if len(self._words) == _MAX_STATES:
            raise SpeechError(
                f"{self._rules.source}: expected a grammar of at most {_MAX_STATES} states when "
                f"all its rules are expanded, found more"
            )
        self._words.append([])
        self._silent.append([])
        return len(self._words) - 1
