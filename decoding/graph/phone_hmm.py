"""A phone language model expanded into an HMM of pdfs, for the two states of `Topology.chain`.

As Kaldi's `chain-make-den-fst` does: the arcs of a phone n-gram model without back-off get the pdfs
of phones after their left neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.lm.estimation.acceptor import NgramAcceptor


@dataclass(frozen=True, eq=False)
class PhoneHmm:
    """States that say which phone a path is in, after its first frame; state 0 is the start.

    A self-loop takes the pdf of a phone's further frames, and an arc for each phone that may follow
    takes the pdf of that phone's first frame.

    Attributes:
        sources: of the arcs, int32 ``[A]``, ascending; a state's self-loop comes first.
        destinations: of the arcs, int32 ``[A]``.
        pdfs: of the arcs, int32 ``[A]``.
        phones: that begin with the arcs, int32 ``[A]``; 0 for self-loops.
        log_probs: of the language model, natural log, float64 ``[A]``; 0 for self-loops.
        final_log_probs: of the states, natural log, float64 ``[S]``.
    """

    sources: npt.NDArray[np.int32]
    destinations: npt.NDArray[np.int32]
    pdfs: npt.NDArray[np.int32]
    phones: npt.NDArray[np.int32]
    log_probs: npt.NDArray[np.float64]
    final_log_probs: npt.NDArray[np.float64]


def phone_hmm(model: NgramAcceptor, pdfs_of: Callable[[int, int], tuple[int, int]]) -> PhoneHmm:
    """Expand a phone language model.

    Args:
        model: of phone ids.
        pdfs_of: gives, for a left neighbour and a phone, the pdfs of the phone's first frame and of
            its further frames.
    """
    arcs_of: list[list[tuple[int, int, float]]] = [[] for _ in range(model.num_states)]
    for source, phone, destination, log_prob in zip(
        model.sources.tolist(), model.symbols.tolist(), model.destinations.tolist(),
        model.log_probs.tolist(), strict=True,
    ):  # fmt: skip
        arcs_of[source].append((phone, destination, log_prob))
    # A state is one of the model's with the pdf of its self-loop, -1 in the start.
    number = {(model.start, -1): 0}
    states = [(model.start, -1)]
    rows: list[tuple[int, int, int, int]] = []
    log_probs: list[float] = []
    for index, (known, loop) in enumerate(states):  # which grows on the way
        if loop >= 0:
            rows.append((index, index, loop, 0))
            log_probs.append(0.0)
        left = int(model.last_symbols[known])
        for phone, destination, log_prob in arcs_of[known]:
            first, further = pdfs_of(left, phone)
            key = (destination, further)
            if key not in number:
                number[key] = len(states)
                states.append(key)
            rows.append((index, number[key], first, phone))
            log_probs.append(log_prob)
    sources, destinations, pdfs, phones = np.array(rows, dtype=np.int32).T.copy()
    return PhoneHmm(
        sources,
        destinations,
        pdfs,
        phones,
        np.array(log_probs),
        model.final_log_probs[[known for known, _ in states]],
    )
