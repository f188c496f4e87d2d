import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from recognizer.data.errors import SpeechError, UsageError
from recognizer.stages import Stage, run_stages

QUIET = Console(file=io.StringIO())


def make(calls: list[str], option: int = 1) -> list[Stage]:
    def step(name: str):
        def run(directory: Path) -> None:
            calls.append(name)
            (directory / "result").write_text(name)

        return run

    return [
        Stage("one", {"option": option}, (), step("one")),
        Stage("two", {}, ("one",), step("two")),
        Stage("three", {}, (), step("three")),
    ]


def test_runs_once_and_again_only_what_depends_on_a_change(tmp_path: Path) -> None:
    calls: list[str] = []
    run_stages(make(calls), tmp_path, console=QUIET)
    run_stages(make(calls), tmp_path, console=QUIET)
    assert calls == ["one", "two", "three"]
    calls.clear()
    run_stages(make(calls, option=2), tmp_path, console=QUIET)
    assert calls == ["one", "two"]


def test_interrupted_stage_goes_on_in_what_it_left(tmp_path: Path) -> None:
    seen: list[bool] = []

    def run(directory: Path) -> None:
        seen.append((directory / "half").exists())
        (directory / "half").write_text("x")
        if len(seen) == 1:
            raise KeyboardInterrupt

    stage = Stage("slow", {}, (), run)
    with pytest.raises(KeyboardInterrupt):
        run_stages([stage], tmp_path, console=QUIET)
    run_stages([stage], tmp_path, console=QUIET)
    assert seen == [False, True]


def test_changed_options_start_from_an_empty_directory(tmp_path: Path) -> None:
    calls: list[str] = []
    run_stages(make(calls), tmp_path, console=QUIET)
    (tmp_path / "one" / "stale").write_text("x")
    run_stages(make(calls, option=2), tmp_path, console=QUIET)
    assert not (tmp_path / "one" / "stale").exists()


def test_first_and_last(tmp_path: Path) -> None:
    calls: list[str] = []
    run_stages(make(calls), tmp_path, last="two", console=QUIET)
    assert calls == ["one", "two"]
    run_stages(make(calls), tmp_path, first="two", last="two", console=QUIET)
    assert calls == ["one", "two", "two"]
    with pytest.raises(UsageError, match="not after the last"):
        run_stages(make(calls), tmp_path, first="two", last="one", console=QUIET)
    with pytest.raises(UsageError, match="expected one of the stages one, two, three"):
        run_stages(make(calls), tmp_path, last="four", console=QUIET)


def test_unknown_dependency(tmp_path: Path) -> None:
    stage = Stage("b", {}, ("a",), lambda directory: None)
    with pytest.raises(UsageError, match="expected 'a' to run before"):
        run_stages([stage], tmp_path, console=QUIET)


def test_what_reads_a_stage_that_ran_anew_runs_anew(tmp_path: Path) -> None:
    calls: list[str] = []
    run_stages(make(calls), tmp_path, console=QUIET)
    run_stages(make(calls), tmp_path, first="one", last="one", console=QUIET)
    calls.clear()
    run_stages(make(calls), tmp_path, console=QUIET)
    assert calls == ["two"]


def test_all_checks_come_before_the_first_stage(tmp_path: Path) -> None:
    calls: list[str] = []

    def fail() -> None:
        raise SpeechError("no such input")

    stages = make(calls)
    stages[2] = replace(stages[2], check=fail)
    with pytest.raises(SpeechError, match="no such input"):
        run_stages(stages, tmp_path, console=QUIET)
    assert calls == []
    run_stages(stages, tmp_path, last="two", console=QUIET)
    assert calls == ["one", "two"]
