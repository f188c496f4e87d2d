"""The examples that hypothesis draws depend on nothing but the test itself."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st


def drawn() -> list[int]:
    """The examples of a test of one integer."""
    examples = []

    @given(st.integers(0, 10**9))
    def collect(number: int) -> None:
        examples.append(number)

    collect()
    return examples


def test_imported_modules_do_not_change_the_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = drawn()
    (tmp_path / "of_many_constants.py").write_text(f"NUMBERS = {list(range(123_456, 124_456))}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("of_many_constants").NUMBERS
    assert len(before) == 100
    assert drawn() == before
