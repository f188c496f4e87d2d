"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run: a failure stands until it is mended.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The directory of real speech: SPEECH_CORPORA, or shared/corpora beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "corpora"
    path = Path(os.environ.get("SPEECH_CORPORA", default))
    if not (path / "mini-librispeech").is_dir():
        pytest.skip(f"no speech corpora at {path} (set SPEECH_CORPORA)")
    return path
