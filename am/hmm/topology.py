"""HMM topology: the states of each phone and the arcs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recognizer.am.hmm.phones import PhoneTable
from recognizer.data.errors import SpeechError


@dataclass(frozen=True)
class HmmState:
    """One emitting state.

    Attributes:
        transitions: (destination state, initial probability); the destination that equals the
            number of states is the final, non-emitting one.
    """

    transitions: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Topology:
    """HMM states of speech phones and of silence phones.

    State 0 is where a phone starts and is never re-entered from another state, so that in an
    alignment a phone starts exactly where state 0 is entered.

    Attributes:
        speech: states of every phone that is not in `silence_phones`.
        silence: states of the phones in `silence_phones`.
        silence_phones: phone ids that have the silence topology.
    """

    speech: tuple[HmmState, ...]
    silence: tuple[HmmState, ...]
    silence_phones: frozenset[int]

    def __post_init__(self) -> None:
        for name in ("speech", "silence"):
            _check_states(name, getattr(self, name))

    @classmethod
    def standard(cls, phones: PhoneTable) -> Topology:
        """Three states left to right for speech, five for silence, as Kaldi's `gen_topo.pl`.

        Silence enters at state 0, wanders among states 1 to 3 in any order and leaves through
        state 4; all initial probabilities are Kaldi's.
        """
        speech = tuple(HmmState(((i, 0.75), (i + 1, 0.25))) for i in range(3))
        first = HmmState(tuple((i, 0.25) for i in range(4)))
        middle = HmmState(tuple((i, 0.25) for i in range(1, 5)))
        last = HmmState(((4, 0.75), (5, 0.25)))
        return cls(speech, (first, middle, middle, middle, last), phones.silence)

    @classmethod
    def chain(cls, phones: PhoneTable) -> Topology:
        """The topology of lattice-free MMI at a third of the frames, for all phones alike.

        A phone's first frame has a pdf of its own (state 0, without a self-loop); all further
        frames share another (state 1). This is Kaldi's chain topology (``gen_topo.py`` of
        ``steps/nnet3/chain``), whose one state has a forward pdf and a self-loop pdf, written as
        two states. Every frame costs log 0.5, whatever the path.
        """
        states = (HmmState(((1, 0.5), (2, 0.5))), HmmState(((1, 0.5), (2, 0.5))))
        return cls(states, states, phones.silence)

    def states(self, phone: int) -> tuple[HmmState, ...]:
        """The emitting states of a phone (an id of the phone table)."""
        return self.silence if phone in self.silence_phones else self.speech

    def num_states(self, phone: int) -> int:
        """Number of emitting states of a phone."""
        return len(self.states(phone))

    def to_json(self) -> dict[str, Any]:
        """The topology as plain lists and numbers."""
        return {
            "speech": [[list(arc) for arc in state.transitions] for state in self.speech],
            "silence": [[list(arc) for arc in state.transitions] for state in self.silence],
            "silence_phones": sorted(self.silence_phones),
        }

    @classmethod
    def from_json(cls, value: Any) -> Topology:
        """The inverse of `to_json`.

        Raises:
            SpeechError: if the value is no topology.
        """
        try:
            speech, silence = (
                tuple(
                    HmmState(tuple((int(to), float(p)) for to, p in state)) for state in value[name]
                )
                for name in ("speech", "silence")
            )
            phones = frozenset(int(phone) for phone in value["silence_phones"])
        except (KeyError, TypeError, ValueError) as error:
            raise SpeechError(
                f"topology: expected speech, silence and silence_phones, found {error!r}"
            ) from None
        return cls(speech, silence, phones)


def _check_states(name: str, states: tuple[HmmState, ...]) -> None:
    final = len(states)
    if final == 0:
        raise SpeechError(f"topology: {name}: expected at least one state, found none")
    for index, state in enumerate(states):
        where = f"topology: {name}: state {index}"
        destinations = [to for to, _ in state.transitions]
        if len(set(destinations)) != len(destinations):
            raise SpeechError(f"{where}: expected one arc to each state, found {destinations}")
        if any(not 0 <= to <= final for to in destinations):
            raise SpeechError(f"{where}: expected arcs to 0..{final}, found {destinations}")
        if any(p <= 0 for _, p in state.transitions):
            raise SpeechError(f"{where}: expected positive probabilities")
        total = sum(p for _, p in state.transitions)
        if abs(total - 1) > 1e-5:
            raise SpeechError(f"{where}: expected probabilities that sum to 1, found {total}")
        if index and 0 in destinations:
            raise SpeechError(f"{where}: expected no arc back to state 0")
    if not all(_reaches_final(states, start) for start in range(final)):
        raise SpeechError(f"topology: {name}: expected a way to the end from every state")


def _reaches_final(states: tuple[HmmState, ...], start: int) -> bool:
    seen, stack = {start}, [start]
    while stack:
        state = stack.pop()
        if state == len(states):
            return True
        for to, _ in states[state].transitions:
            if to not in seen:
                seen.add(to)
                stack.append(to)
    return False
