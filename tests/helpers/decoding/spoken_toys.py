"""Lattices whose transition-ids are words of a small lexicon, for the times of words."""

from __future__ import annotations

import numpy as np

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import monophone_tree
from recognizer.decoding.lattice.assembly import FileArc, FileEnd, assemble_state_level
from recognizer.decoding.lattice.lattice import Lattice

PHONES = PhoneTable.from_base(["AH", "B", "T"])
TOPOLOGY = Topology.standard(PHONES)
TRANSITIONS = TransitionModel(TOPOLOGY, PHONES, monophone_tree(PHONES, TOPOLOGY).tuples())
WORDS = {"a": ["AH"], "but": ["B", "AH", "T"], "tub": ["T", "AH", "B"], "ta": ["T", "AH"]}
SYMBOLS = ("<eps>", *WORDS)


def tids_of(phone: int, lengths: list[int]) -> list[int]:
    """A visit of the phone: frames of its states in turn, forward transition first."""
    tids = []
    states = TOPOLOGY.states(phone)
    for state, length in enumerate(lengths):
        last = state + 1 == len(lengths)
        goal = len(states) if last and len(lengths) == len(states) else state + 1
        arcs = {to: arc for arc, (to, _) in enumerate(states[state].transitions)}
        found = [
            tid
            for tid in range(1, TRANSITIONS.num_transition_ids + 1)
            if TRANSITIONS.phone[tid] == phone and TRANSITIONS.hmm_state[tid] == state
        ]
        forward = next(tid for tid in found if TRANSITIONS.arc[tid] == arcs[goal])
        loop = next(tid for tid in found if TRANSITIONS.is_self_loop[tid])
        tids += [forward] + [loop] * (length - 1)
    return tids


def word_tids(word: str, frames: int) -> list[int]:
    """A word of so many frames, at least one for each of its phones' states."""
    phones = PHONES.word_phones(WORDS[word])
    states = [TOPOLOGY.num_states(phone) for phone in phones]
    spare = frames - sum(states)
    tids: list[int] = []
    for index, phone in enumerate(phones):
        lengths = [1] * states[index]
        lengths[-1] += spare if index + 1 == len(phones) else 0
        tids += tids_of(phone, lengths)
    return tids


def silence_tids(frames: int) -> list[int]:
    """Silence of so many frames."""
    states = TOPOLOGY.num_states(PHONES.optional_silence)
    return tids_of(PHONES.optional_silence, [1] * (states - 1) + [frames - states + 1])


def spoken_lattice(seed: int, label: int, *, words: int = 3) -> Lattice:
    """A lattice of alternative words, most of them after a silence, on common boundaries.

    Args:
        seed: of the random numbers.
        label: frame of its word on which a word's label stands; -1 is the last frame before the
            word, which may belong to the word before or to silence.
        words: words of each path.
    """
    rng = np.random.default_rng(seed)
    silence, longest = 8, 14
    arcs: list[FileArc] = []
    free = words + 2  # states 0 to words + 1 are the boundaries
    # A silence comes first, so that a label can stand before every word.
    arcs.append(FileArc(0, 1, 0, tids=tuple(silence_tids(silence))))
    rows: list[tuple[int, int, list[tuple[int, int, float]]]] = []
    for place in range(1, words + 1):
        for word in rng.choice(list(WORDS), int(rng.integers(1, 4)), replace=False).tolist():
            pause = int(rng.choice([0, 0, silence]))
            tids = silence_tids(pause) if pause else []
            tids += word_tids(word, longest + silence - pause)
            at = pause + label
            number = SYMBOLS.index(word)
            frames = [
                (tid, number if frame == at else 0, float(rng.normal(0.0, 1.0)))
                for frame, tid in enumerate(tids)
            ]
            early = number if at < 0 else 0
            rows.append((place, early, frames))
    for place, early, frames in rows:
        state = place
        if early:
            # The label stands on an arc of its own before the first frame.
            arcs.append(FileArc(state, free, early))
            state, free = free, free + 1
        for index, (tid, word, cost) in enumerate(frames):
            last = index + 1 == len(frames)
            target = place + 1 if last else free
            arcs.append(FileArc(state, target, word, cost, 0.0, (tid,)))
            if not last:
                state, free = free, free + 1
    return assemble_state_level(0, arcs, [FileEnd(words + 1)], SYMBOLS, "toy")
