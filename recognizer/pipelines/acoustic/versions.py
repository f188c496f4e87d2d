"""The versions of a recording that training draws from: other speeds, and augmented copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Version:
    """One version of every recording of a set.

    Attributes:
        speed: factor of `recognizer.data.augmentation.speed.speed_perturb`.
        copy: number of the augmented copy, from 1; 0: nothing but the speed is changed.
    """

    speed: float = 1.0
    copy: int = 0

    def __str__(self) -> str:
        """``0.9`` or, of an augmented copy, ``0.9+2``."""
        return f"{self.speed:g}" + (f"+{self.copy}" if self.copy else "")


RECORDING = Version()
"""The recording itself."""


def versions_of(speeds: Sequence[float], copies: int) -> tuple[Version, ...]:
    """The versions of each recording, itself first.

    Without copies there is one for each speed. With them there are the recording and its copies,
    which take the other speeds and then its own in turn.

    Args:
        speeds: distinct, with 1.0.
        copies: how many augmented ones.
    """
    others = [speed for speed in speeds if speed != 1.0]
    if not copies:
        return (RECORDING, *map(Version, others))
    turns = [*others, 1.0]
    return (
        RECORDING,
        *(Version(turns[copy % len(turns)], copy + 1) for copy in range(copies)),
    )
