"""What became of a network, and files of results that several processes share."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.data.io.files import replace_text
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.experiments.options import Candidate


@dataclass(frozen=True)
class CandidateResult:
    """What became of one network.

    Attributes:
        candidate: the network.
        learning_rate: the best at the beginning, with which it was trained.
        frames: trained on, until its patience ended.
        best_frames: after which the held-out accuracy was the highest; the network of then counts.
        training_accuracy: share of frames whose best state is the label, without dropout.
        held_out_accuracy: the same on the part that was not trained on.
        dev_accuracy: the same on the development sets.
        first_pass: errors of each utterance of the development sets, set after set.
        rescored: the same of the second pass.
        curve: directory of the log of its training.
    """

    candidate: Candidate
    learning_rate: float
    frames: int
    best_frames: int
    training_accuracy: float
    held_out_accuracy: float
    dev_accuracy: float
    first_pass: tuple[ErrorCounts, ...]
    rescored: tuple[ErrorCounts, ...]
    curve: Path


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """While this process alone has a lock; yields whether it has it. It ends with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            console.print(f"{path.stem}: waiting for another process")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield True


def read_json(path: Path) -> dict[str, Any]:
    """Results by name, as `write_json` wrote them.

    Raises:
        SpeechError: a missing or damaged file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpeechError(f"{path}: expected results of a run as JSON: {error}") from None
    if not isinstance(found, dict):
        raise SpeechError(f"{path}: expected results of a run as JSON, found {found!r}")
    return found


def write_json(path: Path, value: Any) -> None:
    """Write results by name, wholly or not at all."""
    with replace_text(path) as stream:
        json.dump(value, stream)
        stream.write("\n")
