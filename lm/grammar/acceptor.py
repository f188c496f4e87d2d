"""A grammar's network made deterministic: one state after each beginning of a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.lm.grammar.network import COST_STEP, GrammarNetwork

# Derivations of the same beginning are at most so much worse than its best one. Where repetitions
# with different weights compete, there would be no end to the differences, and no acceptor.
_MAX_DIFFERENCE = round(32.0 / COST_STEP)
_MAX_GROWTH = 20
_FEW_STATES = 10_000


@dataclass(frozen=True, eq=False)
class Acceptor:
    """A deterministic weighted acceptor; state 0 is the start.

    The cost of a sentence is that of its cheapest derivation, natural log; less where, at some word
    of it, another derivation of the words so far was cheaper by more than 32. From every state a
    final one can be reached.

    Attributes:
        words: the words of labels.
        offsets: int64 ``[S + 1]``: the arcs of state s are ``offsets[s]:offsets[s + 1]``.
        labels: int32 ``[A]``: the arcs' words, ascending in each state.
        costs: float32 ``[A]``.
        next_states: int32 ``[A]``.
        final_costs: float32 ``[S]``, inf where no sentence ends.
    """

    words: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int32]
    costs: npt.NDArray[np.float32]
    next_states: npt.NDArray[np.int32]
    final_costs: npt.NDArray[np.float32]

    @property
    def num_states(self) -> int:
        """Number of states S."""
        return len(self.final_costs)


def determinize(network: GrammarNetwork, source: str) -> Acceptor:
    """The deterministic acceptor of a network, in the tropical semiring.

    As Mohri, "Finite-state transducers in language and speech processing", 1997, section 3.3. It is
    not minimised: the search meets only the states of what was said so far.

    Args:
        network: of a grammar.
        source: the grammar's file, for messages.

    Raises:
        SpeechError: it has too many states.
    """
    words = sorted({arc.word for arcs in network.words for arc in arcs})
    label_of = {word: label for label, word in enumerate(words)}
    limit = _FEW_STATES + _MAX_GROWTH * len(network.words)
    start = {one.state: one.cost for one in network.nearest(network.start)}
    subsets = [start]
    numbers = {tuple(sorted(start.items())): 0}
    offsets, labels, costs, targets, finals = [0], [], [], [], []
    for subset in subsets:  # grows
        following: dict[int, dict[int, int]] = {}
        for state, cost in subset.items():
            for arc in network.words[state]:
                if not network.useful[arc.next]:
                    continue
                after = following.setdefault(label_of[arc.word], {})
                for one in network.nearest(arc.next):
                    total = cost + arc.cost + one.cost
                    if total < after.get(one.state, total + 1):
                        after[one.state] = total
        for label in sorted(following):
            after = following[label]
            lowest = min(after.values())
            rest = {state: min(cost - lowest, _MAX_DIFFERENCE) for state, cost in after.items()}
            number = numbers.setdefault(tuple(sorted(rest.items())), len(subsets))
            if number == len(subsets):
                subsets.append(rest)
                if number == limit:
                    raise SpeechError(
                        f"{source}: expected a grammar that is less ambiguous: found more than "
                        f"{limit} different beginnings of sentences"
                    )
            labels.append(label)
            costs.append(lowest)
            targets.append(number)
        offsets.append(len(labels))
        final = subset.get(network.final)
        finals.append(np.inf if final is None else final * COST_STEP)
    return Acceptor(
        tuple(words),
        np.array(offsets, np.int64),
        np.array(labels, np.int32),
        (np.array(costs, np.float64) * COST_STEP).astype(np.float32),
        np.array(targets, np.int32),
        np.array(finals, np.float32),
    )
