"""Small lexicons, trees and n-gram models, and what a graph of them must say, by enumeration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import inf, log
from pathlib import Path

import numpy as np
import pytest

from backoff_models import EpsilonBackoffModel
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import HmmState, Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Leaf, Split, Tree
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.ngram.model import NgramModel

TOY_LEXICON = Lexicon(
    [
        Pronunciation("aye", ("A",)),
        Pronunciation("eye", ("A",), 0.5),  # a homophone
        Pronunciation("bay", ("B", "A")),
        Pronunciation("bay", ("B",), 0.25),  # a variant
        Pronunciation("bab", ("B", "A", "B")),  # begins like the one before
        Pronunciation("baba", ("B", "A", "B", "A")),
        Pronunciation("unused", ("A", "A")),
    ]
)

# Two states for speech, three for silence with a skip and a way to and fro, as Kaldi's silence has.
SMALL_SPEECH = tuple(HmmState(((i, 0.6), (i + 1, 0.4))) for i in range(2))
SMALL_SILENCE = (
    HmmState(((0, 0.5), (1, 0.3), (2, 0.2))),
    HmmState(((1, 0.5), (2, 0.2), (3, 0.3))),
    HmmState(((1, 0.1), (2, 0.4), (3, 0.5))),
)


def small_topology(phones: PhoneTable) -> Topology:
    return Topology(SMALL_SPEECH, SMALL_SILENCE, phones.silence)


def random_tree(seed: int, phones: PhoneTable, topology: Topology, splits: int = 12) -> Tree:
    """A tree as training makes it: roots shared by word positions, random questions on all three
    phones, but none for silence.
    """
    rng = np.random.default_rng(seed)
    nodes: list[Leaf | Split | None] = []
    root_of: dict[str, list[int]] = {}
    for phone in phones.ids:
        if phones.base(phone) not in root_of:
            states = topology.num_states(phone)
            root_of[phones.base(phone)] = list(range(len(nodes), len(nodes) + states))
            nodes += [None] * states
    silent = {node for phone in phones.silence for node in root_of[phones.base(phone)]}
    leaves = [node for node in range(len(nodes)) if node not in silent]
    for _ in range(splits):
        index = leaves.pop(int(rng.integers(len(leaves))))
        asked = frozenset(np.flatnonzero(rng.random(len(phones)) < 0.5).tolist())
        nodes[index] = Split(int(rng.integers(3)), asked, len(nodes), len(nodes) + 1)
        leaves += [len(nodes), len(nodes) + 1]
        nodes += [None, None]
    pdf = iter(range(len(nodes)))
    done = [Leaf(next(pdf)) if node is None else node for node in nodes]
    roots = [[], *(root_of[phones.base(phone)] for phone in phones.ids)]
    # Random questions may contradict each other: leaves that no context reaches share pdf 0.
    reached = sorted({pdf for _, _, pdf in Tree(done, roots).tuples()})
    number = {pdf: i for i, pdf in enumerate(reached)}
    done = [Leaf(number.get(n.pdf, 0)) if isinstance(n, Leaf) else n for n in done]
    return Tree(done, roots)


def random_ngrams(seed: int, words: list[str], order: int, path: Path) -> NgramModel:
    """An n-gram model with arbitrary numbers, read from an ARPA file; suffixes may be missing."""
    rng = np.random.default_rng(seed)
    levels: list[list[tuple[str, ...]]] = [
        [("<unk>",), ("<s>",), ("</s>",), *((word,) for word in words)]
    ]
    for _ in range(2, order + 1):
        histories = [h for h in levels[-1] if h[-1] not in ("</s>", "<unk>")]
        longer = [(*h, w) for h in histories for w in [*words, "</s>", "<unk>"]]
        chosen = rng.random(len(longer)) < 0.3
        levels.append([ngram for ngram, keep in zip(longer, chosen, strict=True) if keep])
        if not levels[-1]:
            levels[-1] = longer[:1]
    lines = ["\\data\\", *(f"ngram {i}={len(level)}" for i, level in enumerate(levels, 1)), ""]
    for number, level in enumerate(levels, 1):
        lines.append(f"\\{number}-grams:")
        for ngram in level:
            prob = -99 if ngram == ("<s>",) else -2.5 * rng.random()
            backoff = f"\t{0.7 - 2 * rng.random():.4f}" if number < order else ""
            lines.append(f"{prob:.4f}\t{' '.join(ngram)}{backoff}")
        lines.append("")
    path.write_text("\n".join([*lines, "\\end\\", ""]))
    return read_arpa(path)


@dataclass(frozen=True)
class Toy:
    """All parts of a graph."""

    lexicon: Lexicon
    phones: PhoneTable
    tree: Tree
    transitions: TransitionModel
    model: NgramModel

    @property
    def words(self) -> list[str]:
        return sorted(word for word in self.model.vocabulary if word in self.lexicon)


def random_toy(
    seed: int,
    tmp_path: Path,
    order: int = 3,
    make_topology: Callable[[PhoneTable], Topology] = small_topology,
) -> Toy:
    rng = np.random.default_rng(seed)
    phones = PhoneTable.from_base(["A", "B"])
    topology = make_topology(phones)
    tree = random_tree(seed, phones, topology)
    transitions = TransitionModel(topology, phones, tree.tuples())
    counts = rng.integers(5, 100, transitions.num_transition_ids + 1)
    words = ["aye", "eye", "bay", "bab", "baba"]
    model = random_ngrams(seed, words, order, tmp_path / "toy.arpa")
    return Toy(TOY_LEXICON, phones, tree, transitions.update(counts), model)


@dataclass(frozen=True)
class Spoken:
    """One way to say a sentence, with the cost of lexicon and silences."""

    words: tuple[str, ...]
    phones: tuple[int, ...]
    cost: float


def ways_to_say(toy: Toy, words: tuple[str, ...], silence: float) -> Iterator[Spoken]:
    """All pronunciations, with and without silence at the start and after each word."""
    silent = [(False, -log(1 - silence))] + ([(True, -log(silence))] if silence else [])
    for entries in product(*(toy.lexicon[word] for word in words)):
        for pauses in product(silent, repeat=len(words) + 1):
            phones = [1] if pauses[0][0] else []
            for entry, (pause, _) in zip(entries, pauses[1:], strict=True):
                phones += toy.phones.word_phones(entry.phones)
                phones += [1] if pause else []
            cost = sum(-log(entry.probability) for entry in entries)
            yield Spoken(words, tuple(phones), cost + sum(cost for _, cost in pauses))


def lm_cost(model: NgramModel, words: tuple[str, ...]) -> float:
    lm = EpsilonBackoffModel(model)
    state, cost = lm.start(), 0.0
    for word in words:
        log_prob, state = lm.score(state, word)
        cost -= log_prob
    return cost - lm.final(state)


def forward_paths(toy: Toy, phones: tuple[int, ...], most: int) -> Iterator[tuple[int, ...]]:
    """Transition-ids of all ways through the phones' HMMs without self-loops, up to a length."""
    contexts = list(zip([0, *phones], phones, [*phones[1:], 0], strict=False))

    def walk(index: int, state: int, path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if index == len(contexts):
            yield path
            return
        if len(path) == most:
            return
        phone = contexts[index][1]
        pdf = toy.tree.pdfs(*contexts[index])[state]
        states = toy.transitions.topology.states(phone)
        for arc, (to, _) in enumerate(states[state].transitions):
            if to != state:
                longer = (*path, toy.transitions.transition_id(phone, state, pdf, arc))
                if to == len(states):
                    yield from walk(index + 1, 0, longer)
                else:
                    yield from walk(index, to, longer)

    return walk(0, 0, ())


def random_path(toy: Toy, phones: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
    """Transition-ids of one way through the phones' HMMs, staying in states at random."""
    path: list[int] = []
    for context in zip([0, *phones], phones, [*phones[1:], 0], strict=False):
        states = toy.transitions.topology.states(context[1])
        pdfs = toy.tree.pdfs(*context)
        state = 0
        while state < len(states):
            arcs = [i for i, (to, _) in enumerate(states[state].transitions) if to != state]
            arc = arcs[int(rng.integers(len(arcs)))]
            tid = toy.transitions.transition_id(context[1], state, pdfs[state], arc)
            # The stays follow the forward transition.
            loop = int(toy.transitions.self_loop[tid])
            path += [tid] + [loop] * int(rng.integers(0, 3) if loop else 0)
            state = states[state].transitions[arc][0]
    return tuple(path)


def path_cost(fst: FstArrays, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> float:
    """Cost of the best path with exactly these labels, inf if there is none."""
    offsets = fst.offsets.tolist()
    arcs = list(
        zip(
            fst.ilabels.tolist(),
            fst.olabels.tolist(),
            fst.costs.astype(np.float64).tolist(),
            fst.next_states.tolist(),
            strict=True,
        )
    )
    best: dict[tuple[int, int], float] = {(fst.start, 0): 0.0}  # (state, outputs so far)
    for position in range(len(inputs) + 1):
        work = list(best)
        while work:  # arcs without input label; there is no cycle of them
            state, said = key = work.pop()
            for ilabel, olabel, cost, to in arcs[offsets[state] : offsets[state + 1]]:
                if ilabel or (olabel and outputs[said : said + 1] != (olabel,)):
                    continue
                after = (to, said + (olabel > 0))
                if best[key] + cost < best.get(after, inf):
                    best[after] = best[key] + cost
                    work.append(after)
        if position == len(inputs):
            break
        following: dict[tuple[int, int], float] = {}
        for (state, said), sum_ in best.items():
            for ilabel, olabel, cost, to in arcs[offsets[state] : offsets[state + 1]]:
                if ilabel != inputs[position]:
                    continue
                if olabel and outputs[said : said + 1] != (olabel,):
                    continue
                after = (to, said + (olabel > 0))
                following[after] = min(following.get(after, inf), sum_ + cost)
        best = following
    finals = fst.final_costs.astype(np.float64)
    return min((c + finals[s] for (s, n), c in best.items() if n == len(outputs)), default=inf)


def all_paths(
    fst: FstArrays, most: int, skip: frozenset[int] = frozenset()
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], float]:
    """Best cost of each pair of label sequences of at most so many inputs, some labels avoided."""
    offsets = fst.offsets.tolist()
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    stack = [(fst.start, (), (), 0.0)]  # type: ignore[var-annotated]
    while stack:
        state, inputs, outputs, cost = stack.pop()
        final = float(fst.final_costs[state])
        if final < inf:
            found[inputs, outputs] = min(found.get((inputs, outputs), inf), cost + final)
        for arc in range(offsets[state], offsets[state + 1]):
            ilabel, olabel = int(fst.ilabels[arc]), int(fst.olabels[arc])
            if ilabel in skip or (ilabel and len(inputs) == most):
                continue
            stack.append(
                (
                    int(fst.next_states[arc]),
                    inputs + ((ilabel,) if ilabel else ()),
                    outputs + ((olabel,) if olabel else ()),
                    cost + float(fst.costs[arc]),
                )
            )
    return found


def approx(cost: float, terms: int = 100) -> object:
    """Equal but for the rounding of each of so many costs to the grid, and float32."""
    return pytest.approx(cost, abs=terms * 2.0**-15 + 1e-5 * abs(cost))
