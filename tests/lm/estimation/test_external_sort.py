"""Sorting on disk: the same counts for any memory and any number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.lm import _estimate

WORDS = 1 << 16
"""So that the key of a word is the word itself, in the upper half of 32 bits."""


def count(
    tokens: np.ndarray, directory: Path, memory: int, threads: int, name: str = "counts"
) -> list[str]:
    """The runs of the words of a text, which has no sentence ends."""
    directory.mkdir(exist_ok=True)
    path = directory / "tokens"
    tokens.astype(np.uint32).tofile(path)
    resources = _estimate.Resources(str(directory), memory, threads, _estimate.Progress())
    ids = np.empty(0, np.uint32)
    runs = _estimate.count_ngrams(str(path), ids, WORDS, 1, name, resources)
    path.unlink()
    return runs


def merge(runs: Sequence[str], directory: Path, memory: int, threads: int = 1) -> dict[int, int]:
    """The words of runs and their counts; the words must ascend."""
    path = directory / "merged"
    resources = _estimate.Resources(str(directory), memory, threads, _estimate.Progress())
    _estimate.merge_counts(runs, WORDS, 1, str(path), resources)
    records = np.fromfile(path, np.uint32).reshape(-1, 2)
    path.unlink()
    words = records[:, 0] >> 16
    assert (np.diff(words.astype(np.int64)) > 0).all()
    return dict(zip(words.tolist(), records[:, 1].tolist(), strict=True))


def expected(tokens: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(tokens, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("memory", [0, 100, 5_000, 100_000, 10_000_000])
def test_any_memory_and_threads(tmp_path: Path, memory: int, threads: int) -> None:
    size = 500 if memory <= 100 else 60_000
    tokens = np.random.default_rng(memory).integers(3, 20_000, size)
    runs = count(tokens, tmp_path, memory, threads)
    assert len(runs) > (0 if memory > 1_000_000 else 1)
    assert merge(runs, tmp_path, memory, threads) == expected(tokens)
    # Runs that were counted stay; what merging them wrote has gone.
    assert sorted(tmp_path.iterdir()) == sorted(map(Path, runs))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(3, 9), max_size=60), st.integers(0, 100), st.integers(1, 3))
def test_small_texts(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[int], memory: int, threads: int
) -> None:
    directory = tmp_path_factory.mktemp("sort")
    runs = count(np.array(tokens, np.uint32), directory, memory, threads)
    assert merge(runs, directory, memory, threads) == expected(np.array(tokens))


def test_runs_of_several_texts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(3, 50, 1000) for _ in range(2))
    runs = count(one, tmp_path / "one", 1000, 1) + count(other, tmp_path / "other", 1000, 1)
    assert len(runs) > 10
    assert merge(runs, tmp_path, 2000, 2) == expected(np.concatenate([one, other]))
    assert all(Path(run).exists() for run in runs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    tokens = np.full(100, 3)
    (tmp_path / "counts.0.run.tmp" / "something").mkdir(parents=True)
    for threads in (1, 2):
        with pytest.raises(IsADirectoryError) as error:
            count(tokens, tmp_path, 10, threads)
        assert error.value.filename == f"{tmp_path}/counts.0.run.tmp"
    broken = tmp_path / "broken.run"
    broken.write_bytes(b"123")
    with pytest.raises(OSError, match=r"broken\.run"):
        merge([str(broken)], tmp_path, 10)
