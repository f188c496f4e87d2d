"""What a grammar says: rules, and what they expand to; and what no search could follow.

A grammar is a distribution over sentences. Alternatives without weights are equally probable, those
with weights in proportion to these; what is optional is said half of the time, and a repetition
goes on half of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recognizer.data.errors import SpeechError


@dataclass(frozen=True)
class Token:
    """A word as it is written, at a line of the grammar."""

    text: str
    line: int


@dataclass(frozen=True)
class Tag:
    """What stands between braces: says nothing, and is in the result of a sentence."""

    text: str


@dataclass(frozen=True)
class Void:
    """What cannot be said: `<VOID>`."""


@dataclass(frozen=True)
class Reference:
    """The expansion of a rule."""

    name: str
    line: int


@dataclass(frozen=True)
class Sequence:
    """One after the other; without items, `<NULL>`."""

    items: tuple[Expansion, ...]


@dataclass(frozen=True)
class Alternatives:
    """One of several, with probabilities that sum to 1."""

    choices: tuple[tuple[float, Expansion], ...]


@dataclass(frozen=True)
class Optional:
    """What may be left out."""

    item: Expansion


@dataclass(frozen=True)
class Repeat:
    """Any number of times, or any number but none."""

    item: Expansion
    at_least_once: bool
    line: int


Expansion = Token | Tag | Void | Reference | Sequence | Alternatives | Optional | Repeat


@dataclass(frozen=True)
class Rule:
    """A rule; a public one expands to whole sentences."""

    name: str
    expansion: Expansion
    public: bool
    line: int


@dataclass(frozen=True)
class RuleSet:
    """The rules of one grammar.

    Attributes:
        rules: in the order of the file; names are unique.
        source: the file, for messages.

    Raises:
        SpeechError: no rule is public, a rule is missing or defined twice, goes on for ever, begins
            with itself, or repeats what may be empty; names file and line.
    """

    rules: tuple[Rule, ...]
    source: str

    def __post_init__(self) -> None:
        """Refuse what cannot be compiled."""
        named: dict[str, Rule] = {}
        for rule in self.rules:
            if rule.name in named:
                raise self.fault(rule.line, f"expected one rule <{rule.name}>, found another")
            named[rule.name] = rule
        if not any(rule.public for rule in self.rules):
            raise SpeechError(f"{self.source}: expected a public rule, found none")
        for rule in self.rules:
            for item in _parts(rule.expansion):
                if isinstance(item, Reference) and item.name not in named:
                    raise self.fault(item.line, f"rule <{item.name}>: found no such rule")
        empty = self._fixed_point(_may_be_empty)
        for rule in self.rules:
            for item in _parts(rule.expansion):
                if isinstance(item, Repeat) and _may_be_empty(item.item, empty):
                    message = "expected words in what is repeated, found that it may be empty"
                    raise self.fault(item.line, f"rule <{rule.name}>: {message}")
        first = {rule.name: set(_first(rule.expansion, empty)) for rule in self.rules}
        ending = self._fixed_point(_ends)
        for rule in self.rules:
            if rule.name in _reached(first, rule.name):
                message = "expected words before it is used in itself, found none (left recursion)"
                raise self.fault(rule.line, f"rule <{rule.name}>: {message}")
            if rule.name not in ending:
                message = "expected an end, found only expansions that go on for ever"
                raise self.fault(rule.line, f"rule <{rule.name}>: {message}")

    def fault(self, line: int, message: str) -> SpeechError:
        """An error at a line."""
        return SpeechError(f"{self.source}:{line}: {message}")

    def tokens(self) -> Iterator[Token]:
        """All words, in order, some more than once."""
        for rule in self.rules:
            for item in _parts(rule.expansion):
                if isinstance(item, Token):
                    yield item

    def _fixed_point(self, holds: Callable[[Expansion, frozenset[str]], bool]) -> frozenset[str]:
        """The rules that have a property, which more rules have if more are known to have it."""
        found: frozenset[str] = frozenset()
        while True:
            more = frozenset(r.name for r in self.rules if holds(r.expansion, found))
            if more == found:
                return found
            found = more


def _children(item: Expansion) -> tuple[Expansion, ...]:
    if isinstance(item, Sequence):
        return item.items
    if isinstance(item, Alternatives):
        return tuple(choice for _, choice in item.choices)
    return (item.item,) if isinstance(item, Optional | Repeat) else ()


def _parts(item: Expansion) -> Iterator[Expansion]:
    """An expansion and all that it is made of, in order."""
    waiting = [item]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(_children(one)))


def _may_be_empty(item: Expansion, empty: frozenset[str]) -> bool:
    if isinstance(item, Token | Void):
        return False
    if isinstance(item, Reference):
        return item.name in empty
    if isinstance(item, Alternatives):
        return any(_may_be_empty(choice, empty) for choice in _children(item))
    if isinstance(item, Repeat) and item.at_least_once:
        return _may_be_empty(item.item, empty)
    return not isinstance(item, Sequence) or all(_may_be_empty(one, empty) for one in item.items)


def _ends(item: Expansion, ending: frozenset[str]) -> bool:
    """Whether there is a finite expansion; `<VOID>` counts as one."""
    if isinstance(item, Reference):
        return item.name in ending
    if isinstance(item, Alternatives):
        return any(_ends(choice, ending) for choice in _children(item))
    if isinstance(item, Repeat):
        return not item.at_least_once or _ends(item.item, ending)
    return not isinstance(item, Sequence) or all(_ends(one, ending) for one in item.items)


def _first(item: Expansion, empty: frozenset[str]) -> Iterator[str]:
    """The rules that an expansion may begin with."""
    if isinstance(item, Reference):
        yield item.name
    for one in _children(item):
        yield from _first(one, empty)
        if isinstance(item, Sequence) and not _may_be_empty(one, empty):
            return


def _reached(first: dict[str, set[str]], name: str) -> set[str]:
    reached: set[str] = set()
    waiting = list(first[name])
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting.extend(first[one])
    return reached
