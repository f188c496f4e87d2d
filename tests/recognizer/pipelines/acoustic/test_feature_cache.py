"""Features in shards of files: the same as computed, written once, read where they are needed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

import babble
from recognizer.am.features.fbank import FbankOptions, fbank
from recognizer.data.augmentation.speed import speed_perturb
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.pipelines.acoustic import feature_cache
from recognizer.pipelines.acoustic.feature_cache import (
    ComputedFeatures,
    FeatureFile,
    cache_features,
)

OPTIONS = FbankOptions()
SPEEDS = (1.0, 0.9)


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    rng = np.random.default_rng(0)
    directory = tmp_path_factory.mktemp("audio")
    return [babble.utterance(rng, f"ü{i}", directory)[0] for i in range(7)]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "UTTERANCES_PER_SHARD", 3)
    feature_cache._open_shard.cache_clear()


def test_mapped_and_computed_agree(utterances: list[Utterance], tmp_path: Path) -> None:
    cache_features("toy", utterances, OPTIONS, SPEEDS, tmp_path)
    assert len(list(tmp_path.iterdir())) == 6
    for speed in SPEEDS:
        mapped = FeatureFile.of("toy", speed, tmp_path).load()
        computed = ComputedFeatures(utterances, OPTIONS, speed).load()
        assert list(mapped) == list(computed) == [utterance.id for utterance in utterances]
        assert [mapped[u.id].shard for u in utterances] == [0, 0, 0, 1, 1, 1, 2]
        for utterance in utterances:
            rows = pickle.loads(pickle.dumps(mapped[utterance.id]))
            expected = fbank(speed_perturb(utterance.samples(), speed), OPTIONS)
            np.testing.assert_array_equal(rows(), expected.astype(np.float16))
            np.testing.assert_array_equal(rows(), computed[utterance.id]())
            assert computed[utterance.id].shard == rows.shard
            assert len(rows) == len(expected)
            assert abs(len(computed[utterance.id]) - len(expected)) <= 1


def test_only_what_is_missing_is_computed(utterances: list[Utterance], tmp_path: Path) -> None:
    cache_features("toy", utterances, OPTIONS, (1.0,), tmp_path)
    file = FeatureFile.of("toy", 1.0, tmp_path)
    whole = file.shard(1).read_bytes()
    for number in (0, 2):
        os.utime(file.shard(number), (1, 1))
    file.shard(1).unlink()
    cache_features("toy", utterances, OPTIONS, (1.0,), tmp_path)
    assert file.shard(1).read_bytes() == whole
    assert [file.shard(number).stat().st_mtime == 1 for number in range(3)] == [True, False, True]


def test_few_shards_are_mapped_at_a_time(
    utterances: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "UTTERANCES_PER_SHARD", 1)
    speeds = (1.0, 0.9, 1.1)
    cache_features("toy", utterances, OPTIONS, speeds, tmp_path)
    rows = [
        row for speed in speeds for row in FeatureFile.of("toy", speed, tmp_path).load().values()
    ]
    assert len(rows) == 21
    kept = [row() for row in rows]
    assert all(features.base is None for features in kept)  # nothing refers to a file
    mapped = Path("/proc/self/maps").read_text().splitlines()
    files = {line.split()[-1] for line in mapped if f"{tmp_path}/" in line}
    assert len(files) == 16


def test_a_damaged_file_is_named(utterances: list[Utterance], tmp_path: Path) -> None:
    cache_features("toy", utterances, OPTIONS, (1.0,), tmp_path)
    file = FeatureFile.of("toy", 1.0, tmp_path)
    file.shard(2).write_bytes(file.shard(2).read_bytes()[:-5])
    with pytest.raises(SpeechError, match=r"toy@1-00002\.features: expected \d+ bytes"):
        file.load()
