"""Work spread over the workers of a Ray cluster, some of which are killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from recognizer.data.errors import SpeechError
from recognizer.data.parallel.cluster import cluster_map


def never(item: object, error: SpeechError) -> str:
    raise AssertionError(f"{item} was lost: {error}")


def test_answers_are_in_order_though_workers_are_killed(cluster: None, tmp_path: Path) -> None:
    def work(item: int) -> int:
        marker = tmp_path / str(item)
        if item % 3 == 0 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item

    drawn: list[int] = []

    def items() -> object:
        for item in range(12):
            drawn.append(item)
            yield item

    answers = cluster_map(work, items(), "", never)  # type: ignore[arg-type]
    assert next(answers) == 0
    assert len(drawn) == 9  # two for each of the four processors, and the one that was asked for
    assert list(answers) == [item * item for item in range(1, 12)]
    assert len(list(tmp_path.iterdir())) == 4


def test_an_item_that_kills_every_worker_is_given_up(cluster: None) -> None:
    def work(item: int) -> str:
        if item == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    answers = cluster_map(work, [0, 1, 2], "", lambda item, error: f"{item}: {error}")
    assert list(answers) == ["done", "1: 4 workers died at it (out of memory?)", "done"]


def test_workers_are_where_this_process_is(
    cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(name: str) -> str:
        return Path(name).read_text()

    (tmp_path / "a").write_text("here")
    monkeypatch.chdir(tmp_path)
    assert list(cluster_map(work, ["a"], "", never)) == ["here"]
    with pytest.raises(FileNotFoundError, match="none"):
        list(cluster_map(work, ["none"], "", never))


def test_errors_are_those_of_the_work(cluster: None) -> None:
    def work(item: int) -> str:
        raise SpeechError(f"a.wav: {item}")

    with pytest.raises(SpeechError, match=r"^a.wav: 5$"):
        list(cluster_map(work, [5], "", never))
