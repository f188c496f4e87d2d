"""Phones without words: the likeliest path through a phone language model.

For networks that are trained with lattice-free MMI (Povey et al. 2016, "Purely sequence-trained
neural networks for ASR based on lattice-free MMI"). Their scores mean something only beside the
phone language model that they were trained against, and in the phones' left contexts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.phone_hmm import phone_hmm
from recognizer.lm.estimation.acceptor import NgramAcceptor


class PhoneRecognizer:
    """Finds the likeliest phones of an utterance, by Viterbi's algorithm and without a beam.

    A state is one of the language model's with the pdf of a phone's further frames: the first frame
    of a phone takes the one pdf of the chain topology, and each further frame the other. The
    topology gives 0.5 to every frame of every path, which no choice depends on.

    Args:
        model: of phone ids.
        tree: of left biphones, for the states of `Topology.chain`.
    """

    def __init__(self, model: NgramAcceptor, tree: Tree) -> None:
        def pdfs_of(left: int, phone: int) -> tuple[int, int]:
            first, further = tree.pdfs(left, phone, 0)
            return int(first), int(further)

        hmm = phone_hmm(model, pdfs_of)
        order = np.argsort(hmm.destinations, kind="stable")
        self._destinations, self._sources, self._pdfs, self._phones = (
            arcs[order] for arcs in (hmm.destinations, hmm.sources, hmm.pdfs, hmm.phones)
        )
        self._log_probs = hmm.log_probs[order].astype(np.float32)
        # Arcs into the same state stand side by side.
        self._reached, self._begins, counts = np.unique(
            self._destinations, return_index=True, return_counts=True
        )
        self._group = np.repeat(np.arange(len(counts)), counts)
        self._finals = hmm.final_log_probs

    def phones(self, scores: npt.NDArray[np.float32]) -> tuple[int, ...]:
        """The phones of the likeliest path.

        Args:
            scores: of the pdfs, natural log after the acoustic scale, float32 ``[T, P]``.

        Raises:
            SpeechError: no path is as short as that.
        """
        current = np.full(len(self._finals), -np.inf, dtype=np.float32)
        current[0] = 0.0
        arcs = np.empty((len(scores), len(current)), dtype=np.int32)  # the best into each state
        for row, frame in zip(arcs, scores, strict=True):
            candidates = current[self._sources] + self._log_probs + frame[self._pdfs]
            best = np.maximum.reduceat(candidates, self._begins)
            hits = np.flatnonzero(candidates == best[self._group])
            row[self._destinations[hits]] = hits
            current.fill(-np.inf)
            current[self._reached] = best
        state = int(np.argmax(current + self._finals))
        if not np.isfinite(current[state] + self._finals[state]):
            raise SpeechError(f"expected more than {len(scores)} frames for the phones of a path")
        found: list[int] = []
        for row in arcs[::-1]:
            arc = row[state]
            if self._phones[arc]:
                found.append(int(self._phones[arc]))
            state = int(self._sources[arc])
        return tuple(found[::-1])
