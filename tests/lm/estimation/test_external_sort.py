"""Sorting on disk: the same result for any memory and any number of threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recognizer.lm._builder import count_keys


def pairs(counted: np.ndarray) -> dict[int, int]:
    assert (np.diff(counted[::2].astype(np.int64)) > 0).all()
    return dict(counted.reshape(-1, 2).tolist())


def expected(keys: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(keys, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("memory", [0, 100, 5_000, 100_000, 10_000_000])
def test_any_memory_and_threads(tmp_path: Path, memory: int, threads: int) -> None:
    size = 500 if memory <= 100 else 60_000
    keys = np.random.default_rng(memory).integers(0, 20_000, size).astype(np.uint32)
    assert pairs(count_keys(keys, str(tmp_path), memory, threads)) == expected(keys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [0, 1, 2])
def test_few_records(tmp_path: Path, size: int) -> None:
    keys = np.arange(size, dtype=np.uint32)[::-1].copy()
    for memory in (1, 1000):
        assert pairs(count_keys(keys, str(tmp_path), memory, 2)) == expected(keys)


def test_runs_of_another_sorter(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 50, 1000).astype(np.uint32) for _ in range(2))
    for name, keys in (("one", one), ("other", other)):
        (tmp_path / name).mkdir()
        count_keys(keys, str(tmp_path / name), 1000, 1, [], True)
    runs = sorted(str(path) for name in ("one", "other") for path in (tmp_path / name).iterdir())
    assert len(runs) > 10
    both = count_keys(np.empty(0, np.uint32), str(tmp_path), 2000, 2, runs)
    assert pairs(both) == expected(np.concatenate([one, other]))
    assert all(Path(run).exists() for run in runs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    keys = np.zeros(100, np.uint32)
    with pytest.raises(FileNotFoundError) as error:
        count_keys(keys, str(tmp_path / "none"), 10, 2)
    assert error.value.filename == f"{tmp_path}/none/keys.0.run.tmp"
    broken = tmp_path / "broken.run"
    broken.write_bytes(b"123")
    with pytest.raises(OSError, match=r"broken\.run"):
        count_keys(keys, str(tmp_path), 10, 1, [str(broken)])
