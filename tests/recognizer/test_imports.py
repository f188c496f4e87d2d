"""What importing costs and which way imports go."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import recognizer
from places import ROOT

LEVELS = {"data": 0, "am": 1, "lm": 1, "decoding": 2, "recognizer": 3}
"""The five source folders: one imports only from folders of lower levels."""

TRAINING = (
    "recognizer.am.torch",
    "recognizer.am.training",
    "recognizer.lm.neural.addressing",
    "recognizer.lm.neural.memory_step",
    "recognizer.lm.neural.ntm",
    "recognizer.lm.neural.rmsprop",
    "recognizer.lm.neural.stacked_lstm",
    "recognizer.lm.neural.word_network",
    "recognizer.lm.tagging.network",
    "recognizer.pipelines.language_model.training",
    "recognizer.pipelines.tagging.training",
    "recognizer.experiments.ntm.training",
)
"""Modules whose names begin so may import torch; all others must not, nor through others."""

# Files of these folders are our own, but not part of what is installed.
AROUND = ("tests", "benchmarks", "examples")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def file_of(module: str) -> Path | None:
    """The file or folder of a module, relative to the repository; None if it is no module."""
    parts = module.split(".")[1:]
    if not parts or parts[0] not in LEVELS:
        parts = ["recognizer", *parts]
    path = Path(*parts)
    for found in (path.with_suffix(".py"), path, path.with_suffix(".pyi")):
        if (ROOT / found).exists():
            return found
    return None


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                ours = node.module.split(".")[0] == "recognizer"
                names.add(inner if ours and file_of(inner) else node.module)
    return names


def folder_of(module: str) -> str | None:
    """The folder that a module of ours stands in, such as ``am/tree``; None for others' modules."""
    if module.split(".")[0] != "recognizer":
        return None
    path = file_of(module)
    assert path is not None, f"there is no {module}"
    return str(path if (ROOT / path).is_dir() else path.parent)


def folder_imports() -> dict[str, dict[str, str]]:
    """For every folder, the other folders that its files import from, each with one such file."""
    found: dict[str, dict[str, str]] = {}
    for path in sources(*LEVELS):
        relative = path.relative_to(ROOT)
        if relative == Path("recognizer/__init__.py"):
            continue  # the list of public names, each imported when it is first used
        if path.is_relative_to(ROOT / "recognizer") and relative.parts[1] in LEVELS:
            continue  # a link to a folder that is read under its own name
        own = str(relative.parent)
        for name in imported(path):
            folder = folder_of(name)
            if folder is not None and folder != own:
                found.setdefault(own, {}).setdefault(folder, f"{relative} imports {name}")
    return found


def native_includes() -> dict[str, dict[str, str]]:
    """The same of native code: for every folder, the others whose headers it includes."""
    found: dict[str, dict[str, str]] = {}
    for level in LEVELS:
        for path in sorted((ROOT / level / "csrc").rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            relative = path.relative_to(ROOT)
            own = str(relative.parent)
            for name in re.findall(r'^#include "(.+)"', path.read_text("utf-8"), re.MULTILINE):
                assert (ROOT / name).is_file(), f"{relative} includes {name}: not from the root"
                other = str(Path(name).parent)
                if other != own:
                    found.setdefault(own, {}).setdefault(other, f"{relative} includes {name}")
    return found


def test_levels_import_downward():
    for own, others in [*folder_imports().items(), *native_includes().items()]:
        for other, why in others.items():
            first, second = own.split("/")[0], other.split("/")[0]
            assert first == second or LEVELS[second] < LEVELS[first], why


@pytest.mark.parametrize(
    ("imports", "some"),
    [
        (folder_imports(), {"am/tree", "am/training/parallel", "recognizer/cli/lm"}),
        (native_includes(), {"am/csrc/layers", "decoding/csrc/on_the_fly"}),
    ],
    ids=["python", "native"],
)
def test_folders_import_without_circles(imports: dict[str, dict[str, str]], some: set[str]):
    assert some <= set(imports)
    try:
        TopologicalSorter({own: set(others) for own, others in imports.items()}).prepare()
    except CycleError as error:
        circle = error.args[1]
        pairs = zip(circle[1:], circle, strict=False)
        pytest.fail("\n".join(imports[own][other] for own, other in pairs))


@pytest.mark.parametrize("path", sources(*LEVELS, *AROUND), ids=lambda p: str(p.relative_to(ROOT)))
def test_all_that_is_ours_has_one_name(path: Path):
    """`import data` would find the folder here, but a user's own file after installing."""
    for name in imported(path):
        assert name.split(".")[0] not in LEVELS.keys() - {"recognizer"}, f"{path} imports {name}"


def test_public_classes_have_names_of_their_own():
    """A reader who meets a class's name knows which class it is."""
    files: dict[str, list[str]] = {}
    for path in sources(*LEVELS):
        relative = path.relative_to(ROOT)
        if path.is_relative_to(ROOT / "recognizer") and relative.parts[1] in LEVELS:
            continue  # a link to a folder that is read under its own name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                files.setdefault(node.name, []).append(str(relative))
    assert {name: found for name, found in files.items() if len(found) > 1} == {}


def test_recognising_loads_no_torch():
    names = [
        module.name
        for module in pkgutil.walk_packages(recognizer.__path__, "recognizer.")
        if not module.name.startswith(TRAINING)
    ]
    expected = {
        "recognizer.recognizer",
        "recognizer.cli.training.train",
        "recognizer.am.nnet.native",
    }
    assert expected <= set(names)
    script = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_recognising_needs_neither_torch_nor_native_modules_of_training():
    """As after `make recognize`: not even a function imports them on its way."""
    missing = ["torch"]
    for folder in ("am", "lm", "decoding", "recognizer"):
        for left_out in re.findall(
            r"^if\(NOT RECOGNITION_ONLY\)$(.*?)^endif",
            (ROOT / folder / "csrc" / "native.cmake").read_text(),
            flags=re.DOTALL | re.MULTILINE,
        ):
            names = re.findall(r"add_native_module\((\w+) (\w+)", left_out)
            missing += [f"recognizer.{package}.{name}" for package, name in names]
    assert {"recognizer.lm._estimate", "recognizer.am._sequence"} <= set(missing)
    script = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({missing!r}))\n"
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
