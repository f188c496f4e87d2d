"""Features against kaldi-native-fbank's own MFCC, against plain loops, and stream against whole."""

from __future__ import annotations

from pathlib import Path

import kaldi_native_fbank as knf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.am.features.fbank import (
    FbankOptions,
    FbankStream,
    MfccOptions,
    add_deltas,
    cmvn,
    fbank,
    mfcc,
)
from recognizer.data.audio.reading import read_audio
from recognizer.data.errors import SpeechError, UsageError


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=samples) * 0.1).astype(np.float32)


def plain_fbank(samples: np.ndarray, options: FbankOptions) -> np.ndarray:
    """Kaldi's filter bank written from its definition, in float64, for snip_edges=False."""
    x = samples.astype(np.float64) * 32768
    rate, shift = options.sample_rate, int(options.sample_rate * options.frame_shift_ms / 1000)
    length = int(options.sample_rate * options.frame_length_ms / 1000)
    fft = 1 << (length - 1).bit_length()
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1))) ** 0.85

    def mel(hz: float) -> float:
        return 1127 * np.log(1 + hz / 700)

    high = options.high_freq if options.high_freq > 0 else rate / 2 + options.high_freq
    edges = np.linspace(mel(options.low_freq), mel(high), options.num_bins + 2)
    rows = []
    for frame in range((len(x) + shift // 2) // shift):
        start = frame * shift + shift // 2 - length // 2
        piece = np.empty(length)
        for i in range(length):
            at = start + i
            while not 0 <= at < len(x):
                at = -at - 1 if at < 0 else 2 * len(x) - 1 - at
            piece[i] = x[at]
        piece -= piece.mean()
        previous = np.concatenate([piece[:1], piece[:-1]])
        piece = (piece - options.preemphasis * previous) * window
        power = np.abs(np.fft.rfft(piece, fft)) ** 2
        row = []
        for b in range(options.num_bins):
            left, centre, right = edges[b : b + 3]
            energy = 0.0
            for k in range(fft // 2):
                m = mel(k * rate / fft)
                if left < m < right:
                    up = (m - left) / (centre - left)
                    energy += power[k] * min(up, (right - m) / (right - centre))
            row.append(np.log(max(energy, options.energy_floor)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("samples", [80, 800, 1000, 4001])
@pytest.mark.parametrize("num_bins", [23, 40])
def test_fbank_equals_the_definition(samples: int, num_bins: int) -> None:
    options = FbankOptions(num_bins=num_bins)
    x = noise(samples)
    expected = plain_fbank(x, options)
    assert fbank(x, options).shape == expected.shape
    np.testing.assert_allclose(fbank(x, options), expected, atol=2e-3)


def test_fbank_is_on_the_integer_scale_and_repeatable() -> None:
    x = noise(16000)
    np.testing.assert_array_equal(fbank(x), fbank(x))
    louder = fbank(x * 2) - fbank(x)
    np.testing.assert_allclose(louder, np.log(4), atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "frames"), [(80, 1), (239, 1), (240, 2), (800, 5), (16000, 100), (16079, 100)]
)
def test_number_of_frames_is_the_rounded_quotient(samples: int, frames: int) -> None:
    assert fbank(noise(samples)).shape == (frames, 40)
    assert FbankOptions().num_frames(samples) == frames


def test_number_of_frames_with_snipped_edges() -> None:
    options = FbankOptions(snip_edges=True)
    for samples in (400, 559, 560, 16000):
        assert len(fbank(noise(samples), options)) == options.num_frames(samples)
    with pytest.raises(SpeechError, match="too short"):
        fbank(noise(399), options)


def test_silence_is_floored() -> None:
    np.testing.assert_array_equal(fbank(np.zeros(1600)), np.zeros((10, 40), np.float32))
    floored = fbank(np.zeros(1600), FbankOptions(energy_floor=10.0))
    np.testing.assert_allclose(floored, np.log(10.0), rtol=1e-6)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0), np.zeros(79), np.zeros((2, 800)), np.array([np.nan] * 800), [np.inf] * 800],
)
def test_unusable_audio_is_refused_in_one_line(samples: object) -> None:
    with pytest.raises(SpeechError) as caught:
        fbank(samples)  # type: ignore[arg-type]
    assert str(caught.value).startswith("audio") and "\n" not in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 900), max_size=8), st.booleans(), st.integers(0, 5))
def test_stream_equals_whole(sizes: list[int], snip: bool, seed: int) -> None:
    options = FbankOptions(snip_edges=snip)
    x = noise(sum(sizes), seed)
    stream = FbankStream(options)
    parts, at = [], 0
    for size in sizes:
        parts.append(stream.accept(x[at : at + size]))
        at += size
    parts += [stream.finish(), stream.finish()]
    got = np.concatenate(parts)
    if options.num_frames(len(x)) == 0:
        assert got.shape == (0, 40)
    else:
        np.testing.assert_array_equal(got, fbank(x, options))


def test_finished_stream_takes_no_more() -> None:
    stream = FbankStream()
    stream.finish()
    with pytest.raises(UsageError, match="finished"):
        stream.accept(noise(10))


def test_mfcc_equals_the_native_one() -> None:
    native = knf.MfccOptions()
    native.frame_opts.dither = 0
    native.frame_opts.snip_edges = False
    native.use_energy = False
    online = knf.OnlineMfcc(native)
    x = noise(16000)
    online.accept_waveform(16000, x * np.float32(32768))
    online.input_finished()
    expected = np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])
    assert expected.shape == (100, 13)
    np.testing.assert_allclose(mfcc(x), expected, atol=2e-3)


def test_deltas_equal_a_plain_loop() -> None:
    x = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)

    def delta(values: np.ndarray, t: int) -> np.ndarray:
        # On the endless signal whose edges repeat, so that the second order sees the first's
        # values beyond the edges too, as in Kaldi.
        def at(i: int) -> np.ndarray:
            return values[min(max(i, 0), len(values) - 1)]

        return sum(j * (at(t + j) - at(t - j)) for j in (1, 2)) / 10

    wide = np.pad(x, ((8, 8), (0, 0)), mode="edge")
    first = np.array([delta(wide, t) for t in range(len(wide))])
    second = np.array([delta(first, t) for t in range(len(wide))])
    expected = np.concatenate([x, first[8:-8], second[8:-8]], axis=1)
    np.testing.assert_allclose(add_deltas(x), expected, atol=1e-5)
    np.testing.assert_array_equal(add_deltas(x, order=0), x)


def test_cmvn_is_over_all_utterances_of_the_speaker() -> None:
    rng = np.random.default_rng(2)
    utterances = [rng.normal(3, 2, size=(n, 4)) for n in (10, 25)]
    centred = np.concatenate(cmvn(utterances))
    np.testing.assert_allclose(centred.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(centred.std(axis=0), np.concatenate(utterances).std(axis=0), 1e-4)
    scaled = np.concatenate(cmvn(utterances, variance=True))
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-4)
    assert [len(x) for x in cmvn(utterances)] == [10, 25]
    assert cmvn([]) == []
    with pytest.raises(SpeechError, match="shape"):
        cmvn([np.zeros(3)])


@pytest.mark.parametrize(
    "bad",
    [
        {"num_bins": 2},
        {"sample_rate": 0},
        {"frame_shift_ms": 0},
        {"frame_length_ms": 5},
        {"low_freq": 8000},
        {"high_freq": 10},
        {"high_freq": 9000},
        {"preemphasis": 2},
        {"window": "square"},
        {"dither": -1},
        {"energy_floor": 0},
    ],
)
def test_impossible_options_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(bad))):
        FbankOptions(**bad)  # type: ignore[arg-type]


def test_impossible_mfcc_options_are_refused() -> None:
    with pytest.raises(UsageError, match="num_ceps"):
        MfccOptions(num_ceps=24)
    with pytest.raises(UsageError, match="cepstral_lifter"):
        MfccOptions(cepstral_lifter=-1)
    assert FbankOptions().frame_shift == MfccOptions().frame_shift == 0.01


def test_real_speech(corpora: Path) -> None:
    recordings = sorted((corpora / "mini-librispeech" / "dev" / "audio").rglob("*.opus"))[:3]
    assert recordings
    ceps = []
    for recording in recordings:
        x = read_audio(recording)
        whole = fbank(x)
        assert len(whole) == FbankOptions().num_frames(len(x)) == len(mfcc(x))
        # Speech on the int16 scale lies well above the floor and below full scale.
        assert np.isfinite(whole).all() and 6 < whole.mean() < 20 and whole.min() >= 0
        part = x[:8000]
        np.testing.assert_allclose(fbank(part), plain_fbank(part, FbankOptions()), atol=1e-2)
        stream = FbankStream()
        parts = [stream.accept(x[at : at + 1234]) for at in range(0, len(x), 1234)]
        np.testing.assert_array_equal(np.concatenate([*parts, stream.finish()]), whole)
        ceps.append(mfcc(x))
    features = np.concatenate([add_deltas(c) for c in cmvn(ceps)])
    assert features.shape == (sum(map(len, ceps)), 39)
    np.testing.assert_allclose(features[:, :13].mean(axis=0), 0, atol=1e-4)
    # Differences of differences move less than differences, and those less than the values.
    spread = features.std(axis=0).reshape(3, 13)
    assert (spread[0] > spread[1]).all() and (spread[1] > spread[2]).all()
