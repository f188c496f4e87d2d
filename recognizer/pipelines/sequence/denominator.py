"""The denominator graph of lattice-free MMI, from phone sequences and a tree of left biphones.

As Kaldi's `chain-make-den-fst`: a phone n-gram model without back-off, its arcs expanded with the
pdfs that the tree gives to a phone after its left neighbour, in the two states of `Topology.chain`.
"""

from __future__ import annotations

from math import log

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.training.criteria.denominator_graph import DenominatorGraph
from recognizer.am.tree.decision_tree import RIGHT, Split, Tree
from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.phone_hmm import phone_hmm
from recognizer.lm.estimation.acceptor import NgramAcceptor

LOG_STEP = log(0.5)
"""What the chain topology gives to every frame of every path, whether a phone begins or goes on."""

_STEPS = 100  # frames over which the occupancy of states is averaged, as in Kaldi


class ChainPdfs:
    """The pdfs of phones after their left neighbours.

    Args:
        tree: of left biphones, for the states of `Topology.chain`.
        transitions: of the same tree; its probabilities must be the topology's, since every path
            of a denominator graph has them.

    Attributes:
        phones: the phone table.
        outputs: number of pdfs.

    Raises:
        SpeechError: a tree with questions about right neighbours, another topology, or transition
            probabilities that were estimated.
    """

    def __init__(self, tree: Tree, transitions: TransitionModel) -> None:
        if any(isinstance(node, Split) and node.position == RIGHT for node in tree.nodes):
            raise SpeechError(
                "denominator graph: expected a tree of left biphones (tree option right_context = "
                "false), found questions about the phone to the right"
            )
        if transitions.topology != Topology.chain(transitions.phones):
            raise SpeechError("denominator graph: expected the chain topology, found another")
        if not np.allclose(transitions.log_prob[1:], LOG_STEP):
            raise SpeechError(
                "denominator graph: expected the transition probabilities 0.5 of the chain "
                "topology, found others"
            )
        self._tree = tree
        self.phones = transitions.phones
        self._known: dict[tuple[int, int], tuple[int, int]] = {}
        self.outputs = transitions.num_pdfs

    def of(self, left: int, phone: int) -> tuple[int, int]:
        """The pdfs of a phone's first frame and of its further frames."""
        known = self._known.get((left, phone))
        if known is None:
            first, further = self._tree.pdfs(left, phone, 0)
            known = self._known[left, phone] = (int(first), int(further))
        return known


def denominator_graph(model: NgramAcceptor, pdfs: ChainPdfs) -> DenominatorGraph:
    """Expand a phone language model into an HMM of pdfs, see `phone_hmm`.

    Args:
        model: of phone ids.
        pdfs: of phones in context.
    """
    hmm = phone_hmm(model, pdfs.of)
    log_probs = hmm.log_probs + LOG_STEP
    finals = hmm.final_log_probs + LOG_STEP
    return DenominatorGraph(
        hmm.sources,
        hmm.destinations,
        hmm.pdfs,
        log_probs.astype(np.float32),
        _occupancy(hmm.sources, hmm.destinations, np.exp(log_probs), np.exp(finals)),
        start=0,
        outputs=pdfs.outputs,
    )


def _occupancy(
    sources: npt.NDArray[np.int32],
    destinations: npt.NDArray[np.int32],
    probs: npt.NDArray[np.float64],
    finals: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """How probable each state is on average over the first frames after the start."""
    states = len(finals)
    totals = np.bincount(sources, probs, states) + finals
    shares = probs / totals[sources]
    current = np.zeros(states)
    current[0] = 1.0
    mean = np.zeros(states)
    for _ in range(_STEPS):
        mean += current / _STEPS
        moved = np.bincount(destinations, current[sources] * shares, states)
        current = moved / moved.sum()
    result: npt.NDArray[np.float32] = (mean / mean.sum()).astype(np.float32)
    return result
