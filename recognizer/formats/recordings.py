"""What the formats call recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class Recording:
    """A recording as the formats name it.

    Attributes:
        path: as it was given.
        name: of the recording in a CTM and of its files, without white space, see `recordings`.
        channel: which one was recognised, counted from 1; a mean of all is channel 1.
        alone: whether it is the only one, so that its path need not be said.
    """

    path: str
    name: str
    channel: int = 1
    alone: bool = False


def recordings(paths: Sequence[str], channel: int | None = None) -> list[Recording]:
    """The recordings with names that tell them apart.

    A name is the file's without its ending, as sclite and Kaldi want it, with underscores for white
    space. Where different files would have the same name, all of these have as many directories
    before it, and their endings after it, as tell them apart, and at last a number.
    """
    files = {path: PurePath(path) for path in paths}
    depth = max((len(file.parts) for file in files.values()), default=1)
    known: dict[PurePath, str] = {file: _name(file, 1) for file in files.values()}
    for level in range(2, depth + 2):
        for file in _unclear(known):
            known[file] = _name(file, min(level, depth), ending=level > depth)
    taken = set(known.values())
    for file in _unclear(known):
        numbered = (f"{known[file]}_{number}" for number in range(1, len(known) + 2))
        known[file] = next(name for name in numbered if name not in taken)
        taken.add(known[file])
    alone = len(paths) == 1
    return [Recording(path, known[files[path]], channel or 1, alone) for path in paths]


def _name(file: PurePath, parts: int, *, ending: bool = False) -> str:
    """The last parts of a path, with or without its ending."""
    inner = [part for part in file.parts[-parts:-1] if part != file.anchor]
    joined = "_".join([*inner, file.name if ending else file.stem])
    return "_".join(joined.split()) or "audio"


def _unclear(known: Mapping[PurePath, str]) -> list[PurePath]:
    """The files whose names another file has too."""
    counts = Counter(known.values())
    return [file for file, name in known.items() if counts[name] > 1]
