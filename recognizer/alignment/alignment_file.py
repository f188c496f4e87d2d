"""Files of frame-level alignments: one array of transition-ids per utterance, as safetensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from recognizer.data.errors import SpeechError

IntArray = npt.NDArray[np.int32]

_KIND = "transition-ids"


def write_paths(
    path: str | os.PathLike[str],
    paths: Mapping[str, IntArray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the transition-ids ``[T]`` of utterances, and where they come from."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    arrays = {key: np.ascontiguousarray(tids, dtype=np.int32) for key, tids in paths.items()}
    save_file(arrays, partial, metadata={**(metadata or {}), "kind": _KIND, "version": "1"})
    partial.replace(target)


def read_paths(path: str | os.PathLike[str]) -> dict[str, IntArray]:
    """Read the transition-ids of each utterance, sorted by its id.

    Raises:
        SpeechError: where the file is missing, damaged, or of another kind.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            kind = (stream.metadata() or {}).get("kind")
            if kind != _KIND:
                raise SpeechError(f"{path}: kind: expected {_KIND!r}, found {kind!r}")
            return {key: stream.get_tensor(key) for key in sorted(stream.keys())}
    except FileNotFoundError:
        raise SpeechError(f"{path}: no such file (expected alignments)") from None
    except (SafetensorError, OSError) as error:
        raise SpeechError(f"{path}: not a readable safetensors file: {error}") from None
