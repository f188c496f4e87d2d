"""Options of the flat start."""

from __future__ import annotations

from dataclasses import dataclass, field

from recognizer.am.features.fbank import MfccOptions
from recognizer.am.hmm.fmllr import FmllrOptions
from recognizer.am.hmm.gmm import GmmOptions
from recognizer.data.errors import UsageError
from recognizer.decoding.alignment.align import AlignOptions


@dataclass(frozen=True)
class PassOptions:
    """The passes of one model.

    Attributes:
        passes: rounds of re-estimation.
        realign: after how many passes the utterances are aligned anew.
        gaussians: number of Gaussians at the end.
        growing: passes during which the mixtures grow.
        leaves: pdfs of the tree; 0 for monophones.
        utterances: use only so many of the shortest utterances; 0 for all.
    """

    passes: int
    realign: tuple[int, ...]
    gaussians: int
    growing: int
    leaves: int = 0
    utterances: int = 0

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        for name in ("passes", "gaussians", "growing"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected a number > 0, found {getattr(self, name)}")
        for name in ("leaves", "utterances"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}: expected a number >= 0, found {getattr(self, name)}")


def _mono() -> PassOptions:
    realign = (*range(1, 11), 12, 14, 16, 18, 20, 23, 26)
    return PassOptions(passes=30, realign=realign, gaussians=1000, growing=22, utterances=700)


def _first_triphones() -> PassOptions:
    return PassOptions(passes=16, realign=(5, 10), gaussians=8000, growing=12, leaves=1200)


def _triphones() -> PassOptions:
    return PassOptions(passes=20, realign=(6, 12, 17), gaussians=14000, growing=14, leaves=2000)


@dataclass(frozen=True)
class FlatStartOptions:
    """Options of the whole flat start.

    Attributes:
        features: MFCC options; two orders of differences are added.
        gmm: estimation of the mixtures.
        align: scales and beams of the alignments.
        mono: the monophone model.
        triphone: the context-dependent models, each from the alignments of the one before.
        fmllr: adapt features to each speaker when utterances are aligned with the trained model;
            by default they are only mean-normalised.
    """

    features: MfccOptions = field(default_factory=MfccOptions)
    gmm: GmmOptions = field(default_factory=GmmOptions)
    align: AlignOptions = field(default_factory=AlignOptions)
    mono: PassOptions = field(default_factory=_mono)
    triphone: tuple[PassOptions, ...] = field(
        default_factory=lambda: (_first_triphones(), _triphones())
    )
    fmllr: FmllrOptions | None = None
