"""What may be done to the recordings of a training set, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recognizer.data.augmentation.codecs import CODECS, Codec
from recognizer.data.augmentation.rooms import RoomOptions
from recognizer.data.augmentation.telephone import CODINGS, Coding
from recognizer.data.errors import UsageError


def _check_probability(value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"probability: expected a number in [0, 1], found {value}")


def _check_range(name: str, value: tuple[float, float], least: float = -math.inf) -> None:
    if len(value) != 2 or not (all(map(math.isfinite, value)) and least <= value[0] <= value[1]):
        bound = "" if least == -math.inf else f"{least:g} <= "
        raise UsageError(f"{name}: expected two numbers, {bound}low <= high, found {list(value)}")


@dataclass(frozen=True)
class ReverberationOptions:
    """Speech in simulated rooms.

    Attributes:
        probability: that a copy is reverberated.
        rooms: those that it may be in.
    """

    probability: float = 0.5
    rooms: RoomOptions = RoomOptions()

    def __post_init__(self) -> None:
        _check_probability(self.probability)


@dataclass(frozen=True)
class NoiseOptions:
    """Recorded noise.

    Attributes:
        clips: patterns of audio files, or directories of them; see
            `recognizer.data.augmentation.noise.find_clips`.
        probability: that a copy gets noise.
        snr_db: the least and the greatest signal-to-noise ratio in dB; uniform between them.
    """

    clips: tuple[str, ...]
    probability: float = 0.5
    snr_db: tuple[float, float] = (0.0, 30.0)

    def __post_init__(self) -> None:
        if not self.clips:
            raise UsageError("clips: expected a pattern of audio files, found none")
        _check_probability(self.probability)
        _check_range("snr_db", self.snr_db)


@dataclass(frozen=True)
class VolumeOptions:
    """Another level.

    Attributes:
        probability: that a copy gets another level.
        gain_db: the least and the greatest gain in dB; uniform between them.
    """

    probability: float = 1.0
    gain_db: tuple[float, float] = (-40.0, 6.0)

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        _check_range("gain_db", self.gain_db)


@dataclass(frozen=True)
class TelephoneOptions:
    """Transmission by telephone.

    Attributes:
        probability: that a copy is transmitted.
        codings: of which one is drawn.
    """

    probability: float = 0.1
    codings: tuple[Coding, ...] = CODINGS

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        if not self.codings:
            raise UsageError("codings: expected at least one, found none")


@dataclass(frozen=True)
class CodecOptions:
    """Lossy compression; needs PyAV, the extra `media`.

    Attributes:
        probability: that a copy is compressed.
        codecs: of which one is drawn.
        bit_rate: the least and the greatest one in bits per second; its logarithm is uniform
            between theirs.
    """

    probability: float = 0.2
    codecs: tuple[Codec, ...] = CODECS
    bit_rate: tuple[int, int] = (12_000, 64_000)

    def __post_init__(self) -> None:
        _check_probability(self.probability)
        if not self.codecs:
            raise UsageError("codecs: expected at least one, found none")
        _check_range("bit_rate", self.bit_rate, least=6000)


@dataclass(frozen=True)
class AugmentationOptions:
    """What may be done to copies of recordings; what is None is not done.

    It is done in this order, that of a real recording: speech in a room, noise added, recorded at
    some level, transmitted, stored.

    Attributes:
        copies: how many changed copies of each recording there are, beside the recording itself.
        reverberation: by simulated rooms.
        noise: added to the speech.
        volume: of the recording.
        telephone: that it is transmitted by.
        codec: that it is stored with.
        seed: of everything random.
    """

    copies: int = 1
    reverberation: ReverberationOptions | None = None
    noise: NoiseOptions | None = None
    volume: VolumeOptions | None = None
    telephone: TelephoneOptions | None = None
    codec: CodecOptions | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise UsageError(f"copies: expected a number > 0, found {self.copies}")
        if self.seed < 0:
            raise UsageError(f"seed: expected a number >= 0, found {self.seed}")
