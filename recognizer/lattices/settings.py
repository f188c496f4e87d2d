"""What programs must know of a model to use its lattices."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.json_io import read_json, write_json
from recognizer.decoding.lattice.arc_times import WordBoundaries
from recognizer.recognition.passes import Passes

FILE = "lattices.json"
"""The file beside an archive of lattices that holds its settings."""

_KIND = "lattice-settings"


@dataclass(frozen=True, eq=False)
class LatticeSettings:
    """How lattices of a model are to be read.

    Attributes:
        acoustic_scale: factor of acoustic costs where paths are compared.
        frame_shift: seconds from one frame to the next.
        confidence_scale: further factor of all costs where probabilities are computed.
        boundaries: transition-ids at which words begin and end; None where they are not known, as
            in lattices of other programs.
        text_rules: name of the rule set by which words are written; empty if it is not known.
        units: "words", or "pieces" of words.
        model: its name; empty if it is not known.
    """

    acoustic_scale: float
    frame_shift: float
    confidence_scale: float = 1.0
    boundaries: WordBoundaries | None = None
    text_rules: str = ""
    units: str = "words"
    model: str = ""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("acoustic_scale", "frame_shift", "confidence_scale"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0.0):
                raise UsageError(f"{name}: expected a finite number > 0, found {value}")

    @classmethod
    def of_recognizer(cls, passes: Passes) -> LatticeSettings:
        """Those of the lattices that a recogniser makes."""
        config = passes.bundle.config
        return cls(
            acoustic_scale=passes.search.acoustic_scale,
            frame_shift=passes.acoustic_model.output_frame_shift,
            confidence_scale=config.lattice.confidence_scale,
            boundaries=passes.bundle.labels.boundaries,
            text_rules=config.text_rules,
            units=config.units,
            model=config.name,
        )

    def write(self, directory: Path) -> None:
        """Write the file `FILE` in a directory of lattices."""
        table: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        if self.boundaries is not None:
            table["word_begins"] = self.boundaries.begins.tolist()
            table["pauses"] = self.boundaries.pauses.tolist()
        write_json(directory / FILE, _KIND, table)

    @classmethod
    def read(cls, directory: Path) -> LatticeSettings:
        """Read the file `FILE` of a directory.

        Raises:
            SpeechError: it is missing or damaged.
        """
        path = directory / FILE
        table = read_json(path, _KIND)
        try:
            boundaries = None
            if "word_begins" in table:
                begins, pauses = (
                    np.array(table[name], dtype=np.int32) for name in ("word_begins", "pauses")
                )
                if min(begins.min(initial=1), pauses.min(initial=1)) < 1:
                    raise ValueError("a transition-id below 1")
                boundaries = WordBoundaries(begins, pauses)
            for name, kind in _PLAIN.items():
                if not isinstance(table[name], kind):
                    raise ValueError(f"{name} {table[name]!r}")
            return cls(boundaries=boundaries, **{name: table[name] for name in _PLAIN})
        except KeyError as error:
            raise SpeechError(f"{path}: expected a field {error}, found none") from None
        except (ValueError, TypeError, UsageError) as error:
            raise SpeechError(f"{path}: expected settings of lattices, found {error}") from None


_PLAIN: dict[str, type | tuple[type, ...]] = {
    "acoustic_scale": (float, int),
    "frame_shift": (float, int),
    "confidence_scale": (float, int),
    "text_rules": str,
    "units": str,
    "model": str,
}
