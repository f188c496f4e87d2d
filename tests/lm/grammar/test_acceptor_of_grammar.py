"""What a grammar accepts, at what cost and with which tags, against the enumeration of it."""

from __future__ import annotations

from itertools import product
from math import inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.lm.grammar import acceptor as acceptors
from recognizer.lm.grammar import network as networks
from recognizer.lm.grammar.acceptor import Acceptor, determinize
from recognizer.lm.grammar.jsgf import parse_grammar
from recognizer.lm.grammar.network import GrammarNetwork, make_network
from recognizer.lm.grammar.rules import (
    Alternatives,
    Expansion,
    Optional,
    Reference,
    Repeat,
    Rule,
    RuleSet,
    Sequence,
    Tag,
    Token,
    Void,
)

HEADER = "#JSGF V1.0;\ngrammar test;\n"
WORDS = ("a", "b")
LONGEST = 3
# The cost of each (words, tags): of its cheapest derivation.
Sentences = dict[tuple[tuple[str, ...], tuple[str, ...]], float]


def cost_of(acceptor: Acceptor, words: tuple[str, ...]) -> float:
    state, total = 0, 0.0
    for word in words:
        arcs = range(acceptor.offsets[state], acceptor.offsets[state + 1])
        found = [arc for arc in arcs if acceptor.words[acceptor.labels[arc]] == word]
        if not found:
            return inf
        (arc,) = found
        total += float(acceptor.costs[arc])
        state = int(acceptor.next_states[arc])
    return total + float(acceptor.final_costs[state])


def network_of(text: str) -> GrammarNetwork:
    return make_network(parse_grammar(text, "g"))


def joined(first: Sentences, second: Sentences) -> Sentences:
    result: Sentences = {}
    for (words, tags), cost in first.items():
        for (more, others), added in second.items():
            key = (words + more, tags + others)
            if len(key[0]) <= LONGEST:
                result[key] = min(result.get(key, inf), cost + added)
    return result


def either(*choices: tuple[float, Sentences]) -> Sentences:
    result: Sentences = {}
    for share, sentences in choices:
        for key, cost in sentences.items():
            if share > 0.0:
                result[key] = min(result.get(key, inf), cost - log(share))
    return result


def enumerate_sentences(item: Expansion, rules: dict[str, Expansion]) -> Sentences:
    """All sentences of at most LONGEST words."""
    nothing: Sentences = {((), ()): 0.0}
    if isinstance(item, Token):
        return {((item.text,), ()): 0.0}
    if isinstance(item, Tag):
        return {((), (item.text,)): 0.0}
    if isinstance(item, Void):
        return {}
    if isinstance(item, Reference):
        return enumerate_sentences(rules[item.name], rules)
    if isinstance(item, Sequence):
        for one in item.items:
            nothing = joined(nothing, enumerate_sentences(one, rules))
        return nothing
    if isinstance(item, Alternatives):
        return either(*((p, enumerate_sentences(one, rules)) for p, one in item.choices))
    once = enumerate_sentences(item.item, rules)
    if isinstance(item, Optional):
        return either((0.5, once), (0.5, nothing))
    so_far = once if item.at_least_once else nothing
    result: Sentences = {}
    while so_far:
        result = either((1.0, result), (0.5, so_far))
        so_far = {key: cost + log(2.0) for key, cost in joined(so_far, once).items()}
    return result


def alternatives(items: st.SearchStrategy[Expansion]) -> st.SearchStrategy[Expansion]:
    choice = st.tuples(st.sampled_from([0.0, 1.0, 3.0]), items)

    def shares(choices: list[tuple[float, Expansion]]) -> Expansion:
        total = sum(weight for weight, _ in choices)
        return Alternatives(tuple((weight / total, item) for weight, item in choices))

    some = st.lists(choice, min_size=1, max_size=3)
    return some.filter(lambda choices: any(weight for weight, _ in choices)).map(shares)


LEAVES: st.SearchStrategy[Expansion] = st.one_of(
    st.sampled_from(WORDS).map(lambda word: Token(word, 1)),
    st.sampled_from([Sequence(()), Tag("t"), Tag("u"), Reference("r", 1), Void()]),
)
EXPANSIONS = st.recursive(
    LEAVES,
    lambda items: st.one_of(
        st.lists(items, max_size=3).map(lambda some: Sequence(tuple(some))),
        alternatives(items),
        items.map(Optional),
        # What is repeated has a word.
        st.tuples(st.sampled_from(WORDS), items, st.booleans()).map(
            lambda one: Repeat(Sequence((Token(one[0], 1), one[1])), one[2], 1)
        ),
    ),
    max_leaves=8,
)


@given(EXPANSIONS, st.sampled_from([Token("a", 1), Optional(Token("b", 1))]))
def test_costs_and_tags_are_those_of_the_best_derivation(
    expansion: Expansion, other: Expansion
) -> None:
    rules = {"s": expansion, "r": other}
    expected = enumerate_sentences(expansion, rules)
    rule_set = RuleSet(tuple(Rule(n, e, n == "s", 1) for n, e in rules.items()), "g")
    try:
        network = make_network(rule_set)
    except SpeechError as error:
        assert not expected
        assert "expected at least one sentence" in str(error)
        return
    acceptor = determinize(network, "g")
    for length in range(LONGEST + 1):
        for words in product(WORDS, repeat=length):
            costs = {tags: cost for (said, tags), cost in expected.items() if said == words}
            tags = network.tags(words)
            cost = cost_of(acceptor, words)
            assert (tags is None) == (not costs) == (cost == inf)
            if tags is not None:
                assert cost == pytest.approx(min(costs.values()), abs=1e-3)
                assert costs[tags] == pytest.approx(min(costs.values()), abs=1e-3)
                assert all(network.begins(words[:end]) for end in range(length + 1))


def test_a_rule_may_end_with_itself() -> None:
    text = HEADER + "public <list> = <item> {one} | <item> {more} and <list>;\n<item> = go | stop;"
    network = network_of(text)
    assert network.tags(("go",)) == ("one",)
    assert network.tags(("go", "and", "stop", "and", "go")) == ("more", "more", "one")
    assert network.tags(("go", "and")) is None
    assert network.begins(("go", "and"))
    assert not network.begins(("and",))
    acceptor = determinize(network, "g")
    assert cost_of(acceptor, ("go", "and", "go")) == pytest.approx(4 * log(2), abs=1e-3)


def test_of_derivations_as_good_as_each_other_the_first_one_counts() -> None:
    assert network_of(HEADER + "public <a> = go {x} | go {y};").tags(("go",)) == ("x",)
    assert network_of(HEADER + "public <a> = go {x};\npublic <b> = go {y};").tags(("go",)) == ("x",)


def test_repetitions_that_compete_have_an_acceptor() -> None:
    # After n times "a", one derivation is n log 2 better than the other: there is no end to it.
    network = network_of(HEADER + "public <a> = (a | b)* a | a* b;")
    acceptor = determinize(network, "g")
    assert acceptor.num_states < 200
    for count in (1, 3, 100):
        assert cost_of(acceptor, ("a",) * count + ("b",)) < inf
        assert network.tags(("a",) * count + ("b",)) == ()
    assert cost_of(acceptor, ("a", "a", "b")) == pytest.approx(4 * log(2), abs=1e-3)


def test_written_words_become_words_that_are_said() -> None:
    rules = parse_grammar("MP3 on", "g")
    network = make_network(rules, {"MP3": ("mp", "three"), "on": ("on",)})
    assert network.tags(("mp", "three", "on")) == ()
    assert network.tags(("MP3", "on")) is None


def test_grammars_that_grow_without_measure_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "_MAX_STATES", 5000)
    lines = [f"<r{i}> = <r{i + 1}> a <r{i + 1}>;" for i in range(30)]
    text = HEADER + "public " + "\n".join([*lines, "<r30> = b;"])
    with pytest.raises(SpeechError, match=r"^g: expected a grammar of at most 5000 states"):
        network_of(text)


def test_grammars_that_are_too_ambiguous_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptors, "_FEW_STATES", 100)
    # Which word comes twelfth from the end decides: there is a state for all of the last twelve.
    text = HEADER + "public <a> = (a | b)* a" + " (a | b)" * 11 + ";"
    with pytest.raises(SpeechError, match=r"^g: expected a grammar that is less ambiguous"):
        determinize(network_of(text), "g")
