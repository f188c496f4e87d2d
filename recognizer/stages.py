"""Runs the stages of a recipe: each once, again when its options change, going on after a break."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from data.errors import SpeechError, UsageError

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
    """

    name: str
    options: Mapping[str, Any]
    after: tuple[str, ...]
    run: Callable[[Path], None]
    summary: str = ""


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
        UsageError: `first` or `last` is not a stage.
        SpeechError: a stage failed.
    """
    console = console or Console(stderr=True)
    names = [stage.name for stage in stages]
    for name in (first, last):
        if name is not None and name not in names:
            raise UsageError(f"expected one of the stages {', '.join(names)}, found {name!r}")
    digests: dict[str, str] = {}
    for index, stage in enumerate(stages):
        digest = _digest(stage, digests)
        digests[stage.name] = digest
        directory = work / stage.name
        forced = first is not None and index >= names.index(first)
        state = _read_record(directory)
        if state == {"digest": digest, "done": True} and not forced:
            console.print(f"{stage.name}: done before")
        else:
            # What an interrupted run with the same options left is gone on from; anything else
            # would mix two results.
            if state.get("digest") != digest or forced:
                shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True, exist_ok=True)
            _write_record(directory, {"digest": digest, "done": False})
            console.print(f"[bold]{stage.name}[/bold]: {stage.summary}")
            begin = time.monotonic()
            stage.run(directory)
            _write_record(directory, {"digest": digest, "done": True})
            console.print(f"{stage.name}: {time.monotonic() - begin:.0f} s")
        if stage.name == last:
            return


def _digest(stage: Stage, digests: Mapping[str, str]) -> str:
    try:
        text = json.dumps(
            [stage.name, stage.options, [digests[name] for name in stage.after]], sort_keys=True
        )
    except KeyError as error:
        raise UsageError(f"stage {stage.name}: expected {error} to run before it") from None
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
