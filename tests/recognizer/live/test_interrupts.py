"""An interrupt ends the recording first; a second one ends the program."""

from __future__ import annotations

import signal

import pytest

from recognizer.live.interrupts import HeldInterrupts


def test_the_first_interrupt_comes_at_the_end_of_the_block():
    said = []
    with pytest.raises(KeyboardInterrupt), HeldInterrupts() as interrupts:
        assert not interrupts.came()
        signal.raise_signal(signal.SIGINT)
        assert interrupts.came()
        said.append("the last utterance")
    assert said
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_interrupt_comes_at_once():
    with pytest.raises(KeyboardInterrupt), HeldInterrupts():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second interrupt was held, too")


def test_an_error_goes_before_an_interrupt():
    with pytest.raises(ZeroDivisionError), HeldInterrupts():
        signal.raise_signal(signal.SIGINT)
        _ = 1 / 0


def test_without_an_interrupt_nothing_happens():
    with HeldInterrupts() as interrupts:
        pass
    assert not interrupts.came()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupts_that_are_ignored_stay_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with HeldInterrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.came()
    finally:
        signal.signal(signal.SIGINT, before)
