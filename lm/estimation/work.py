"""A directory for work in steps that an interruption does not lose."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import replace_text

_STATE = "state.json"
_LOCK = "lock"


@dataclass(frozen=True)
class StepOutput:
    """What a completed step left. Kinds of steps add fields, of values that JSON can hold.

    Attributes:
        directory: where its files are.
    """

    directory: Path


Output = TypeVar("Output", bound=StepOutput)


class WorkDirectory:
    """Keeps what each completed step left.

    Made by `open_work`. A step that was complete when the work was interrupted is not done again.
    """

    def __init__(self, path: Path, description: dict[str, Any], *, resume: bool) -> None:
        self.path = path
        known = json.loads(json.dumps(description))  # as it comes back from a file
        self._state: dict[str, Any] = {"work": known, "steps": {}}
        if resume:
            self._resume()
        else:
            for entry in self._entries():
                _remove(entry)
        self._write()

    def step(self, name: str, kind: type[Output], do: Callable[[Path], Output]) -> Output:
        """What a step left; it is done now if it was not complete.

        Args:
            name: of the step and of its directory.
            kind: what it leaves.
            do: does it; gets an empty directory.
        """
        directory = self.path / name
        if name not in self._state["steps"]:
            _remove(directory)
            directory.mkdir()
            output = do(directory)
            values = {
                field.name: getattr(output, field.name)
                for field in fields(kind)
                if field.name != "directory"
            }
            files = {file.name: file.stat().st_size for file in directory.iterdir()}
            self._state["steps"][name] = {"values": values, "files": files}
            self._write()
        return kind(directory, **self._state["steps"][name]["values"])

    def remove(self, output: StepOutput) -> None:
        """Remove the files of a step that no step needs any longer; its values stay."""
        self._state["steps"][output.directory.name]["files"] = {}
        self._write()
        _remove(output.directory)

    def _resume(self) -> None:
        path = self.path / _STATE
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            work, steps = state["work"], state["steps"]
            files = {Path(step, name): size for step in steps for name, size in _files(steps[step])}
        except FileNotFoundError:
            raise UsageError(f"{self.path}: expected interrupted work, found none") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SpeechError(f"{path}: damaged: the work cannot be resumed") from None
        expected = self._state["work"]
        for key in expected:
            if work.get(key) != expected[key]:
                wanted = f"{self.path}: interrupted work with other {key}"
                raise UsageError(f"{wanted}: expected {expected[key]}, found {work.get(key)}")
        for name, size in files.items():
            file = self.path / name
            found = file.stat().st_size if file.is_file() else "none"
            if found != size:
                raise SpeechError(f"{file}: expected {size} bytes, found {found}")
        self._state = state

    def _entries(self) -> list[Path]:
        return [entry for entry in self.path.iterdir() if entry.name != _LOCK]

    def _write(self) -> None:
        with replace_text(self.path / _STATE) as stream:
            json.dump(self._state, stream)


@contextmanager
def open_work(
    path: Path, description: dict[str, Any], *, resume: bool = False
) -> Iterator[WorkDirectory]:
    """A work directory; removed when the block ends, unless something interrupts it.

    An error removes it too; KeyboardInterrupt, or the end of the process, leaves it.

    Args:
        path: the directory; made if it is missing. What interrupted work left there goes, unless
            it is resumed.
        description: what the work is, for JSON; only the same can be resumed.
        resume: go on where interrupted work stopped.

    Raises:
        UsageError: there is nothing to resume, or other work; another process works there; it is
            a directory with something else.
        SpeechError: files of completed steps are damaged or missing.
        OSError: the directory cannot be written.
    """
    if resume and not (path / _STATE).is_file():
        raise UsageError(f"{path}: expected interrupted work to resume, found none")
    if path.exists() and not resume and not _is_ours(path):
        raise UsageError(f"{path}: expected a directory for temporary files, found something else")
    path.mkdir(exist_ok=True)
    with (path / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{path}: another process works there") from None
        work = WorkDirectory(path, description, resume=resume)  # refused work stays as it is
        try:
            yield work
        except Exception:
            shutil.rmtree(path)
            raise
        else:
            shutil.rmtree(path)


def _files(step: dict[str, Any]) -> list[tuple[str, int]]:
    return [(str(name), int(size)) for name, size in step["files"].items()]


def _is_ours(path: Path) -> bool:
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir()}
    return not names or _LOCK in names


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
