"""What importing costs and which way imports go."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

FLOORS = {"data": 0, "am": 1, "lm": 1, "decoding": 2, "recognizer": 3}
ROOT = Path(__file__).resolve().parents[2]
TRAINING = (
    "am.lstmp", "am.blstm", "am.dnn", "am.network_module", "am.networks",
    "am.inference_torch", "am.training",
)  # fmt: skip
"""Modules whose names begin so may import torch; all others must not, nor through others."""


def sources() -> list[Path]:
    return [path for package in FLOORS for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path):
    own = path.relative_to(ROOT).parts[0]
    for name in imported(path):
        package = name.split(".")[0]
        if package in FLOORS and package != own:
            assert FLOORS[package] < FLOORS[own], f"{path} imports {name}"


def test_recognising_loads_no_torch():
    names = [
        module.name
        for package in FLOORS
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}.")
        if not module.name.startswith(TRAINING)
    ]
    assert {"recognizer.recognizer", "recognizer.cli.train", "am.inference_native"} <= set(names)
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_recognising_needs_no_torch():
    """As where it is not installed: not even a function imports it on its way."""
    script = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from recognizer.cli.recognize import main\n"
        "main()\n"
    )
    audio = ROOT / "recognizer" / "samples" / "synthetic.flac"
    done = subprocess.run(
        [sys.executable, "-c", script, str(audio)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 2


def test_help_needs_no_numpy():
    script = (
        "import sys\n"
        "import recognizer.cli.recognize, recognizer.cli.main\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
