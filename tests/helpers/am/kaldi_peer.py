"""Asks kaldi-hmm-gmm about a tree and a topology; runs in a Python that has it, alone.

    python kaldi_peer.py TREE TOPOLOGY

TREE is a binary tree file and TOPOLOGY a text one. Prints JSON: `ids`, a list of [phone, HMM state,
pdf, transition-state, self-loop, final, log probability] by transition-id from 1; `pdfs`, the pdf
(or null) of every context of the phones and 0, in lexical order, and of every pdf-class of its
central phone; `num_pdfs`.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any


def load(tree: Path, topology: Path) -> tuple[Any, Any, Any]:
    """The peer's tree, topology and transition model."""
    import kaldi_hmm_gmm as peer

    topo = peer.HmmTopology()
    topo.read(topology.read_text())
    raw = tree.read_bytes()
    assert raw[:2] == b"\0B"
    context = peer.ContextDependency.__new__(peer.ContextDependency)
    # The one way to read a tree that the peer's Python has: it pickles what Kaldi would write.
    context.__setstate__(([byte - 256 if byte > 127 else byte for byte in raw[2:]],))
    return context, topo, peer.TransitionModel(context, topo)


def describe(context: Any, topo: Any, model: Any) -> dict[str, Any]:
    """What the module's documentation says."""
    tuples = model.tuples
    ids = []
    for tid in range(1, model.num_transition_ids + 1):
        state = model.id2state[tid]
        phone, hmm_state, *_ = tuples[state - 1].__getstate__()
        ids.append(
            [
                phone, hmm_state, model.transition_id_to_pdf(tid), state,
                model.is_self_loop(tid), model.is_final(tid), float(model.log_probs[tid]),
            ]
        )  # fmt: skip
    pdfs = []
    phones = [0, *topo.phones]
    for triple in itertools.product(phones, repeat=context.context_width):
        centre = triple[context.central_position]
        for pdf_class in range(topo.num_pdf_classes(centre) if centre else 0):
            found, pdf = context.compute(list(triple), pdf_class)
            pdfs.append(pdf if found else None)
    return {"ids": ids, "pdfs": pdfs, "num_pdfs": context.num_pdfs}


if __name__ == "__main__":
    json.dump(describe(*load(Path(sys.argv[1]), Path(sys.argv[2]))), sys.stdout)
