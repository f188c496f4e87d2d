"""A little world for alignment, so small that all paths can be listed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import HmmState, Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Leaf, Split, Tree, monophone_tree
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.decoding.alignment.align import Aligner, AlignOptions
from recognizer.decoding.alignment.tolerance import Tolerance

PHONES = PhoneTable.from_base(["A", "B", "C"])
LEXICON = Lexicon(
    [
        Pronunciation("a", ("A",)),
        Pronunciation("ab", ("A", "B"), 1.0),
        Pronunciation("ab", ("C",), 0.25),
        Pronunciation("c", ("C",)),
    ]
)


SIL = 1


@dataclass(frozen=True)
class Item:
    """A phone of a path: in the context that the neighbours give, or of garbage, without any."""

    phone: int
    garbage: bool = False


BREAK = Item(0)  # a junction: what stands beside it is beside silence, as it were


def small_topology() -> Topology:
    """One state a phone, two for silence, the second of which may be left out."""
    return Topology(
        speech=(HmmState(((0, 0.5), (1, 0.5))),),
        silence=(HmmState(((0, 0.5), (1, 0.25), (2, 0.25))), HmmState(((1, 0.5), (2, 0.5)))),
        silence_phones=frozenset({1, 2}),
    )


def context_tree() -> Tree:
    """Asks for the left and the right neighbour, so that context across words matters."""
    flat = monophone_tree(PHONES, small_topology())
    nodes: list[Leaf | Split] = list(flat.nodes)
    roots = [list(states) for states in flat.roots]
    pdfs = flat.num_pdfs
    for base in ("A", "B", "C"):
        top = len(nodes)
        neighbours = frozenset({0, 1, *PHONES.variants("A")})
        leaf = flat.nodes[flat.roots[PHONES.variants(base)[0]][0]]
        assert isinstance(leaf, Leaf)
        nodes += [Split(0, neighbours, top + 1, top + 2), Split(2, neighbours, top + 3, top + 4)]
        nodes += [leaf, Leaf(pdfs), Leaf(pdfs + 1)]
        pdfs += 2
        for phone in PHONES.variants(base):
            roots[phone] = [top]
    used = sorted(
        {root for states in roots for root in states} | set(range(len(flat.nodes), len(nodes)))
    )
    number = {old: new for new, old in enumerate(used)}
    renumbered = [
        node
        if isinstance(node, Leaf)
        else Split(node.position, node.phones, number[node.yes], number[node.no])
        for node in (nodes[old] for old in used)
    ]
    return Tree(renumbered, [[number[root] for root in states] for states in roots])


def standard_aligner(
    tolerance: Tolerance | None = None, options: AlignOptions | None = None
) -> tuple[Aligner, TransitionModel]:
    """Kaldi's topology and no context."""
    topology = Topology.standard(PHONES)
    tree = monophone_tree(PHONES, topology)
    model = TransitionModel(topology, PHONES, tree.tuples())
    return Aligner(LEXICON, PHONES, tree, model, options, tolerance), model


def best_score(
    items: tuple[Item, ...], scores: np.ndarray, tree: Tree, model: TransitionModel
) -> float:
    """Viterbi over the HMM states of given items, state by state."""
    scaled = model.scaled_log_probs(0.1, 1.0)
    likelihoods = []  # per item: [state, T]
    first_tid = {}
    for tid in range(model.num_transition_ids, 0, -1):
        first_tid[int(model.phone[tid]), int(model.hmm_state[tid]), int(model.pdf[tid])] = tid
    for at, item in enumerate(items):
        if item == BREAK:
            continue
        if item.garbage:
            variants = PHONES.variants(PHONES.base(item.phone))
            rows = []
            for state in range(model.topology.num_states(item.phone)):
                pdfs = sorted({p for q, s, p in model.tuples if q in variants and s == state})
                rows.append((np.log(np.exp(scores[:, pdfs]).mean(axis=1)), pdfs[-1]))
            pdf_of = {s: p for q, s, p in model.tuples if q == item.phone}
            rows = [(row, pdf_of[state]) for state, (row, _) in enumerate(rows)]
        else:
            left = items[at - 1].phone if at else 0
            right = items[at + 1].phone if at + 1 < len(items) else 0
            left = SIL if at and items[at - 1] == BREAK else left
            right = SIL if at + 1 < len(items) and items[at + 1] == BREAK else right
            rows = [(scores[:, pdf], pdf) for pdf in tree.pdfs(left, item.phone, right)]
        likelihoods.append((item.phone, rows))
    frames = len(scores)
    totals = {0: 0.0}  # by frames taken so far
    for phone, rows in likelihoods:
        # best[state][t]: about to be in the state with t frames taken
        entering = {(0, t): value for t, value in totals.items()}
        totals = {}
        states = model.topology.states(phone)
        for state in range(len(states)):
            row, pdf = rows[state]
            base = first_tid[phone, state, pdf]
            arcs = states[state].transitions
            loop = [base + arc for arc, (to, _) in enumerate(arcs) if to == state]
            for t in range(frames):
                value = entering.get((state, t), -np.inf)
                for stay in range(frames - t) if loop else range(min(1, frames - t)):
                    taken = value + 0.5 * float(row[t : t + stay + 1].sum())
                    taken += stay * float(scaled[loop[0]]) if loop else 0.0
                    for arc, (to, _) in enumerate(arcs):
                        if to == state:
                            continue
                        total, end = taken + float(scaled[base + arc]), t + stay + 1
                        if to == len(states):
                            totals[end] = max(totals.get(end, -np.inf), total)
                        else:
                            key = (to, end)
                            entering[key] = max(entering.get(key, -np.inf), total)
    return totals.get(frames, -np.inf)
