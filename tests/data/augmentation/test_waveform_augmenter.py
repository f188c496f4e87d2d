"""What is drawn is what is done, the same for the same seed, in the order of a recording."""

from __future__ import annotations

import pickle
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recognizer.data.augmentation.augment import (
    Augmentation,
    WaveformAugmenter,
    augment,
    copy_rng,
)
from recognizer.data.augmentation.noise import add_noise, read_clip
from recognizer.data.augmentation.options import (
    AugmentationOptions,
    CodecOptions,
    NoiseOptions,
    ReverberationOptions,
    TelephoneOptions,
    VolumeOptions,
)
from recognizer.data.augmentation.reverberation import (
    RoomResponse,
    read_responses,
    reverberate,
    write_responses,
)
from recognizer.data.augmentation.sounds import read_sounds, write_sounds
from recognizer.data.augmentation.speed import speed_perturb
from recognizer.data.augmentation.telephone import telephone
from recognizer.data.augmentation.volume import change_volume
from recognizer.data.errors import SpeechError
from recognizer.data.io.options import from_table, to_table
from signals import speech_like

pytest.importorskip("pyroomacoustics", reason="rooms need pyroomacoustics, the extra rooms")


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "noise").mkdir()
    for number in range(3):
        noise = 0.1 * rng.normal(size=4000 + number)
        soundfile.write(tmp_path / "noise" / f"{number}.wav", noise, 16000)
    responses = []
    for direct in (5, 50):
        samples = np.zeros(800, np.float32)
        samples[direct], samples[direct + 100] = 1.0, 0.5
        responses.append(RoomResponse(samples, direct))
    write_responses(tmp_path / "rooms.responses", responses, None)
    return tmp_path


EVERYTHING = AugmentationOptions(
    reverberation=ReverberationOptions(0.5),
    noise=NoiseOptions(("noise",), 0.5, (0.0, 30.0)),
    volume=VolumeOptions(0.5, (-40.0, 6.0)),
    telephone=TelephoneOptions(0.5),
    codec=None,
)


def augmenter_of(options: AugmentationOptions, sounds: Path) -> WaveformAugmenter:
    write_sounds(options, sounds, sounds)
    return read_sounds(options, sounds)


def drawn(augmenter: WaveformAugmenter, number: int = 200) -> list[Augmentation]:
    return [augmenter.draw(copy_rng(0, f"u{i}", 1)) for i in range(number)]


def test_draws_follow_from_seed_utterance_copy_and_epoch(sounds: Path) -> None:
    augmenter = augmenter_of(EVERYTHING, sounds)
    keys = [(0, "a", 1, 0), (1, "a", 1, 0), (0, "b", 1, 0), (0, "a", 2, 0), (0, "a", 1, 1)]
    numbers = [tuple(copy_rng(*key).random(4)) for key in keys]
    assert len(set(numbers)) == len(keys)
    again = pickle.loads(pickle.dumps(augmenter))
    for key in keys:
        one, first = augment(speech_like(), augmenter, copy_rng(*key), speed=0.9)
        two, second = augment(speech_like(), again, copy_rng(*key), speed=0.9)
        assert first == second and first.speed == 0.9
        np.testing.assert_array_equal(one, two)


def test_shares_and_ranges_are_those_of_the_options(sounds: Path) -> None:
    augmenter = augmenter_of(EVERYTHING, sounds)
    draws = drawn(augmenter, 1000)
    for name in ("room", "noise", "snr_db", "gain_db", "coding"):
        share = np.mean([getattr(one, name) is not None for one in draws])
        assert share == pytest.approx(0.5, abs=0.06), name
    both = np.mean([one.room is not None and one.noise is not None for one in draws])
    assert both == pytest.approx(0.25, abs=0.05)  # independent
    ratios = [one.snr_db for one in draws if one.snr_db is not None]
    assert 0 <= min(ratios) < 2 and 28 < max(ratios) <= 30
    assert {one.room for one in draws} == {None, 0, 1}
    assert len({one.noise for one in draws}) == 4
    assert {one.coding for one in draws} == {None, "ulaw", "alaw", "gsm"}


def test_one_effect_does_not_change_the_draws_of_another(sounds: Path) -> None:
    whole = augmenter_of(EVERYTHING, sounds)
    noise_only = augmenter_of(AugmentationOptions(noise=EVERYTHING.noise), sounds)
    for one, other in zip(drawn(whole), drawn(noise_only), strict=True):
        expected = Augmentation(noise=one.noise, noise_start=one.noise_start, snr_db=one.snr_db)
        assert other == expected


def test_the_order_is_that_of_a_recording(sounds: Path) -> None:
    augmenter = augmenter_of(EVERYTHING, sounds)
    clip = sounds / "noise" / "1.wav"
    done = augmenter.apply(speech_like(), Augmentation(1.1, 1, clip, 70, 5.0, -12.0, "alaw"))
    expected = reverberate(
        speed_perturb(speech_like(), 1.1), read_responses(sounds / "rooms.responses")[1]
    )
    expected = change_volume(add_noise(expected, read_clip(clip), 5.0, 70), -12.0)
    np.testing.assert_array_equal(done, telephone(expected, "alaw"))


def test_codecs(sounds: Path) -> None:
    pytest.importorskip("av", reason="codecs need PyAV, the extra media")
    options = AugmentationOptions(codec=CodecOptions(1.0, ("mp3", "aac"), (16_000, 32_000)))
    augmenter = WaveformAugmenter(options)
    draws = drawn(augmenter)
    assert {one.codec for one in draws} == {"mp3", "aac"}
    rates = [one.bit_rate for one in draws if one.bit_rate is not None]
    assert len(rates) == 200 and 16_000 <= min(rates) < 17_000 and 30_000 < max(rates) <= 32_000
    assert len(augmenter.apply(speech_like(), draws[0])) == len(speech_like())


def test_nothing_to_do_does_nothing() -> None:
    samples, done = augment(
        speech_like(), WaveformAugmenter(AugmentationOptions()), np.random.default_rng(0)
    )
    assert done == Augmentation()
    np.testing.assert_array_equal(samples, speech_like())


def test_options_are_tables() -> None:
    options = replace(EVERYTHING, codec=CodecOptions(), copies=3, seed=7)
    assert from_table(AugmentationOptions, to_table(options), "recipe.toml") == options


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"copies": 0}, "copies: expected a number > 0, found 0"),
        ({"seed": -1}, "seed: expected a number >= 0, found -1"),
        ({"noise": {}}, "noise: the key 'clips' is missing"),
        ({"noise": {"clips": []}}, "clips: expected a pattern of audio files, found none"),
        ({"noise": {"clips": ["n"], "probability": 1.5}}, "expected a number in [0, 1], found 1.5"),
        ({"noise": {"clips": ["n"], "snr_db": [20.0, 5.0]}}, "snr_db: expected two numbers"),
        ({"noise": {"clips": ["n"], "snr_db": [5.0]}}, "snr_db: expected two numbers"),
        ({"volume": {"gain_db": [float("nan"), 0.0]}}, "gain_db: expected two numbers"),
        ({"telephone": {"codings": ["morse"]}}, "expected 'ulaw' or 'alaw' or 'gsm'"),
        ({"telephone": {"codings": []}}, "codings: expected at least one, found none"),
        ({"codec": {"codecs": []}}, "codecs: expected at least one, found none"),
        ({"codec": {"bit_rate": [100, 64000]}}, "bit_rate: expected two numbers, 6000 <= low"),
        ({"reverberation": {"rooms": {"rooms": 0}}}, "rooms: expected a number > 0"),
        ({"echo": {}}, "unknown key 'echo'"),
    ],
)
def test_wrong_tables(table: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpeechError) as caught:
        from_table(AugmentationOptions, table, "recipe.toml")
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_lists_that_exist_are_kept(sounds: Path) -> None:
    augmenter = augmenter_of(EVERYTHING, sounds)
    assert [path.name for path in augmenter.clips] == ["0.wav", "1.wav", "2.wav"]
    responses = (sounds / "rooms.responses").read_bytes()
    shutil.copy(sounds / "noise" / "0.wav", sounds / "noise" / "3.wav")
    assert augmenter_of(EVERYTHING, sounds) == augmenter
    assert (sounds / "rooms.responses").read_bytes() == responses


def test_what_is_missing_is_told_before_anything_is_written(
    sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, module, options in (
        ("PyAV", "av", AugmentationOptions(codec=CodecOptions())),
        ("pyroomacoustics", "pyroomacoustics", EVERYTHING),
        ("expected audio files of noise", "", AugmentationOptions(noise=NoiseOptions(("snow",)))),
    ):
        directory = sounds / (module or "noises")
        directory.mkdir()
        with monkeypatch.context() as patch, pytest.raises(SpeechError, match=name):
            patch.setitem(sys.modules, module or "none", None)
            write_sounds(options, directory, sounds)
        assert not list(directory.iterdir())


def test_sounds_that_have_gone_are_named(sounds: Path) -> None:
    write_sounds(EVERYTHING, sounds, sounds)
    (sounds / "noise" / "1.wav").unlink()
    with pytest.raises(
        SpeechError, match=r"noise\.txt: expected files .* found 1 of 3 missing, the"
    ):
        read_sounds(EVERYTHING, sounds)
    with pytest.raises(SpeechError, match=r"noise\.txt: no such file"):
        read_sounds(EVERYTHING, sounds / "noise")
    damaged = sounds / "rooms.responses"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(SpeechError, match=r"rooms\.responses: expected \d+ bytes"):
        read_sounds(replace(EVERYTHING, noise=None), sounds)
