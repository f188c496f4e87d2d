"""Features in shards of files: the same as computed, written once, read where they are needed."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import babble
from recognizer.am.features.fbank import FbankOptions, fbank
from recognizer.data.augmentation.augment import WaveformAugmenter, copy_rng
from recognizer.data.augmentation.options import (
    AugmentationOptions,
    TelephoneOptions,
    VolumeOptions,
)
from recognizer.data.augmentation.speed import speed_perturb
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.pipelines.acoustic import feature_cache
from recognizer.pipelines.acoustic.feature_cache import (
    ComputedFeatures,
    FeatureComputer,
    FeatureFile,
    cache_features,
)
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.acoustic.versions import RECORDING, Version, versions_of

OPTIONS = FbankOptions()
VERSIONS = (RECORDING, Version(0.9))
COPIES = (RECORDING, Version(0.9, 1), Version(1.0, 2))


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    rng = np.random.default_rng(0)
    directory = tmp_path_factory.mktemp("audio")
    return [babble.utterance(rng, f"ü{i}", directory)[0] for i in range(7)]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "UTTERANCES_PER_SHARD", 3)
    feature_cache._open_shard.cache_clear()


def computer(version: Version = RECORDING, **changes: Any) -> FeatureComputer:
    augmenter = None
    if version.copy:
        options = AugmentationOptions(volume=VolumeOptions(), telephone=TelephoneOptions(0.5))
        augmenter = WaveformAugmenter(replace(options, **changes))
    return FeatureComputer("toy", OPTIONS, version, augmenter)


@pytest.mark.parametrize("versions", [VERSIONS, COPIES])
def test_mapped_and_computed_agree(
    utterances: list[Utterance], tmp_path: Path, versions: tuple[Version, ...]
) -> None:
    for version in versions:
        cache_features(computer(version), utterances, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3 * len(versions)
    for version in versions:
        mapped = FeatureFile.of("toy", version, tmp_path).load()
        computed = ComputedFeatures(utterances, computer(version)).load()
        assert list(mapped) == list(computed) == [utterance.id for utterance in utterances]
        assert [mapped[u.id].shard for u in utterances] == [0, 0, 0, 1, 1, 1, 2]
        for utterance in utterances:
            rows = pickle.loads(pickle.dumps(mapped[utterance.id]))
            np.testing.assert_array_equal(rows(), computed[utterance.id]())
            np.testing.assert_array_equal(rows(), rows(epoch=1))
            again = np.array_equal(computed[utterance.id](epoch=1), rows())
            assert again == (version.copy == 0)
            assert computed[utterance.id].shard == rows.shard
            assert len(rows) == len(computed[utterance.id]) == len(rows())


def test_what_is_computed(utterances: list[Utterance]) -> None:
    one = utterances[0]
    slow = speed_perturb(one.samples(), 0.9)
    expected = fbank(slow, OPTIONS).astype(np.float16)
    np.testing.assert_array_equal(computer(Version(0.9))(one), expected)
    made = computer(Version(0.9, 2))
    assert made.augmenter is not None
    drawn = made.augmenter.draw(copy_rng(0, f"toy/{one.id}", 2), 0.9)
    copy = fbank(made.augmenter.apply(one.samples(), drawn), OPTIONS).astype(np.float16)
    np.testing.assert_array_equal(made(one), copy)
    assert copy.shape == expected.shape and not np.array_equal(copy, expected)
    with pytest.raises(UsageError, match=r"version 0\.9\+2: expected an augmenter"):
        replace(made, augmenter=None)(one)


def test_copies_differ_by_number_corpus_and_seed(utterances: list[Utterance]) -> None:
    def features(made: FeatureComputer) -> bytes:
        return made(utterances[0]).tobytes()

    first = computer(Version(1.0, 1))
    others = [
        computer(Version(1.0, 2)), replace(first, corpus="other"), computer(Version(1.0, 1), seed=1)
    ]  # fmt: skip
    assert len({features(made) for made in (first, *others)}) == 4
    assert features(first) == features(computer(Version(1.0, 1)))


def test_processes_make_the_same_copies(utterances: list[Utterance], tmp_path: Path) -> None:
    made = computer(Version(0.9, 1))
    for name, jobs in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        cache_features(made, utterances, tmp_path / name, jobs=jobs)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_the_versions_of_options() -> None:
    assert versions_of((0.9, 1.0), 0) == (RECORDING, Version(0.9))
    assert versions_of((1.0,), 2) == (RECORDING, Version(1.0, 1), Version(1.0, 2))
    assert [str(version) for version in versions_of((1.0, 0.9, 1.1), 4)] == [
        "1", "0.9+1", "1.1+2", "1+3", "0.9+4"
    ]  # fmt: skip
    options = AcousticOptions(speeds=(0.9, 1.0), augmentation=AugmentationOptions(copies=1))
    assert options.versions == (RECORDING, Version(0.9, 1))


@pytest.mark.parametrize("version", COPIES)
def test_only_what_is_missing_is_computed(
    utterances: list[Utterance], tmp_path: Path, version: Version
) -> None:
    cache_features(computer(version), utterances, tmp_path)
    file = FeatureFile.of("toy", version, tmp_path)
    whole = file.shard(1).read_bytes()
    for number in (0, 2):
        os.utime(file.shard(number), (1, 1))
    file.shard(1).unlink()
    cache_features(computer(version), utterances, tmp_path)
    assert file.shard(1).read_bytes() == whole
    assert [file.shard(number).stat().st_mtime == 1 for number in range(3)] == [True, False, True]


def test_few_shards_are_mapped_at_a_time(
    utterances: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "UTTERANCES_PER_SHARD", 1)
    versions = (RECORDING, Version(0.9), Version(1.1))
    for version in versions:
        cache_features(computer(version), utterances, tmp_path)
    rows = [
        row
        for version in versions
        for row in FeatureFile.of("toy", version, tmp_path).load().values()
    ]
    assert len(rows) == 21
    kept = [row() for row in rows]
    assert all(features.base is None for features in kept)  # nothing refers to a file
    mapped = Path("/proc/self/maps").read_text().splitlines()
    files = {line.split()[-1] for line in mapped if f"{tmp_path}/" in line}
    assert len(files) == 16


def test_a_damaged_file_is_named(utterances: list[Utterance], tmp_path: Path) -> None:
    cache_features(computer(), utterances, tmp_path)
    file = FeatureFile.of("toy", RECORDING, tmp_path)
    file.shard(2).write_bytes(file.shard(2).read_bytes()[:-5])
    with pytest.raises(SpeechError, match=r"toy@1-00002\.features: expected \d+ bytes"):
        file.load()
