"""States in context from phone segments in seconds, whoever aligned them, and transition counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE, PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import FrameContexts, phone_begins
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.phone_map import without_position
from recognizer.data.errors import SpeechError

IntArray = npt.NDArray[np.int32]


def segment_contexts(
    alignment: Alignment,
    phones: PhoneTable,
    topology: Topology,
    num_frames: int,
    frame_shift: float,
) -> FrameContexts:
    """The state of each frame when every phone segment is cut into its states evenly.

    Word positions come from the words' times; time that no word covers is silence, whatever the
    aligner calls it. Without words, phones keep the position that their names say (AH_B), are
    inside a word (AH_I) where the names say none, and time without phones is silence. A phone of
    fewer frames than its HMM has states (an aligner with another topology may make them) keeps its
    first states.

    Args:
        alignment: words and base phones, in seconds.
        phones: the phone table.
        topology: gives the number of states of each phone.
        num_frames: frames of the features T.
        frame_shift: seconds per frame.

    Raises:
        SpeechError: a phone that the table lacks, or no phone of speech.
    """
    ids: list[int] = []
    starts: list[int] = []
    reached = 0
    for segment, position in _positioned(alignment):
        begin = max(min(round(segment.start / frame_shift), num_frames), reached)
        end = min(round(segment.end / frame_shift), num_frames)
        if end <= begin:
            continue
        if begin > reached:
            ids.append(phones.optional_silence)
            starts.append(reached)
        ids.append(phones.id(f"{segment.label}_{position}"))
        starts.append(begin)
        reached = end
    if not ids:
        place = " inside words" if alignment.words else ""
        raise SpeechError(f"{alignment.utterance}: expected phones of speech{place}, found none")
    if reached < num_frames:
        ids.append(phones.optional_silence)
        starts.append(reached)
    instances = np.asarray(ids, np.int32)
    lengths = np.diff(starts, append=num_frames)
    edge = np.zeros(1, np.int32)
    states = [
        _even_states(topology.num_states(phone), int(length))
        for phone, length in zip(ids, lengths, strict=True)
    ]
    return FrameContexts(
        left=np.repeat(np.concatenate([edge, instances[:-1]]), lengths),
        phone=np.repeat(instances, lengths),
        right=np.repeat(np.concatenate([instances[1:], edge]), lengths),
        hmm_state=np.concatenate(states),
    )


def base_phones(alignment: Alignment) -> set[str]:
    """The base phones of an alignment, those of silence and noise among them."""
    return {without_position(segment.label) for segment in alignment.phones}


def transition_counts(
    contexts: FrameContexts, pdfs: IntArray, model: TransitionModel
) -> npt.NDArray[np.float64]:
    """How often an utterance takes each transition-id ``[num_transition_ids + 1]``.

    Args:
        contexts: the state of each frame.
        pdfs: their pdf-ids ``[T]`` under the model's tree.
        model: topology and (phone, state, pdf) tuples; its probabilities do not matter. Arcs that
            its topology lacks (a phone cut short) are not counted.
    """
    phone, state = contexts.phone, contexts.hmm_state
    begins = phone_begins(contexts)
    final = -1
    target = np.append(state[1:], final)
    target[:-1][begins[1:]] = final
    keys, number = np.unique(np.stack([phone, state, pdfs, target]), axis=1, return_counts=True)
    counts = np.zeros(model.num_transition_ids + 1)
    for (p, s, pdf, to), n in zip(keys.T.tolist(), number.tolist(), strict=True):
        states = model.topology.states(p)
        destinations = [destination for destination, _ in states[s].transitions]
        wanted = len(states) if to == final else to
        if wanted in destinations:
            counts[model.transition_id(p, s, pdf, destinations.index(wanted))] += n
    return counts


def _even_states(num_states: int, num_frames: int) -> IntArray:
    if num_frames < num_states:
        return np.arange(num_frames, dtype=np.int32)
    return (np.arange(num_frames) * num_states // num_frames).astype(np.int32)


def _positioned(alignment: Alignment) -> list[tuple[Segment, str]]:
    """The phone segments of speech, called after their base phones, each with its word position."""
    result: list[tuple[Segment, str]] = []

    def add(segment: Segment, position: str) -> None:
        base = without_position(segment.label)
        if base != SILENCE:
            # Spoken noise has one variant only.
            place = "S" if base == SPOKEN_NOISE else position or segment.label[len(base) + 1 :]
            result.append((replace(segment, label=base), place or "I"))

    if not alignment.words:
        for phone in alignment.phones:
            add(phone, "")
        return result
    inside: list[list[Segment]] = [[] for _ in alignment.words]
    word = 0
    for phone in alignment.phones:
        middle = (phone.start + phone.end) / 2
        while word < len(alignment.words) and alignment.words[word].end <= middle:
            word += 1
        if word == len(alignment.words):
            break
        if phone.label != SILENCE and alignment.words[word].start <= middle:
            inside[word].append(phone)
    for members in inside:
        last = len(members) - 1
        for i, phone in enumerate(members):
            add(phone, "S" if last == 0 else "B" if i == 0 else "E" if i == last else "I")
    return result
