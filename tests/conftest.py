"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The directory of real speech: SPEECH_CORPORA, or shared/corpora beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "corpora"
    path = Path(os.environ.get("SPEECH_CORPORA", default))
    if not (path / "mini-librispeech").is_dir():
        pytest.skip(f"no speech corpora at {path} (set SPEECH_CORPORA)")
    return path
