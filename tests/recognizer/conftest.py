"""Fixtures of the package's own tests: a toy model, and commands run as a user runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from commands_run import Command, Ran


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import toy  # the whole pipeline: tests that need no model should not wait for it

    return toy.build(tmp_path_factory.mktemp("models") / "whistled")


@pytest.fixture(scope="session", params=["static", "on-the-fly, epsilon", "on-the-fly, exact"])
def any_toy_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy model with every kind of first pass."""
    import toy
    from recognizer.model.config import FirstPassOptions

    search, _, backoff = request.param.partition(", ")
    first_pass = FirstPassOptions(search, backoff or "epsilon")
    return toy.build(tmp_path_factory.mktemp("models") / "kind", first_pass)


@pytest.fixture
def whistled_set(tmp_path: Path) -> Path:
    """A Kaldi data directory of whistled sentences, not all of them as its transcripts claim."""
    import toy

    return toy.write_set(tmp_path / "toyset")


@pytest.fixture
def whistled(tmp_path: Path) -> Callable[..., Path]:
    """Writes a whistled sentence to a file and returns its path."""
    import toy

    def write(text: str, name: str = "some.wav", rate: int = 16000, channels: int = 1) -> Path:
        path = tmp_path / name
        samples = np.tile(toy.whistle(text, rate=rate)[:, None], (1, channels))
        soundfile.write(path, samples, rate)
        return path

    return write


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``recognize`` or ``recognizer`` in this process."""
    from recognizer.cli import main, recognize

    entries = {"recognize": recognize.main, "recognizer": main.main}

    def run(name: str, *arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            entries[name]()
        out, err = capsys.readouterr()
        return Ran(int(exit_info.value.code or 0), out, err)

    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Corpora of a made-up language, and a recipe's work directory after a whole run."""
    pytest.importorskip("torch", reason="training needs torch")
    import babble_recipe

    return babble_recipe.make(tmp_path_factory.mktemp("recipe"))
