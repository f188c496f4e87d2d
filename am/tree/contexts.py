"""Alignments seen as phones in context: what the tree's statistics and new alignments need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class FrameContexts:
    """The context-dependent state of each frame; every array is int32 `[T]`.

    Attributes:
        left: phone before, 0 at the start of the utterance.
        phone: the frame's phone.
        right: phone after, 0 at the end of the utterance.
        hmm_state: the frame's HMM state.
    """

    left: IntArray
    phone: IntArray
    right: IntArray
    hmm_state: IntArray


def frame_contexts(transition_ids: npt.ArrayLike, transitions: TransitionModel) -> FrameContexts:
    """Reads the phones of an alignment, with their neighbours, off its transition-ids.

    Silence counts as a neighbour like any phone.

    Args:
        transition_ids: `[T]`, one whole utterance.
        transitions: the model whose transition-ids these are.

    Raises:
        SpeechError: if the ids are no sequence of phones of this model.
    """
    ids = transitions.checked_ids(transition_ids)
    starts = transitions.phone_starts(ids)
    phones = transitions.phone[ids[starts]]
    lengths = np.diff(np.append(starts, len(ids)))
    phone = np.repeat(phones, lengths)
    if not np.array_equal(phone, transitions.phone[ids]):
        frame = int(np.flatnonzero(phone != transitions.phone[ids])[0])
        raise SpeechError(
            f"alignment: frame {frame}: expected phone {phone[frame]} to go on, "
            f"found the middle of phone {transitions.phone[ids[frame]]}"
        )
    edge = np.zeros(1, dtype=np.int32)
    left = np.repeat(np.concatenate([edge, phones])[: len(phones)], lengths)
    right = np.repeat(np.concatenate([phones, edge])[1:], lengths)
    return FrameContexts(left, phone, right, transitions.hmm_state[ids])


def phone_begins(contexts: FrameContexts) -> npt.NDArray[np.bool_]:
    """The frames in which a phone begins ``[T]``.

    State 0 is never re-entered, so a phone begins where the phone changes or state 0 returns. A
    phone of which only the state 0 is left, twice in a row, cannot be told from one phone.
    """
    phone, state = contexts.phone, contexts.hmm_state
    begins: npt.NDArray[np.bool_] = np.diff(phone, prepend=-1) != 0
    begins[1:] |= (state[1:] == 0) & (state[:-1] != 0)
    return begins


def chain_contexts(contexts: FrameContexts, subsampling: int, first: int = 0) -> FrameContexts:
    """Every n-th frame of an alignment, with the states of `Topology.chain`.

    The first frame that a phone keeps is in state 0, further ones are in state 1. A phone that
    keeps none is gone, but its neighbours still have it for their context.

    Args:
        contexts: of each frame ``[T]``, with any topology.
        subsampling: n.
        first: the first frame that is kept, below n.

    Returns:
        The contexts of frames ``first``, ``first + n``, ... .
    """
    number = np.cumsum(phone_begins(contexts))[first::subsampling]
    return FrameContexts(
        contexts.left[first::subsampling],
        contexts.phone[first::subsampling],
        contexts.right[first::subsampling],
        (np.diff(number, prepend=-1) == 0).astype(np.int32),
    )


def frame_pdfs(contexts: FrameContexts, tree: Tree) -> IntArray:
    """The pdf-id that a tree gives to each frame, int32 `[T]`."""
    return tree.lookup(contexts.left, contexts.phone, contexts.right, contexts.hmm_state)


def convert_alignment(
    transition_ids: npt.ArrayLike, old: TransitionModel, new: TransitionModel, tree: Tree
) -> IntArray:
    """Renames an alignment for another tree, frame by frame, as Kaldi's `convert-ali`.

    Args:
        transition_ids: `[T]`, of the model `old`.
        old: the model that made the alignment.
        new: the model to convert to, with the same phones and topology.
        tree: the tree of `new`.

    Returns:
        int32 `[T]`, transition-ids of `new` for the same phones, states and arcs.

    Raises:
        SpeechError: if the models differ in phones or topology.
    """
    if old.topology != new.topology or old.phones != new.phones:
        raise SpeechError("convert_alignment: expected two models of one topology and phone table")
    ids = old.checked_ids(transition_ids)
    contexts = frame_contexts(ids, old)
    pdfs = frame_pdfs(contexts, tree)
    keys = np.stack([contexts.phone, contexts.hmm_state, pdfs, old.arc[ids]], axis=1)
    distinct, where = np.unique(keys, axis=0, return_inverse=True)
    renamed = np.array([new.transition_id(*map(int, key)) for key in distinct], dtype=np.int32)
    return renamed[where.reshape(-1)] if len(ids) else np.zeros(0, dtype=np.int32)
