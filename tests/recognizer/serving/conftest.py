"""A server of the toy model, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy_recognizer(toy_model: Path):
    from recognizer.recognizer import Recognizer

    return Recognizer(toy_model)


@pytest.fixture(scope="module")
def server(toy_recognizer) -> Iterator:
    from running_server import running

    with running(toy_recognizer) as one:
        yield one
