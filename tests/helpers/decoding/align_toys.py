"""A little world for alignment, so small that all paths can be listed."""

from __future__ import annotations

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
