"""Schedules of dropout: Kaldi's notation, linear between points, clear refusals."""

from __future__ import annotations

import pytest

from recognizer.am.training.engine.options import TrainingOptions
from recognizer.am.training.engine.schedule import Schedule
from recognizer.data.errors import UsageError


def test_a_number_stays() -> None:
    for value in (0.25, "0.25,0.25"):
        schedule = Schedule.of(value)
        assert schedule.constant
        assert [schedule.at(share) for share in (0.0, 0.3, 1.0)] == [0.25] * 3


def test_kaldis_notation() -> None:
    """egs/mini_librispeech/s5/local/chain: nothing, a rise from a fifth on, and a fall."""
    schedule = Schedule.of("0,0@0.20,0.5@0.50,0")
    assert not schedule.constant
    assert schedule.points == ((0.0, 0.0), (0.2, 0.0), (0.5, 0.5), (1.0, 0.0))
    for share, value in (
        (0.0, 0.0), (0.1, 0.0), (0.2, 0.0), (0.35, 0.25), (0.5, 0.5), (0.75, 0.25), (1.0, 0.0),
    ):  # fmt: skip
        assert schedule.at(share) == pytest.approx(value)


def test_jumps() -> None:
    schedule = Schedule.of("0.1,0.1@0.4,0.3@0.4,0.3")
    assert [schedule.at(share) for share in (0.39, 0.4, 1.0)] == pytest.approx([0.1, 0.3, 0.3])


@pytest.mark.parametrize(
    "text",
    ["", "0.1", "a,b", "0,0.5@,0", "0@0.1,0", "0,0.5,0", "0,0@0.6,0.5@0.4,0", "0,1@1.5,0",
     "0,0.1@nan,0", "0,0.1@-0.5,0"],
)  # fmt: skip
def test_wrong_schedules(text: str) -> None:
    with pytest.raises(UsageError, match=r"dropout: expected a number, or values as in .*found '"):
        TrainingOptions(dropout=text)


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), "0,1@0.5,0", "0,0.5@0.5,-0.1"])
def test_dropout_is_below_one(value: float | str) -> None:
    with pytest.raises(UsageError, match=r"dropout: expected values in \[0, 1\), found"):
        TrainingOptions(dropout=value)


def test_parameter_servers_have_no_schedule() -> None:
    arguments = {"mode": "ray", "optimizer": "sgd"}
    TrainingOptions(**arguments, dropout="0.2,0.2")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match='dropout: expected the same all the time in mode "ray"'):
        TrainingOptions(**arguments, dropout="0,0.2")  # type: ignore[arg-type]


def test_dropout_at_frames() -> None:
    options = TrainingOptions(dropout="0,0.5@0.5,0")
    assert [options.dropout_at(n, 1000) for n in (0, 250, 500, 1000, 2000)] == pytest.approx(
        [0, 0.25, 0.5, 0, 0]
    )
    assert options.dropout_at(0, 0) == 0
