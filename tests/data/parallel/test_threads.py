"""Work spread over threads."""

from __future__ import annotations

import threading

import pytest

from recognizer.data.errors import UsageError
from recognizer.data.parallel.threads import thread_map


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_answers_come_in_order(threads: int) -> None:
    assert list(thread_map(lambda item: 2 * item, range(20), threads)) == list(range(0, 40, 2))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_calling_thread_stays_free_for_interrupts(threads: int) -> None:
    workers = set(thread_map(lambda _: threading.get_ident(), range(5), threads))
    assert threading.get_ident() not in workers


def test_an_exception_comes_at_its_items_turn() -> None:
    answers = thread_map(lambda item: 6 // item, [3, 2, 0, 1], 2)
    assert [next(answers), next(answers)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(answers)


def test_who_asks_for_no_more_does_not_wait() -> None:
    finish = threading.Event()

    def work(item: int) -> int:
        if item > 0:
            assert finish.wait(60)
        return item

    answers = thread_map(work, range(3), 2)
    assert next(answers) == 0
    answers.close()  # type: ignore[attr-defined]  # a generator; the other items still wait here
    finish.set()


def test_no_threads_are_refused() -> None:
    with pytest.raises(UsageError, match="expected at least 1, found 0"):
        next(thread_map(str, [1], 0))
