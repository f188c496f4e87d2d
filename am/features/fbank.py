"""Acoustic features: log mel energies for the network, MFCC for the Gaussian bootstrap.

The arithmetic is Kaldi's (`compute-fbank-feats`, `compute-mfcc-feats`, `add-deltas`,
`apply-cmvn`), done by kaldi-native-fbank, with two departures that make it deterministic: no
dither by default, and instead a floor under the mel energies, so that digital silence does not
fall to log(1.2e-7), far outside anything that occurs in training.

Samples are floats in [-1, 1] in this module's arguments and on the 16-bit integer scale inside,
as in Kaldi. All logarithms are natural.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import kaldi_native_fbank as knf
import numpy as np
import numpy.typing as npt

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.errors import SpeechError, UsageError

FloatArray = npt.NDArray[np.float32]

INT16_SCALE = 32768.0
_WINDOWS = ("povey", "hamming", "hanning", "rectangular", "blackman", "sine")


@dataclass(frozen=True)
class FbankOptions:
    """Options of the log mel filter bank; names and defaults follow Kaldi's where not noted.

    Attributes:
        num_bins: number of mel bins.
        sample_rate: samples per second of the audio.
        frame_length_ms: window length in milliseconds.
        frame_shift_ms: distance of window starts in milliseconds.
        low_freq: lower edge of the lowest bin, in Hz.
        high_freq: upper edge of the highest bin, in Hz; values <= 0 count down from Nyquist.
        preemphasis: coefficient of the pre-emphasis within each window.
        window: window function ("povey" is hann ** 0.85).
        dither: standard deviation of added noise on the int16 scale (Kaldi: 1; here 0).
        snip_edges: if False there are round(samples / shift) frames, centred, the edges mirrored.
        energy_floor: floor of a bin's energy on the int16 scale before the logarithm.
    """

    num_bins: int = 40
    sample_rate: int = SAMPLE_RATE
    frame_length_ms: float = 25.0
    frame_shift_ms: float = 10.0
    low_freq: float = 20.0
    high_freq: float = 0.0
    preemphasis: float = 0.97
    window: str = "povey"
    dither: float = 0.0
    snip_edges: bool = False
    energy_floor: float = 1.0

    def __post_init__(self) -> None:
        nyquist = 0.5 * self.sample_rate
        high = self.high_freq if self.high_freq > 0 else nyquist + self.high_freq
        checks = (
            (self.num_bins >= 3, "num_bins", "at least 3"),
            (self.sample_rate > 0, "sample_rate", "positive"),
            (self.frame_shift_ms > 0, "frame_shift_ms", "positive"),
            (
                self.frame_length_ms >= self.frame_shift_ms,
                "frame_length_ms",
                f"at least frame_shift_ms ({self.frame_shift_ms})",
            ),
            (0 <= self.low_freq < nyquist, "low_freq", f"in [0, {nyquist})"),
            (self.low_freq < high <= nyquist, "high_freq", f"above low_freq, up to {nyquist}"),
            (0 <= self.preemphasis <= 1, "preemphasis", "in [0, 1]"),
            (self.window in _WINDOWS, "window", f"one of {', '.join(_WINDOWS)}"),
            (self.dither >= 0, "dither", "at least 0"),
            (self.energy_floor > 0, "energy_floor", "positive"),
        )
        for holds, name, expected in checks:
            if not holds:
                raise UsageError(
                    f"FbankOptions: {name}: expected {expected}, found {getattr(self, name)!r}"
                )

    @property
    def frame_shift(self) -> float:
        """Seconds from one frame of features to the next."""
        return self.frame_shift_ms / 1000.0

    def num_frames(self, num_samples: int) -> int:
        """Number of frames of a recording of `num_samples` samples."""
        shift = int(self.sample_rate * 0.001 * self.frame_shift_ms)
        if not self.snip_edges:
            return (num_samples + shift // 2) // shift
        length = int(self.sample_rate * 0.001 * self.frame_length_ms)
        return 0 if num_samples < length else 1 + (num_samples - length) // shift


@dataclass(frozen=True)
class MfccOptions:
    """Options of the mel-frequency cepstral coefficients (Kaldi's defaults, C0 instead of energy).

    Attributes:
        num_ceps: number of coefficients, with C0.
        cepstral_lifter: the liftering constant Q; 0 turns liftering off.
        fbank: the filter bank below, of Kaldi's 23 bins.
    """

    num_ceps: int = 13
    cepstral_lifter: float = 22.0
    fbank: FbankOptions = field(default_factory=lambda: FbankOptions(num_bins=23))

    def __post_init__(self) -> None:
        if not 1 <= self.num_ceps <= self.fbank.num_bins:
            raise UsageError(
                f"MfccOptions: num_ceps: expected 1 to {self.fbank.num_bins} (the number of mel "
                f"bins), found {self.num_ceps!r}"
            )
        if self.cepstral_lifter < 0:
            raise UsageError(
                f"MfccOptions: cepstral_lifter: expected at least 0, found {self.cepstral_lifter!r}"
            )

    @property
    def frame_shift(self) -> float:
        """Seconds from one frame to the next."""
        return self.fbank.frame_shift


def _native_options(options: FbankOptions) -> Any:
    native = knf.FbankOptions()
    frame = native.frame_opts
    frame.samp_freq = options.sample_rate
    frame.frame_length_ms = options.frame_length_ms
    frame.frame_shift_ms = options.frame_shift_ms
    frame.preemph_coeff = options.preemphasis
    frame.window_type = options.window
    frame.dither = options.dither
    frame.snip_edges = options.snip_edges
    frame.remove_dc_offset = True
    frame.round_to_power_of_two = True
    mel = native.mel_opts
    mel.num_bins = options.num_bins
    mel.low_freq = options.low_freq
    mel.high_freq = options.high_freq
    native.use_energy = False
    native.use_log_fbank = True
    native.use_power = True
    return native


class FbankStream:
    """Log mel energies of audio that arrives piece by piece.

    The rows of all `accept` calls and of `finish`, stacked, equal `fbank` of the whole recording.
    A stream that ends before its first frame gives no rows; that is no error here.
    """

    def __init__(self, options: FbankOptions | None = None) -> None:
        self.options = FbankOptions() if options is None else options
        self._log_floor = np.float32(math.log(self.options.energy_floor))
        self._native = knf.OnlineFbank(_native_options(self.options))
        self._taken = 0
        self._finished = False

    def accept(self, samples: npt.ArrayLike) -> FloatArray:
        """Takes the next samples.

        Args:
            samples: `[n]`, floats in [-1, 1]; n may be 0.

        Returns:
            The frames that became complete, float32 `[t, num_bins]`, natural log.

        Raises:
            SpeechError: if the samples are not one channel of finite numbers.
            UsageError: if the stream has been finished.
        """
        if self._finished:
            raise UsageError("FbankStream: accept: expected an open stream, found a finished one")
        chunk = _checked_samples(samples)
        if chunk.size:
            scaled = chunk * np.float32(INT16_SCALE)
            self._native.accept_waveform(float(self.options.sample_rate), scaled)
        return self._take()

    def finish(self) -> FloatArray:
        """Ends the audio and returns the remaining frames, float32 `[t, num_bins]`."""
        if not self._finished:
            self._finished = True
            self._native.input_finished()
        return self._take()

    def _take(self) -> FloatArray:
        ready = self._native.num_frames_ready
        rows = np.empty((ready - self._taken, self.options.num_bins), dtype=np.float32)
        for row, frame in enumerate(range(self._taken, ready)):
            rows[row] = self._native.get_frame(frame)
        # Frames handed out are not needed again: a stream may run for hours.
        self._native.pop(ready - self._taken)
        self._taken = ready
        np.maximum(rows, self._log_floor, out=rows)
        return rows


def fbank(samples: npt.ArrayLike, options: FbankOptions | None = None) -> FloatArray:
    """Log mel energies of one recording, as Kaldi's `compute-fbank-feats`.

    Args:
        samples: `[n]`, floats in [-1, 1] at `options.sample_rate`.
        options: the feature options.

    Returns:
        float32 `[T, num_bins]`, natural log of energies on the int16 scale; with
        `snip_edges=False`, T = round(n / samples per frame shift).

    Raises:
        SpeechError: if the samples are not finite or too few for one frame.
    """
    options = FbankOptions() if options is None else options
    checked = _checked_samples(samples)
    if options.num_frames(checked.size) == 0:
        raise SpeechError(
            f"audio too short: expected samples for at least one frame of "
            f"{options.frame_shift_ms:g} ms, found {checked.size} samples "
            f"({checked.size / options.sample_rate:.4f} s)"
        )
    stream = FbankStream(options)
    return np.concatenate([stream.accept(checked), stream.finish()])


def mfcc(samples: npt.ArrayLike, options: MfccOptions | None = None) -> FloatArray:
    """Mel-frequency cepstral coefficients, as Kaldi's `compute-mfcc-feats --use-energy=false`.

    Args:
        samples: `[n]`, floats in [-1, 1].
        options: the feature options.

    Returns:
        float32 `[T, num_ceps]`, the first one C0.

    Raises:
        SpeechError: as `fbank`.
    """
    options = MfccOptions() if options is None else options
    return fbank(samples, options.fbank) @ _cepstral_matrix(options)


def _cepstral_matrix(options: MfccOptions) -> FloatArray:
    """`[num_bins, num_ceps]`: orthonormal DCT-II with the lifter 1 + Q/2 sin(pi i / Q) applied."""
    bins, ceps = options.fbank.num_bins, np.arange(options.num_ceps)
    angles = np.pi / bins * (np.arange(bins)[:, None] + 0.5) * ceps[None, :]
    matrix = np.cos(angles) * np.where(ceps == 0, math.sqrt(1 / bins), math.sqrt(2 / bins))
    lifter = options.cepstral_lifter
    if lifter > 0:
        matrix = matrix * (1 + 0.5 * lifter * np.sin(np.pi * ceps / lifter))
    result: FloatArray = matrix.astype(np.float32)
    return result


def add_deltas(features: npt.ArrayLike, order: int = 2, window: int = 2) -> FloatArray:
    """Appends differences in time, as Kaldi's `add-deltas`.

    The first order is sum_j j x(t+j) / sum_j j^2 over j = -window..window; each further order
    convolves the filter with itself. The edges repeat the first and the last frame.

    Args:
        features: `[T, D]`.
        order: how many orders of differences to append.
        window: half width of the first-order filter, in frames.

    Returns:
        float32 `[T, D * (order + 1)]`.
    """
    if order < 0 or window < 1:
        raise UsageError(
            f"add_deltas: expected order >= 0 and window >= 1, found {order} and {window}"
        )
    x = _checked_matrix(features)
    first = np.arange(-window, window + 1, dtype=np.float64)
    first /= np.sum(first**2)
    taps = np.ones(1)
    blocks = [x]
    for _ in range(order):
        taps = np.convolve(taps, first)
        reach = len(taps) // 2
        padded = np.pad(x, ((reach, reach), (0, 0)), mode="edge")
        block = np.zeros_like(x)
        for offset, tap in enumerate(taps):
            if tap != 0:
                block += np.float32(tap) * padded[offset : offset + len(x)]
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def cmvn(utterances: Sequence[npt.ArrayLike], *, variance: bool = False) -> list[FloatArray]:
    """Cepstral mean (and variance) normalisation over all utterances of one speaker.

    As Kaldi's `compute-cmvn-stats --spk2utt` and `apply-cmvn`, whose default too is the mean only.

    Args:
        utterances: the speaker's utterances, each `[T, D]`.
        variance: also scale each dimension to variance one.

    Returns:
        The normalised utterances, float32, in the same order.
    """
    matrices = [_checked_matrix(features) for features in utterances]
    if not matrices:
        return []
    frames = sum(len(x) for x in matrices)
    mean = sum(x.sum(axis=0, dtype=np.float64) for x in matrices) / frames
    scale = np.ones_like(mean)
    if variance:
        power = sum(np.square(x, dtype=np.float64).sum(axis=0) for x in matrices) / frames
        # Kaldi's floor, for constant dimensions.
        scale = 1.0 / np.sqrt(np.maximum(power - mean**2, 1e-20))
    return [((x - mean) * scale).astype(np.float32) for x in matrices]


def _checked_samples(samples: npt.ArrayLike) -> FloatArray:
    checked = np.asarray(samples, dtype=np.float32)
    if checked.ndim != 1:
        raise SpeechError(
            f"audio: expected samples of one channel [n], found shape {checked.shape}"
        )
    if not np.isfinite(checked).all():
        where = int(np.flatnonzero(~np.isfinite(checked))[0])
        raise SpeechError(
            f"audio: sample {where}: expected a finite number, found {checked[where]}"
        )
    return checked


def _checked_matrix(features: npt.ArrayLike) -> FloatArray:
    matrix = np.asarray(features, dtype=np.float32)
    if matrix.ndim != 2 or len(matrix) == 0:
        raise SpeechError(f"features: expected shape [T, D] with T > 0, found {matrix.shape}")
    return matrix
