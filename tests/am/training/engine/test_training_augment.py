from __future__ import annotations

import numpy as np
import pytest

from recognizer.am.training.engine.augment import Augmenter
from recognizer.am.training.engine.options import AugmentOptions
from recognizer.data.errors import UsageError

MEAN = np.full(40, 50.0, dtype=np.float32)
FEATURES = np.random.default_rng(0).normal(size=(200, 40)).astype(np.float32)


def changed(seed: int = 0, **options: float) -> np.ndarray:
    before = FEATURES.copy()
    result = Augmenter(AugmentOptions(**options), MEAN)(  # type: ignore[arg-type]
        FEATURES, np.random.default_rng(seed)
    )
    np.testing.assert_array_equal(FEATURES, before)
    assert result.dtype == np.float32 and result.shape == FEATURES.shape
    return result


def test_nothing_by_default() -> None:
    assert not AugmentOptions().active
    np.testing.assert_array_equal(changed(), FEATURES)


def test_gain_is_one_constant() -> None:
    difference = changed(gain_std=2.0) - FEATURES
    np.testing.assert_allclose(difference, difference[0, 0], atol=1e-5)
    assert abs(difference[0, 0]) > 0.01
    drawn = [float((changed(seed, gain_std=2.0) - FEATURES).mean()) for seed in range(200)]
    assert np.std(drawn) == pytest.approx(2.0, rel=0.2)


def test_tilt_is_a_line_over_the_bins() -> None:
    difference = changed(tilt_std=1.0) - FEATURES
    np.testing.assert_allclose(np.diff(difference, n=2, axis=1), 0.0, atol=1e-5)
    np.testing.assert_allclose(difference, np.tile(difference[0], (200, 1)), atol=1e-5)
    assert np.ptp(difference[0]) > 0.01


def test_noise_is_independent() -> None:
    difference = changed(noise_std=0.5) - FEATURES
    assert difference.std() == pytest.approx(0.5, rel=0.05)


def test_frequency_masks_put_the_mean_into_bands() -> None:
    widths = []
    for seed in range(50):
        masked = (changed(seed, frequency_masks=1, frequency_width=8) == 50.0).all(0)
        (bins,) = np.nonzero(masked)
        assert len(bins) == 0 or bins[-1] - bins[0] + 1 == len(bins)
        widths.append(len(bins))
    assert min(widths) == 0 and max(widths) == 8


def test_time_masks_put_the_mean_into_stretches() -> None:
    counts = []
    for seed in range(50):
        result = changed(seed, time_masks=5, time_width=20)
        masked = (result == 50.0).all(1)
        counts.append(masked.sum())
        np.testing.assert_array_equal(result[~masked], FEATURES[~masked])
    # 5 in 1,000 frames are one in these 200, of 10 frames on average.
    assert np.mean(counts) == pytest.approx(10, abs=4)
    assert max(counts) <= 40


def test_stretches_take_at_most_a_share_of_the_utterance() -> None:
    longest = 0
    for seed in range(60):
        masked = (changed(seed, time_masks=5, time_width=200, time_share=0.15) == 50.0).all(1)
        (frames,) = np.nonzero(masked)
        if len(frames) and frames[-1] - frames[0] + 1 == len(frames):  # one stretch
            longest = max(longest, len(frames))
    assert 24 <= longest <= 30


def test_masks_wider_than_the_utterance() -> None:
    options = AugmentOptions(frequency_masks=2, frequency_width=99, time_masks=900, time_width=99)
    short = FEATURES[:3]
    for seed in range(20):
        result = Augmenter(options, MEAN)(short, np.random.default_rng(seed))
        assert result.shape == (3, 40)


def test_masks_without_a_given_mean_have_the_utterances() -> None:
    options = AugmentOptions(gain_std=5.0, frequency_masks=1, frequency_width=10, time_masks=20.0)
    loud = FEATURES + np.linspace(-9, 9, 40, dtype=np.float32)
    result = Augmenter(options, None)(loud, np.random.default_rng(3))
    gain = np.median(result - loud)
    masked = np.abs(result - loud - gain) > 1e-4
    assert 0.01 < masked.mean() < 0.9
    mean = np.broadcast_to(loud.mean(0) + gain, loud.shape)
    np.testing.assert_allclose(result[masked], mean[masked], atol=1e-3)


def test_wrong_options() -> None:
    with pytest.raises(UsageError, match="gain_std"):
        AugmentOptions(gain_std=-1.0)
    with pytest.raises(UsageError, match=r"time_share: expected a number <= 1, found 1\.5"):
        AugmentOptions(time_share=1.5)
