"""HMM topology: Kaldi's shapes, validation, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import HmmState, Topology
from recognizer.data.errors import SpeechError


def test_standard_topology_is_kaldis() -> None:
    topology = Topology.standard(PhoneTable.from_base(["AH"]))
    speech = topology.states(3)
    assert [state.transitions for state in speech] == [
        ((0, 0.75), (1, 0.25)),
        ((1, 0.75), (2, 0.25)),
        ((2, 0.75), (3, 0.25)),
    ]
    for phone in (1, 2):
        silence = topology.states(phone)
        assert topology.num_states(phone) == len(silence) == 5
        assert [[to for to, _ in state.transitions] for state in silence] == [
            [0, 1, 2, 3],
            [1, 2, 3, 4],
            [1, 2, 3, 4],
            [1, 2, 3, 4],
            [4, 5],
        ]
        assert silence[4].transitions == ((4, 0.75), (5, 0.25))


def test_chain_topology_is_kaldis_with_its_self_loop_pdf_as_a_state() -> None:
    topology = Topology.chain(PhoneTable.from_base(["AH"]))
    for phone in (1, 2, 3):
        assert [state.transitions for state in topology.states(phone)] == [
            ((1, 0.5), (2, 0.5)),
            ((1, 0.5), (2, 0.5)),
        ]


@pytest.mark.parametrize("make", [Topology.standard, Topology.chain])
def test_json_round_trip(make: Callable[[PhoneTable], Topology]) -> None:
    topology = make(PhoneTable.from_base(["AH", "B"]))
    assert Topology.from_json(json.loads(json.dumps(topology.to_json()))) == topology


@pytest.mark.parametrize("value", [None, {}, [], {"speech": 1, "silence": 2, "silence_phones": 3}])
def test_other_json_is_refused(value: object) -> None:
    with pytest.raises(SpeechError, match="topology"):
        Topology.from_json(value)


@pytest.mark.parametrize(
    ("states", "fault"),
    [
        ((), "at least one"),
        ((((0, 0.5), (1, 0.4)),), "sum to 1"),
        ((((0, 0.5), (2, 0.5)),), "arcs to"),
        ((((1, 0.5), (1, 0.5)),), "one arc"),
        ((((0, 0.0), (1, 1.0)),), "positive"),
        ((((0, 1.0),),), "way to the end"),
        ((((1, 1.0),), ((0, 0.5), (2, 0.5))), "back to state 0"),
    ],
)
def test_impossible_states_are_refused(
    states: tuple[tuple[tuple[int, float], ...], ...], fault: str
) -> None:
    hmm = tuple(HmmState(transitions) for transitions in states)
    good = (HmmState(((0, 0.5), (1, 0.5))),)
    with pytest.raises(SpeechError, match=fault):
        Topology(hmm, good, frozenset())
    with pytest.raises(SpeechError, match=fault):
        Topology(good, hmm, frozenset((1,)))
