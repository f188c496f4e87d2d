"""Kaldi's frame alignments: transition-ids of a `final.mdl` as phones and pdf-ids in time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from recognizer.am.kaldi.model import KaldiTransitions
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.errors import SpeechError
from recognizer.data.io.kaldi_archive import read_int_vectors

IntArray = npt.NDArray[np.int32]

FRAME_SHIFT = 0.01
"""Seconds from one frame to the next in Kaldi's usual recipes."""


def read_kaldi_alignments(
    path: str | os.PathLike[str],
    transitions: KaldiTransitions,
    phones: Mapping[int, str],
    *,
    frame_shift: float = FRAME_SHIFT,
    exclusions: Exclusions | None = None,
) -> Iterator[Alignment]:
    """Read an archive of alignments such as `ali.1.gz`, utterance by utterance.

    `phones` of an alignment are named by the table, with their word positions (AH_B); `states` are
    pdf-ids in decimal, one segment for each visit to an HMM state.

    Args:
        path: the archive.
        transitions: the model that the transition-ids are of.
        phones: names by phone id.
        frame_shift: seconds per frame of the alignment; three times the features' for chain models.
        exclusions: counts alignments that are none of this model instead of raising.

    Raises:
        SpeechError: an unreadable archive, an alignment that is none of this model.
    """
    for utterance, ids in read_int_vectors(path):
        try:
            alignment = kaldi_alignment(utterance, ids, transitions, phones, frame_shift)
        except SpeechError as error:
            exclude(exclusions, "alignments of another model", f"{os.fspath(path)}: {error}")
            continue
        yield alignment


def kaldi_alignment(
    utterance: str,
    transition_ids: IntArray,
    transitions: KaldiTransitions,
    phones: Mapping[int, str],
    frame_shift: float = FRAME_SHIFT,
) -> Alignment:
    """One utterance's transition-ids `[T]` as phones and pdf-ids in time.

    Raises:
        SpeechError: an id that the model lacks, a phone without a name, ids that are no sequence of
            whole phones.
    """
    ids = transition_ids
    most = transitions.num_transition_ids
    if ids.size and not (int(ids.min()) >= 1 and int(ids.max()) <= most):
        frame = int(np.flatnonzero((ids < 1) | (ids > most))[0])
        raise SpeechError(
            f"{utterance}: frame {frame}: expected a transition-id of 1..{most}, found {ids[frame]}"
        )
    starts = phone_starts(ids, transitions)
    number = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(ids))))
    phone = transitions.phone[ids]
    astray = np.flatnonzero(phone != phone[starts][number])
    if astray.size:
        raise SpeechError(
            f"{utterance}: frame {astray[0]}: expected phone {phone[starts][number[astray[0]]]} to "
            f"go on, found phone {phone[astray[0]]}"
        )
    unnamed = sorted(set(phone.tolist()) - set(phones))
    if unnamed:
        raise SpeechError(f"{utterance}: expected a name of each phone, found none of {unnamed[0]}")
    # Chain models have two pdfs in a state, so a visit to a state is not always one segment.
    state = transitions.transition_state[ids]
    pdf = transitions.pdf[ids]
    changes = np.stack([number, state, pdf])
    visits = np.flatnonzero((np.diff(changes, prepend=-1) != 0).any(axis=0))
    return Alignment(
        utterance,
        phones=_segments(
            starts, [phones[p] for p in phone[starts].tolist()], len(ids), frame_shift
        ),
        states=_segments(visits, list(map(str, pdf[visits].tolist())), len(ids), frame_shift),
    )


def phone_starts(transition_ids: IntArray, transitions: KaldiTransitions) -> IntArray:
    """First frames `[N]` of the phones in an alignment, as Kaldi's `SplitToPhones` finds them.

    Kaldi's alignments are usually reordered: a state's self-loops follow the arc out of it, and
    its phone goes on till they end. `_reordered` tells which of the two orders this is.
    """
    ids = transition_ids
    ends = transitions.ends_phone[ids]
    if _reordered(ids, transitions):
        # Each arc out of a state begins a visit to it; after a final one another phone begins.
        arcs = np.flatnonzero(~transitions.is_self_loop[ids])
        starts = arcs[1:][ends[arcs[:-1]]]
    else:
        starts = np.flatnonzero(ends[:-1]) + 1
    return np.append(np.zeros(min(len(ids), 1), np.int32), starts).astype(np.int32)


def _reordered(ids: IntArray, transitions: KaldiTransitions) -> bool:
    loops = transitions.is_self_loop[ids]
    state = transitions.transition_state[ids]
    change = np.flatnonzero(state[1:] != state[:-1])
    loop_last = loops[change]
    loop_first = loops[change + 1]
    decided = np.flatnonzero(loop_last | loop_first)
    if decided.size:
        return bool(loop_last[decided[0]])
    # No self-loop beside a change of state: the edges tell, as in Kaldi's IsReordered.
    return bool(len(ids) and loops[-1] and not loops[0])


def _segments(
    starts: npt.NDArray[np.integer], labels: list[str], frames: int, frame_shift: float
) -> tuple[Segment, ...]:
    edges = [round(frame * frame_shift, 6) for frame in (*starts.tolist(), frames)]
    return tuple(Segment(label, edges[i], edges[i + 1]) for i, label in enumerate(labels))
