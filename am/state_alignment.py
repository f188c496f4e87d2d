"""Frame-by-frame phones and HMM states of an utterance: what training labels are made from.

An alignment may come from anywhere (our own transition-ids, phone segments of a TextGrid or CTM).
All become a `StateAlignment`, from which the tree's statistics, the network's labels and the
transition counts of a new model are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from am.phones import PhoneTable
from am.topology import Topology
from am.transitions import TransitionModel
from am.tree import Tree
from data.alignment import Alignment, Segment
from data.errors import SpeechError

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class StateAlignment:
    """Phone and HMM state of each frame of one utterance.

    Attributes:
        phones: phone id (with word position) of each phone instance ``[P]``, in order.
        starts: first frame of each phone instance ``[P]``; the first is 0.
        states: HMM state of each frame ``[T]``.
    """

    phones: IntArray
    starts: IntArray
    states: IntArray

    def __post_init__(self) -> None:
        if len(self.phones) != len(self.starts) or len(self.phones) == 0:
            raise SpeechError(
                f"state alignment: expected as many starts as phones and at least one, "
                f"found {len(self.starts)} and {len(self.phones)}"
            )
        if self.starts[0] != 0 or np.any(np.diff(self.starts, append=len(self.states)) <= 0):
            raise SpeechError("state alignment: expected rising phone starts from frame 0")

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return len(self.states)

    @property
    def durations(self) -> IntArray:
        """Frames of each phone instance ``[P]``."""
        return np.diff(self.starts, append=self.num_frames).astype(np.int32)

    def contexts(self) -> tuple[IntArray, IntArray, IntArray]:
        """Left phone, phone and right phone of each instance ``[P]``; 0 beyond the edges."""
        left = np.concatenate(([0], self.phones[:-1])).astype(np.int32)
        right = np.concatenate((self.phones[1:], [0])).astype(np.int32)
        return left, self.phones, right

    def pdf_labels(self, tree: Tree) -> IntArray:
        """The pdf-id of each frame ``[T]`` under a tree."""
        pdfs = [
            tree.pdfs(int(left), int(phone), int(right))
            for left, phone, right in zip(*self.contexts(), strict=True)
        ]
        labels = np.empty(self.num_frames, np.int32)
        bounds = [*self.starts.tolist(), self.num_frames]
        for i, table in enumerate(pdfs):
            frames = slice(bounds[i], bounds[i + 1])
            labels[frames] = np.asarray(table, np.int32)[self.states[frames]]
        return labels

    def time_scaled(self, speed: float, num_frames: int) -> StateAlignment:
        """The alignment of the same utterance played ``speed`` times as fast.

        Speed perturbation scales time exactly, so frame t of the result is frame ``t * speed``
        of this one. A phone may vanish only if it was shorter than ``speed`` frames.

        Args:
            speed: factor that the audio was sped up by.
            num_frames: frames of the perturbed features, about ``num_frames / speed``.
        """
        sources = np.minimum((np.arange(num_frames) * speed).astype(np.int64), self.num_frames - 1)
        instance = np.searchsorted(self.starts, sources, side="right") - 1
        starts = np.flatnonzero(np.diff(instance, prepend=-1)).astype(np.int32)
        return StateAlignment(self.phones[instance[starts]], starts, self.states[sources])


def from_transition_ids(tids: npt.NDArray[np.integer], model: TransitionModel) -> StateAlignment:
    """Read a path of transition-ids ``[T]`` (Kaldi's reordered form, see `TransitionModel`).

    Raises:
        SpeechError: the path does not begin with the start of a phone.
    """
    states = model.hmm_state[tids].astype(np.int32)
    enters = ~model.is_self_loop[tids] & (states == 0)
    starts = np.flatnonzero(enters).astype(np.int32)
    if not len(starts) or starts[0] != 0:
        raise SpeechError("transition-ids: expected a path from the start of a phone")
    return StateAlignment(model.phone[tids[starts]].astype(np.int32), starts, states)


def from_segments(
    alignment: Alignment,
    phones: PhoneTable,
    topology: Topology,
    num_frames: int,
    frame_shift: float,
) -> StateAlignment:
    """Frame states from word and phone segments, each phone cut into its states evenly.

    Word positions come from the words' times; time that no phone covers is silence. A phone of
    fewer frames than its HMM has states (an aligner with another topology may make them) keeps
    its first states.

    Args:
        alignment: segments in seconds; phones are base phones.
        phones: the phone table.
        topology: gives the number of states of each phone.
        num_frames: frames of the features T.
        frame_shift: seconds per frame.

    Raises:
        SpeechError: an unknown phone, or no phone at all.
    """
    ids: list[int] = []
    starts: list[int] = []
    end_before = 0
    for segment, position in _positioned(alignment):
        begin = min(round(segment.start / frame_shift), num_frames)
        end = min(round(segment.end / frame_shift), num_frames)
        begin = max(begin, end_before)
        if end <= begin:
            continue
        if begin > end_before:
            ids.append(phones.optional_silence)
            starts.append(end_before)
        ids.append(phones.id(segment.label + position))
        starts.append(begin)
        end_before = end
    if not ids:
        raise SpeechError(f"{alignment.utterance}: expected phone segments, found none")
    if end_before < num_frames:
        ids.append(phones.optional_silence)
        starts.append(end_before)
    bounds = [*starts, num_frames]
    states = np.concatenate(
        [_even_states(topology.num_states(p), bounds[i + 1] - bounds[i]) for i, p in enumerate(ids)]
    )
    return StateAlignment(np.asarray(ids, np.int32), np.asarray(starts, np.int32), states)


def transition_counts(
    alignments: Sequence[StateAlignment], labels: Sequence[IntArray], model: TransitionModel
) -> npt.NDArray[np.float64]:
    """How often each transition-id of ``model`` is taken ``[num_transition_ids + 1]``.

    Args:
        alignments: utterances.
        labels: their pdf-ids under the model's tree.
        model: topology and (phone, state, pdf) tuples; its probabilities do not matter.
    """
    counts = np.zeros(model.num_transition_ids + 1)
    arcs: dict[tuple[int, int, int, int], int] = {}
    for alignment, pdfs in zip(alignments, labels, strict=True):
        T = alignment.num_frames
        instance = np.repeat(np.arange(len(alignment.phones)), alignment.durations)
        phones = alignment.phones[instance]
        # A state's visit ends where the next frame has another state or another phone instance.
        leaves = np.ones(T, bool)
        leaves[:-1] = (np.diff(instance) > 0) | (np.diff(alignment.states) != 0)
        following = np.full(T, -1)
        following[:-1] = np.where(np.diff(instance) > 0, -1, alignment.states[1:])
        target = np.where(leaves, following, alignment.states)
        keys, number = np.unique(
            np.stack([phones, alignment.states, pdfs, target]), axis=1, return_counts=True
        )
        for (phone, state, pdf, to), n in zip(keys.T.tolist(), number.tolist(), strict=True):
            key = (phone, state, pdf, to)
            if key not in arcs:
                arcs[key] = _arc(model, phone, state, pdf, to)
            if arcs[key]:
                counts[arcs[key]] += n
    return counts


def _arc(model: TransitionModel, phone: int, state: int, pdf: int, to: int) -> int:
    """The transition-id of an arc, or 0 where the topology lacks it (a cut-short phone)."""
    states = model.topology.states(phone)
    final = len(states)
    for index, (destination, _) in enumerate(states[state].transitions):
        if destination == (final if to < 0 else to):
            return model.transition_id(phone, state, pdf, index)
    return 0


def _even_states(num_states: int, num_frames: int) -> IntArray:
    if num_frames < num_states:
        return np.arange(num_frames, dtype=np.int32)
    return (np.arange(num_frames) * num_states // num_frames).astype(np.int32)


def _positioned(alignment: Alignment) -> list[tuple[Segment, str]]:
    """Each phone segment with its word-position suffix: ``_B _I _E _S``, nothing for silence."""
    result: list[tuple[Segment, str]] = []
    inside: list[list[int]] = [[] for _ in alignment.words]
    word = 0
    for i, phone in enumerate(alignment.phones):
        middle = (phone.start + phone.end) / 2
        while word < len(alignment.words) and alignment.words[word].end <= middle:
            word += 1
        if word < len(alignment.words) and alignment.words[word].start <= middle:
            inside[word].append(i)
    positions = [""] * len(alignment.phones)
    for members in inside:
        for i in members:
            positions[i] = "_I"
        if members:
            positions[members[0]], positions[members[-1]] = "_B", "_E"
            if len(members) == 1:
                positions[members[0]] = "_S"
    for phone, position in zip(alignment.phones, positions, strict=True):
        if phone.label == "SIL" or not position:
            continue  # time outside words is silence, whatever the aligner calls it
        result.append((phone, position))
    return result
