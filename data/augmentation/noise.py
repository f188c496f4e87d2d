"""Noise added to speech, and the recordings that it comes from."""

from __future__ import annotations

import functools
import glob
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.data.audio.reading import Samples, read_audio
from recognizer.data.corpora.mfa import AUDIO_SUFFIXES
from recognizer.data.errors import SpeechError, UsageError

_KEPT_CLIPS = 512  # in memory: 80 MB of clips of 5 s
_FULL_SCALE = 32767.0
_SILENCE = 1e-3  # of the loudest sample


def add_noise(samples: Samples, noise: Samples, snr_db: float, start: int = 0) -> Samples:
    """Add noise at a signal-to-noise ratio.

    The noise is repeated until it is long enough. Where speech or noise is silent throughout no
    ratio exists, and the samples come back unchanged.

    Args:
        samples: float32 `[N]`.
        noise: float32 `[M]`, M >= 1.
        snr_db: ratio of the mean powers of speech and added noise in dB.
        start: sample of the noise that meets the first sample of the speech.

    Returns:
        float32 `[N]`, scaled down where it would otherwise leave [-1, 1].

    Raises:
        SpeechError: no noise.
        UsageError: the ratio is not a finite number.
    """
    if not len(noise):
        raise SpeechError("expected noise of at least one sample, found none")
    if not np.isfinite(snr_db):
        raise UsageError(f"expected a finite signal-to-noise ratio, found {snr_db}")
    part = np.take(noise, np.arange(start, start + len(samples)), mode="wrap")
    power, noise_power = mean_power(samples), mean_power(part)
    if power == 0.0 or noise_power == 0.0:
        return samples
    gain = np.sqrt(power / noise_power / 10.0 ** (snr_db / 10.0))
    mixed = samples + np.float32(gain) * part
    peak = float(np.abs(mixed).max())
    loudest = max(1.0, float(np.abs(samples).max()))
    if peak > loudest:
        mixed = mixed * np.float32(loudest / peak)
    return np.ascontiguousarray(mixed, dtype=np.float32)


def mean_power(samples: Samples) -> float:
    """Mean of the squared samples `[N]`; 0 without any."""
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0


def find_clips(patterns: Sequence[str], root: Path = Path()) -> tuple[Path, ...]:
    """The audio files that patterns name.

    Args:
        patterns: of files, such as ``noise/*/[1-4]-*.opus`` (``**`` stands for any directories),
            or directories, of which all audio files are taken, those of sub-directories too.
        root: directory that relative patterns start from.

    Returns:
        The files in order, each once.

    Raises:
        SpeechError: a pattern without a file.
    """
    found: set[Path] = set()
    for pattern in patterns:
        whole = root / pattern
        files = {Path(name) for name in glob.glob(str(whole), recursive=True)}  # noqa: PTH207
        inside = {file for one in files if one.is_dir() for file in one.rglob("*")}
        clips = {one for one in files if one.is_file()}
        clips |= {one for one in inside if one.suffix.lower() in AUDIO_SUFFIXES}
        if not clips:
            raise SpeechError(f"{whole}: expected audio files of noise, found none")
        found |= clips
    return tuple(sorted(found))


def read_clip(path: Path) -> Samples:
    """A recording of noise as float32 samples `[M]`; each process keeps some hundred of them.

    Silence at both ends (60 dB below the loudest sample) is left out: many collections have filled
    their clips up to the same length with it, and no ratio to speech could be meant by that.

    Raises:
        SpeechError: as `recognizer.data.audio.reading.read_audio`.
    """
    clip: Samples = _decoded(path).astype(np.float32) / np.float32(_FULL_SCALE)
    return clip


@functools.lru_cache(maxsize=_KEPT_CLIPS)
def _decoded(path: Path) -> npt.NDArray[np.int16]:
    """As 16-bit integers, in half of the memory."""
    samples = np.clip(read_audio(path), -1.0, 1.0)
    level = np.abs(samples)
    (loud,) = np.nonzero(level >= _SILENCE * level.max())
    part = samples[loud[0] : loud[-1] + 1]
    integers: npt.NDArray[np.int16] = np.rint(part * _FULL_SCALE).astype(np.int16)
    return integers
