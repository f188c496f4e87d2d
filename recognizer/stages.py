"""Runs the stages of a recipe: each once, again when its options change, going on after a break."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.console import console as standard_error

_RECORD = "stage.json"


@dataclass(frozen=True)
class Stage:
    """One step of a recipe, writing into a directory of its own.

    Attributes:
        name: its directory below the work directory.
        options: plain values (JSON) that determine the result, beside the stages it reads.
        after: names of the stages that it reads.
        run: does the work, given its directory. Interrupted, it is called again and may go on
            from what lies there.
        summary: one line for people.
        check: raises a `SpeechError` if the work cannot succeed (a missing input); called for
            all stages that are to run before the first of them does.
    """

    name: str
    options: Mapping[str, Any]
    after: tuple[str, ...]
    run: Callable[[Path], None]
    summary: str = ""
    check: Callable[[], None] = lambda: None


def run_stages(
    stages: Sequence[Stage],
    work: Path,
    *,
    first: str | None = None,
    last: str | None = None,
    console: Console | None = None,
) -> None:
    """Run stages in order, each unless it is done with the same options and inputs.

    Args:
        stages: in an order in which every stage follows those it reads.
        work: parent of the stages' directories.
        first: run this stage and what follows even if done.
        last: stop after this stage.
        console: where progress goes; standard error by default.

    Raises:
        UsageError: `first` or `last` is not a stage, or they are in the wrong order.
        SpeechError: a stage failed.
    """
    console = console or standard_error
    names = [stage.name for stage in stages]
    for name in (first, last):
        if name is not None and name not in names:
            raise UsageError(f"expected one of the stages {', '.join(names)}, found {name!r}")
    if first is not None and last is not None and names.index(first) > names.index(last):
        raise UsageError(f"expected a first stage not after the last, found {first} and {last}")
    chosen = list(stages if last is None else stages[: names.index(last) + 1])
    forced = set(names[names.index(first) :]) if first is not None else set()
    waiting: set[str] = set()
    for stage in chosen:
        unknown = [name for name in stage.after if name not in names[: names.index(stage.name)]]
        if unknown:
            raise UsageError(f"stage {stage.name}: expected {unknown[0]!r} to run before it")
        record = _read_record(work / stage.name)
        if (
            stage.name in forced
            or waiting.intersection(stage.after)
            or not record.get("done")
            or record.get("digest") != _digest(stage, work)
        ):
            waiting.add(stage.name)
            stage.check()
    begin = time.monotonic()
    for number, stage in enumerate(chosen, start=1):
        place = f"[{number}/{len(chosen)}]"
        if stage.name not in waiting:
            console.print(f"{place} {stage.name}: done before", markup=False)
            continue
        directory, digest = work / stage.name, _digest(stage, work)
        # What an interrupted run with the same options and inputs left is gone on from; anything
        # else would mix two results.
        if _read_record(directory).get("digest") != digest or stage.name in forced:
            shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True, exist_ok=True)
        _write_record(directory, {"digest": digest, "done": False})
        console.print(f"{place} {stage.name}: {stage.summary}", markup=False)
        started = time.monotonic()
        stage.run(directory)
        _write_record(directory, {"digest": digest, "done": True, "run": uuid.uuid4().hex})
        now = time.monotonic()
        console.print(f"{stage.name}: {now - started:.0f} s, {now - begin:.0f} s in all")


def stages_done(stages: Sequence[Stage], work: Path) -> bool:
    """Whether all these stages are done with the options and inputs that they have now.

    Raises:
        SpeechError: a stage's record is damaged.
    """
    records = [(stage, _read_record(work / stage.name)) for stage in stages]
    return all(
        record.get("done") and record.get("digest") == _digest(stage, work)
        for stage, record in records
    )


def _digest(stage: Stage, work: Path) -> str:
    """Stands for a stage's options and for the very runs of the stages that it reads."""
    runs = [_read_record(work / name).get("run") for name in stage.after]
    text = json.dumps([stage.name, stage.options, runs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_record(directory: Path) -> dict[str, Any]:
    path = directory / _RECORD
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpeechError(f"{path}: expected JSON: {error}") from None
    return record if isinstance(record, dict) else {}


def _write_record(directory: Path, record: Mapping[str, Any]) -> None:
    temporary = directory / (_RECORD + ".tmp")
    temporary.write_text(json.dumps(record), encoding="utf-8")
    temporary.replace(directory / _RECORD)
