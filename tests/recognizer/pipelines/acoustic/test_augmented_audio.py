"""``recognizer augment``: copies to listen to, and what was done to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recognizer.data.audio.reading import read_audio
from recognizer.data.augmentation.augment import Augmentation, WaveformAugmenter
from recognizer.data.augmentation.options import AugmentationOptions

RECIPE = """
[acoustic]
speeds = [1.0, 0.9]
[acoustic.augmentation]
copies = 2
volume = { gain_db = [-20.0, -6.0] }
telephone = { probability = 0.5 }
noise = { clips = ["hum.wav"] }
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    hum = 0.1 * np.sin(np.arange(8000) / 25)
    soundfile.write(tmp_path / "hum.wav", hum, 16000)
    path = tmp_path / "train.toml"
    path.write_text(RECIPE)
    return path


def test_copies_are_what_the_record_says(command, recipe, whistled_set, tmp_path) -> None:
    out = tmp_path / "deep" / "listen"
    ran = command(
        "recognizer", "augment", recipe, whistled_set, out, "--utterances", 2, "--root", tmp_path
    )
    assert (ran.code, ran.out, ran.err) == (0, f"{out}\n", "")
    assert sorted(path.name for path in out.iterdir()) == [
        "augmentations.jsonl",
        *(f"{name}{copy}.wav" for name in ("u1", "u4") for copy in ("+1", "+2", "")),
    ]
    records = [json.loads(line) for line in (out / "augmentations.jsonl").read_text().splitlines()]
    assert [(one["utterance"], one["copy"], one["speed"]) for one in records] == [
        ("u1", 1, 0.9), ("u1", 2, 1.0), ("u4", 1, 0.9), ("u4", 2, 1.0)
    ]  # fmt: skip
    for record in records:
        name, copy = record.pop("utterance"), record.pop("copy")
        noise = None if record["noise"] is None else Path(record["noise"])
        drawn = Augmentation(**{**record, "noise": noise})
        expected = WaveformAugmenter(AugmentationOptions()).apply(
            read_audio(whistled_set / f"{name}.flac"), drawn
        )
        np.testing.assert_allclose(read_audio(out / f"{name}+{copy}.wav"), expected, atol=2e-4)


def test_wrong_uses_leave_nothing(command, recipe, whistled_set, tmp_path) -> None:
    def error(*arguments: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        ran = command("recognizer", "augment", *arguments)
        assert ran.out == "" and ran.err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return f"{ran.code} {ran.err}"

    out = tmp_path / "listen"
    assert "1 recognizer: hum.wav: expected audio files of noise" in error(
        recipe, whistled_set, out
    )
    assert "2 recognizer: " in error(recipe, whistled_set, tmp_path, "--root", tmp_path)
    (whistled_set / "u4.flac").write_bytes(b"no audio")
    assert "u4.flac: " in error(recipe, whistled_set, out, "--root", tmp_path)
    recipe.write_text("[acoustic]\nspeeds = [1.0]\n")
    assert "train.toml: expected a table [acoustic.augmentation], found none" in error(
        recipe, whistled_set, out
    )
    recipe.write_text("[acoustic.augmentation]\nnoises = 3\n")
    assert "train.toml: acoustic: augmentation: unknown key 'noises'" in error(
        recipe, whistled_set, out
    )
