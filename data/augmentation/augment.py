"""Copies of recordings as other rooms, microphones and channels would have made them.

What is done to a copy is drawn first, from options and a generator of random numbers, into an
`Augmentation`; this is then applied to samples. So what was done can be recorded, and any process
does the same to the same copy.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.data.audio.reading import Samples
from recognizer.data.augmentation.codecs import Codec, code
from recognizer.data.augmentation.noise import add_noise, read_clip
from recognizer.data.augmentation.options import AugmentationOptions
from recognizer.data.augmentation.reverberation import read_responses, reverberate
from recognizer.data.augmentation.speed import speed_perturb
from recognizer.data.augmentation.telephone import Coding, telephone
from recognizer.data.augmentation.volume import change_volume


@dataclass(frozen=True)
class Augmentation:
    """What is done to one copy of a recording; None: this is not done.

    Attributes:
        speed: factor of `speed_perturb`.
        room: number of the response in its file.
        noise: file of the noise.
        noise_start: sample of the noise with which it begins.
        snr_db: its signal-to-noise ratio in dB.
        gain_db: change of the level in dB.
        coding: of the telephone.
        codec: that it was stored with.
        bit_rate: of the codec, bits per second.
    """

    speed: float = 1.0
    room: int | None = None
    noise: Path | None = None
    noise_start: int = 0
    snr_db: float | None = None
    gain_db: float | None = None
    coding: Coding | None = None
    codec: Codec | None = None
    bit_rate: int | None = None


@dataclass(frozen=True)
class WaveformAugmenter:
    """Draws and applies augmentations; small, so that it can be sent to other processes.

    Made by `recognizer.data.augmentation.sounds.read_sounds` where noise or rooms are needed.

    Attributes:
        options: what may be done.
        clips: files of noise.
        rooms: file of room impulse responses, or None if nothing is reverberated.
    """

    options: AugmentationOptions
    clips: tuple[Path, ...] = ()
    rooms: Path | None = None

    def draw(self, rng: np.random.Generator, speed: float = 1.0) -> Augmentation:
        """What is done to a copy.

        As many numbers are drawn whatever the options are: those of one effect do not depend on
        whether there is another.

        Args:
            rng: where the randomness comes from, see `copy_rng`.
            speed: factor, which is given.
        """
        options = self.options
        numbers = rng.random(13)
        room = noise = snr_db = gain_db = coding = codec = bit_rate = None
        start = 0
        if options.reverberation is not None and numbers[0] < options.reverberation.probability:
            assert self.rooms is not None
            room = int(numbers[1] * len(read_responses(self.rooms)))
        if options.noise is not None and numbers[2] < options.noise.probability:
            noise = self.clips[int(numbers[3] * len(self.clips))]
            start = int(numbers[4] * len(read_clip(noise)))
            snr_db = _between(options.noise.snr_db, numbers[5])
        if options.volume is not None and numbers[6] < options.volume.probability:
            gain_db = _between(options.volume.gain_db, numbers[7])
        if options.telephone is not None and numbers[8] < options.telephone.probability:
            coding = options.telephone.codings[int(numbers[9] * len(options.telephone.codings))]
        if options.codec is not None and numbers[10] < options.codec.probability:
            codec = options.codec.codecs[int(numbers[11] * len(options.codec.codecs))]
            low, high = map(math.log, options.codec.bit_rate)
            bit_rate = round(math.exp(_between((low, high), numbers[12])))
        return Augmentation(speed, room, noise, start, snr_db, gain_db, coding, codec, bit_rate)

    def apply(self, samples: Samples, augmentation: Augmentation) -> Samples:
        """The copy of a recording.

        Args:
            samples: float32 `[N]`, at least one.
            augmentation: of `draw`.

        Returns:
            float32 `[N]`, or about `[N / speed]`; every sound at its time.

        Raises:
            SpeechError: noise that cannot be read.
        """
        drawn = augmentation
        samples = speed_perturb(samples, drawn.speed)
        if drawn.room is not None:
            assert self.rooms is not None
            samples = reverberate(samples, read_responses(self.rooms)[drawn.room])
        if drawn.noise is not None:
            assert drawn.snr_db is not None
            samples = add_noise(samples, read_clip(drawn.noise), drawn.snr_db, drawn.noise_start)
        if drawn.gain_db is not None:
            samples = change_volume(samples, drawn.gain_db)
        if drawn.coding is not None:
            samples = telephone(samples, drawn.coding)
        if drawn.codec is not None:
            assert drawn.bit_rate is not None
            samples = code(samples, drawn.codec, drawn.bit_rate)
        return samples


def augment(
    samples: Samples, augmenter: WaveformAugmenter, rng: np.random.Generator, speed: float = 1.0
) -> tuple[Samples, Augmentation]:
    """A copy of a recording, and what was done to it; see `WaveformAugmenter.draw` and `apply`."""
    drawn = augmenter.draw(rng, speed)
    return augmenter.apply(samples, drawn), drawn


def copy_rng(seed: int, utterance: str, copy: int, epoch: int = 0) -> np.random.Generator:
    """The random numbers of one copy of an utterance: they follow from these and nothing else.

    Args:
        seed: of the options.
        utterance: its id.
        copy: number of the copy.
        epoch: for copies that are made anew in each epoch.
    """
    digest = hashlib.sha256(utterance.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big"), copy, epoch])


def _between(limits: tuple[float, float], share: float) -> float:
    low, high = limits
    return low + (high - low) * share
