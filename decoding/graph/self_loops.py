"""Self-loops of HMM states and the costs of transitions, put on a graph that has neither.

As Kaldi's `add-self-loops --reorder=true`: the self-loop of an HMM state stands at the state of the
graph that its forward transition leads to. Where forward transitions of different HMM states meet,
the state is split, so that each copy has one self-loop.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.transitions import TransitionModel
from recognizer.decoding.graph.fst_arrays import FstArrays, IntArray

# A copy of a state repeats its arcs if they are few, which spares the search an epsilon arc;
# otherwise an epsilon arc leads to the state itself.
_MAX_REPEATED = 4


def add_self_loops(
    fst: FstArrays,
    transitions: TransitionModel,
    self_loop_scale: float,
    transition_scale: float,
) -> FstArrays:
    """Adds self-loops and the transition model's costs.

    Args:
        fst: input labels are forward transition-ids and epsilon.
        transitions: gives self-loops and probabilities.
        self_loop_scale: see `TransitionModel.scaled_log_probs`.
        transition_scale: likewise.
    """
    split = _split(fst, transitions.self_loop)
    fst, loop_of = split
    tid_costs = -transitions.scaled_log_probs(self_loop_scale, transition_scale)
    looping = np.flatnonzero(loop_of).astype(np.int32)
    loops = loop_of[looping]
    return FstArrays.from_arcs(
        # Last among its state's arcs, the order that Kaldi's graphs have.
        np.concatenate((fst.sources, looping)),
        np.concatenate((fst.ilabels, loops)),
        np.concatenate((fst.olabels, np.zeros_like(loops))),
        np.concatenate((fst.costs + tid_costs[fst.ilabels], tid_costs[loops])),
        np.concatenate((fst.next_states, looping)),
        fst.final_costs,
        start=fst.start,
    )


def _split(fst: FstArrays, self_loop: npt.NDArray[np.int32]) -> tuple[FstArrays, IntArray]:
    """Splits states so that all arcs into each of them ask for the same self-loop.

    Returns:
        The transducer, and for each state the transition-id of its self-loop, 0 for none.
    """
    wanted = self_loop[fst.ilabels].astype(np.int64)
    # Distinct (state, self-loop) pairs; the start state is also entered without a self-loop.
    width = int(wanted.max(initial=0)) + 1
    keys = np.append(fst.next_states * np.int64(width) + wanted, np.int64(fst.start * width))
    pairs, pair_of = np.unique(keys, return_inverse=True)
    states, loops = pairs // width, (pairs % width).astype(np.int32)
    # A state keeps its number for one of its pairs: that without self-loop, which sorts first, or,
    # where copies lead to it by an epsilon arc, for the way without self-loop in any case.
    leaving = np.bincount(fst.sources, minlength=fst.num_states)
    first = np.append(True, states[1:] != states[:-1])
    several = np.bincount(states, minlength=fst.num_states) > 1
    through_epsilon = several & (leaving > _MAX_REPEATED)
    stays = first & ~(through_epsilon[states] & (loops > 0))
    copies = np.flatnonzero(~stays)
    number = states.astype(np.int32)
    number[copies] = fst.num_states + np.arange(len(copies))
    loop_of = np.zeros(fst.num_states + len(copies), dtype=np.int32)
    loop_of[number] = loops

    targets = number[pair_of.reshape(-1)[:-1]]
    by_epsilon = copies[through_epsilon[states[copies]]]
    repeated = copies[~through_epsilon[states[copies]]]
    offsets = fst.offsets
    counts = leaving[states[repeated]]
    arcs = _ranges(offsets[states[repeated]], counts)
    finals = np.concatenate((fst.final_costs, np.full(len(copies), np.inf, dtype=np.float32)))
    finals[number[repeated]] = fst.final_costs[states[repeated]]
    zeros = np.zeros(len(by_epsilon), dtype=np.int32)
    result = FstArrays.from_arcs(
        np.concatenate((fst.sources, np.repeat(number[repeated], counts), number[by_epsilon])),
        np.concatenate((fst.ilabels, fst.ilabels[arcs], zeros)),
        np.concatenate((fst.olabels, fst.olabels[arcs], zeros)),
        np.concatenate((fst.costs, fst.costs[arcs], zeros.astype(np.float32))),
        np.concatenate((targets, targets[arcs], states[by_epsilon].astype(np.int32))),
        finals,
        start=fst.start,
    )
    return result, loop_of


def _ranges(starts: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers start, start + 1, ... of each range, one range after the other."""
    before = np.cumsum(counts) - counts
    result: npt.NDArray[np.int64] = np.repeat(starts - before, counts) + np.arange(counts.sum())
    return result
