"""Noise is added at the asked ratio, from the files that patterns name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from recognizer.data.augmentation.noise import add_noise, find_clips, read_clip
from recognizer.data.errors import SpeechError, UsageError
from sounds import tone


@pytest.mark.parametrize("snr", [-5.0, 0.0, 10.0, 20.0])
@pytest.mark.parametrize("length", [100, 16000, 40000])
def test_noise_has_the_asked_ratio(snr: float, length: int) -> None:
    rng = np.random.default_rng(0)
    speech = tone() / 10
    noise = rng.normal(0, 0.1, length).astype(np.float32)
    mixed = add_noise(speech, noise, snr, start=77)
    assert mixed.dtype == np.float32
    assert len(mixed) == len(speech)
    added = mixed - speech
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean(added**2))
    assert ratio == pytest.approx(snr, abs=0.01)


def test_noise_begins_where_it_should_and_repeats() -> None:
    speech = tone(seconds=0.01)
    noise = np.linspace(-0.1, 0.1, 101, dtype=np.float32)
    added = add_noise(speech, noise, 0.0, start=90) - speech
    expected = np.tile(noise, 4)[90 : 90 + len(speech)]
    np.testing.assert_allclose(added / added[0], expected / expected[0], rtol=1e-3, atol=1e-4)


def test_noise_never_clips_and_keeps_the_ratio() -> None:
    speech = 3 * tone()
    noise = np.random.default_rng(1).normal(0, 1, 16000).astype(np.float32)
    mixed = add_noise(speech, noise, 0.0)
    assert np.abs(mixed).max() == pytest.approx(1.0)
    share = np.dot(mixed, speech) / np.dot(speech, speech)
    residue = mixed - share * speech
    ratio = 10 * np.log10(np.mean((share * speech) ** 2) / np.mean(residue**2))
    assert ratio == pytest.approx(0.0, abs=0.3)


def test_noise_leaves_its_input_alone() -> None:
    speech, noise = tone(), tone(seconds=0.3, frequency=50.0)
    before = speech.copy()
    add_noise(speech, noise, 5.0)
    np.testing.assert_array_equal(speech, before)


def test_silence_has_no_ratio() -> None:
    silence = np.zeros(100, np.float32)
    np.testing.assert_array_equal(add_noise(silence, tone(), 5.0), silence)
    np.testing.assert_array_equal(add_noise(tone(), silence, 5.0), tone())
    with pytest.raises(SpeechError, match="at least one sample"):
        add_noise(tone(), np.zeros(0, np.float32), 5.0)
    with pytest.raises(UsageError, match="finite signal-to-noise"):
        add_noise(tone(), tone(), float("nan"))


@pytest.fixture
def noises(tmp_path: Path) -> Path:
    for name in ("rain/1-7-A.wav", "rain/5-8-A.wav", "dog/1-9-A.flac", "dog/about.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("nothing to hear")
        else:
            soundfile.write(path, tone(seconds=0.1), 16000)
    return tmp_path


def test_patterns_name_files_and_directories(noises: Path) -> None:
    def names(*patterns: str) -> list[str]:
        return [str(path.relative_to(noises)) for path in find_clips(patterns, noises)]

    assert names(".") == ["dog/1-9-A.flac", "rain/1-7-A.wav", "rain/5-8-A.wav"]
    assert names("*/[1-4]-*") == ["dog/1-9-A.flac", "rain/1-7-A.wav"]
    assert names("rain", "**/5-*") == ["rain/1-7-A.wav", "rain/5-8-A.wav"]
    assert names(str(noises / "dog" / "*.flac")) == ["dog/1-9-A.flac"]


@pytest.mark.parametrize("pattern", ["snow", "*/9-*", "rain/none.wav"])
def test_patterns_without_a_file(noises: Path, pattern: str) -> None:
    with pytest.raises(SpeechError, match="expected audio files of noise, found none") as caught:
        find_clips(["rain", pattern], noises)
    assert str(caught.value).startswith(str(noises / pattern))


def test_clips_are_kept_with_16_bits(noises: Path) -> None:
    path = noises / "rain/1-7-A.wav"
    clip = read_clip(path)
    assert clip.dtype == np.float32
    np.testing.assert_allclose(clip, tone(seconds=0.1)[1:], atol=1e-4)  # begins with a zero
    path.unlink()
    np.testing.assert_array_equal(read_clip(path), clip)


def test_silence_at_the_ends_of_a_clip_is_left_out(tmp_path: Path) -> None:
    bark = np.concatenate([tone(seconds=0.1), np.zeros(300, np.float32), tone(seconds=0.1)])
    padded = np.concatenate([np.zeros(500), bark, 1e-5 * np.ones(9000)])
    soundfile.write(tmp_path / "bark.wav", padded, 16000, subtype="FLOAT")
    clip = read_clip(tmp_path / "bark.wav")
    assert abs(len(clip) - len(bark)) <= 2
    soundfile.write(tmp_path / "silence.wav", np.zeros(100), 16000)
    np.testing.assert_array_equal(read_clip(tmp_path / "silence.wav"), np.zeros(100))


def test_a_file_that_is_no_audio_is_named(noises: Path) -> None:
    with pytest.raises(SpeechError, match=r"about\.txt: "):
        read_clip(noises / "dog/about.txt")
