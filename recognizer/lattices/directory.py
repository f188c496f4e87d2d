"""Directories of word lattices: of ``recognizer lattice``, of Kaldi, or in HTK's SLF.

Kaldi's form is a text archive of CompactLattices, ``lattices.txt`` or ``lattices.txt.gz``, beside
``words.txt`` and, where ``recognizer lattice`` wrote it, ``lattices.json``; SLF is a file
``UTTERANCE.slf`` or ``UTTERANCE.slf.gz`` for each utterance, whose header has the acoustic scale.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.keywords.index import read_symbols
from recognizer.decoding.lattice.arc_times import ArcTimes, arc_times, state_times
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.kaldi import read_kaldi_lattices
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice
from recognizer.decoding.lattice.slf import read_slf
from recognizer.lattices.settings import FILE, LatticeSettings

_ARCHIVES = ("lattices.txt", "lattices.txt.gz")
_SLF_SHIFT = 0.01
"""Seconds to which times of SLF are rounded."""


@dataclass(frozen=True, eq=False)
class UtteranceLattice:
    """A lattice of a directory.

    Attributes:
        utterance: its id.
        lattice: determinised on words.
        times: of its arcs' words; without transition-ids and settings they are those of the
            states, which lie near the words.
        settings: how it is to be read.
    """

    utterance: str
    lattice: CompactLattice
    times: ArcTimes
    settings: LatticeSettings

    @property
    def duration(self) -> float:
        """Seconds of the lattice."""
        return self.lattice.num_frames * self.settings.frame_shift


@dataclass(frozen=True)
class LatticeDirectory:
    """A directory of lattices.

    Attributes:
        path: the directory.
        symbols: word of each id of the archive; None in SLF, whose words each file names.
        settings: of the archive; of SLF all but the acoustic scale, which each file has.
        acoustic_scale: in place of that of the files; None for theirs.
    """

    path: Path
    symbols: tuple[str, ...] | None
    settings: LatticeSettings
    acoustic_scale: float | None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        acoustic_scale: float | None = None,
        frame_shift: float | None = None,
    ) -> LatticeDirectory:
        """Open a directory.

        Args:
            path: the directory.
            acoustic_scale: in place of that of its files.
            frame_shift: seconds, in place of that of ``lattices.json``; SLF has times in seconds,
                which are rounded to it [0.01].

        Raises:
            UsageError: there is no such directory, it holds no lattices, or an archive does not
                say its scale and frame shift and the arguments do not either.
            SpeechError: a damaged file.
        """
        path = Path(path)
        if not is_lattice_directory(path):
            raise UsageError(
                f"{path}: expected a directory with {_ARCHIVES[1]} and words.txt, or with files "
                ".slf.gz, found none"
            )
        if _archive(path) is None:
            settings = LatticeSettings(
                1.0 if acoustic_scale is None else acoustic_scale,
                _SLF_SHIFT if frame_shift is None else frame_shift,
            )
            return cls(path, None, settings, acoustic_scale)
        if (path / FILE).is_file():
            settings = LatticeSettings.read(path)
            if acoustic_scale is not None:
                settings = replace(settings, acoustic_scale=acoustic_scale)
            if frame_shift is not None:
                settings = replace(settings, frame_shift=frame_shift)
        elif acoustic_scale is not None and frame_shift is not None:
            settings = LatticeSettings(acoustic_scale, frame_shift)
        else:
            raise UsageError(
                f"{path}: expected {FILE}, which recognizer lattice writes, or the options "
                "--acoustic-scale and --frame-shift, found neither"
            )
        symbols = read_symbols(path / "words.txt")
        return cls(path, symbols, settings, acoustic_scale)

    def lattices(self) -> Iterator[UtteranceLattice]:
        """The lattices one by one: an archive's in its order, those of SLF in order of their names.

        Raises:
            SpeechError: a damaged file, or a lattice in SLF in which several links of a word leave
                a node; names the line or the file.
        """
        archive = _archive(self.path)
        if archive is not None and self.symbols is not None:
            for name, lattice in read_kaldi_lattices(archive, self.symbols):
                yield _utterance(name, lattice, self.settings)
            return
        for path in _slf_files(self.path):
            found = read_slf(path, self.settings.frame_shift)
            if isinstance(found.lattice, Lattice):
                raise SpeechError(
                    f"{path}: expected links with words, at most one of each from a node, found "
                    "others"
                )
            name = found.utterance or path.name.removesuffix(".gz").removesuffix(".slf")
            scale = found.acoustic_scale if self.acoustic_scale is None else self.acoustic_scale
            yield _utterance(name, found.lattice, replace(self.settings, acoustic_scale=scale))


def is_lattice_directory(path: str | os.PathLike[str]) -> bool:
    """Whether a directory holds lattices in one of the forms."""
    path = Path(path)
    if not path.is_dir():
        return False
    return _archive(path) is not None or any(True for _ in _slf_files(path))


def _archive(path: Path) -> Path | None:
    if not (path / "words.txt").is_file():
        return None
    return next((path / name for name in _ARCHIVES if (path / name).is_file()), None)


def _slf_files(path: Path) -> list[Path]:
    return sorted([*path.glob("*.slf"), *path.glob("*.slf.gz")])


def _utterance(
    name: str, lattice: CompactLattice | Lattice, settings: LatticeSettings
) -> UtteranceLattice:
    try:
        if isinstance(lattice, Lattice):
            lattice = determinize(lattice, settings.acoustic_scale, inf)
        if settings.boundaries is None:
            times = state_times(lattice)
        else:
            times = arc_times(lattice, settings.boundaries, settings.acoustic_scale)
    except SpeechError as error:
        raise SpeechError(f"utterance {name}: {error}") from error
    return UtteranceLattice(name, lattice, times, settings)
