"""What an installation adds to an environment: one import package, beside which users' own stand.

The source folders ``data``, ``am``, ``lm`` and ``decoding`` are at the top of the repository, but
those names belong to the users of the package: a script's own ``data.py`` must neither disturb
``recognizer`` nor be replaced by a folder of ours.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from places import ROOT

FOLDERS = ("am", "data", "decoding", "lm")
"""Source folders that are installed inside ``recognizer``."""

pytest.importorskip("scikit_build_core", reason="builds the package: needs scikit-build-core")
pytest.importorskip("nanobind", reason="builds the package: needs nanobind")

SAID = "she opened the door and looked out into the garden but there was nobody there"

SCRIPT = """
import json, sys
import am, data, decoding, lm
from recognizer import Recognizer
import recognizer

result = Recognizer().recognize(sys.argv[1])
json.dump({
    "text": result.text,
    "recognizer": recognizer.__file__,
    "own": [module.WHOSE for module in (am, data, decoding, lm)],
}, sys.stdout)
"""


def environment() -> dict[str, str]:
    """Variables for other processes: nothing of ours on their path, and a compiler's cache used."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if shutil.which("ccache") is not None:
        variables.setdefault("CMAKE_CXX_COMPILER_LAUNCHER", "ccache")
    return variables


def run(*command: object, directory: Path, fails: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


def build(kind: str, directory: Path) -> Path:
    """Builds a ``wheel``, an ``editable`` one or the ``sdist`` with the build of the checkout.

    The build folder is that of an editable installation (``build-dir`` in pyproject.toml), so that
    after ``make test`` has installed the package nothing is compiled again.
    """
    code = f"from scikit_build_core import build; build.build_{kind}({str(directory)!r})"
    run(sys.executable, "-c", code, directory=ROOT)
    (built,) = directory.iterdir()
    return built


class FreshEnvironment:
    """A virtual environment that sees the dependencies of this one, but nothing of ours.

    Args:
        directory: where to make it; must not exist.
    """

    def __init__(self, directory: Path) -> None:
        run(sys.executable, "-m", "venv", "--without-pip", directory, directory=directory.parent)
        self.python = directory / "bin" / "python"
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        found = run(self.python, "-c", where, directory=directory)
        self.packages = Path(found.stdout.strip())
        # Folders that a .pth file names come last, and .pth files in them, by which the package may
        # be installed here, are not read.
        theirs = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (self.packages / "dependencies.pth").write_text("\n".join(sorted(theirs)))

    def install(self, wheel: Path) -> set[str]:
        """Installs a wheel; returns what the folder of packages has gained."""
        before = {path.name for path in self.packages.iterdir()}
        pip = (sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check")
        options = ("--no-deps", "--no-index", "--no-compile", "--ignore-installed")
        run(*pip, "install", *options, wheel, directory=wheel.parent)
        return {path.name for path in self.packages.iterdir()} - before


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def test_an_installed_wheel_leaves_users_their_names(wheel: Path, tmp_path: Path) -> None:
    fresh = FreshEnvironment(tmp_path / "fresh")
    gained = fresh.install(wheel)
    assert {name for name in gained if not name.endswith(".dist-info")} == {"recognizer"}

    user = tmp_path / "user"
    user.mkdir()
    for name in FOLDERS:
        (user / f"{name}.py").write_text(f"WHOSE = 'own {name}'\n")
    (user / "script.py").write_text(SCRIPT)
    sample = ROOT / "recognizer" / "samples" / "synthetic.flac"
    said = json.loads(run(fresh.python, "script.py", sample, directory=user).stdout)
    assert said["own"] == [f"own {name}" for name in FOLDERS]
    assert Path(said["recognizer"]).is_relative_to(fresh.packages)
    assert said["text"] == SAID


def test_a_wheel_holds_every_module_and_no_source_of_native_code(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    ours = {path.relative_to(ROOT) for path in (ROOT / "recognizer").rglob("*.py")}
    for folder in FOLDERS:
        ours |= {
            Path("recognizer") / path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py")
        }
    assert {name for name in held if name.endswith(".py")} == {path.as_posix() for path in ours}
    typed = {name for name in held if Path(name).match("_*.pyi")}  # one for each native module
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert len(typed) >= 9
    assert {name for name in held if name.endswith(suffix)} == {
        name.removesuffix(".pyi") + suffix for name in typed
    }
    assert "recognizer/py.typed" in held
    assert not [name for name in held if "/csrc/" in name]


def test_an_editable_installation_is_the_checkout_and_adds_no_other_name(tmp_path: Path) -> None:
    fresh = FreshEnvironment(tmp_path / "fresh")
    gained = fresh.install(build("editable", tmp_path / "editable"))
    names = {name for name in gained if not name.startswith("_") and "." not in name}
    assert names == {"recognizer"}

    # New files are found because packages are searched in their folders.
    code = (
        "import importlib, json, sys;"
        "print(json.dumps([list(importlib.import_module(n).__path__) for n in sys.argv[1:]]))"
    )
    packages = ["recognizer", *(f"recognizer.{name}" for name in FOLDERS)]
    searched = json.loads(run(fresh.python, "-c", code, *packages, directory=tmp_path).stdout)
    for folder, paths in zip(("recognizer", *FOLDERS), searched, strict=True):
        found = {Path(path).resolve() for path in paths}
        assert (ROOT / folder).resolve() in found
        assert ROOT.resolve() not in found
    run(fresh.python, "-c", "import recognizer.am._inference", directory=tmp_path)

    for name in FOLDERS:
        refused = run(fresh.python, "-c", f"import {name}", directory=tmp_path, fails=True)
        assert refused.stderr.endswith(f"ModuleNotFoundError: No module named '{name}'\n")


def test_a_source_distribution_holds_each_file_once(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path / "sdist")) as archive:
        members = {member.name.split("/", 1)[1]: member for member in archive.getmembers()}
    links = {name: member.linkname for name, member in members.items() if member.issym()}
    assert links == {f"recognizer/{name}": f"../{name}" for name in FOLDERS}
    inside = tuple(f"recognizer/{name}/" for name in FOLDERS)
    assert not [name for name in members if name.startswith(inside)]
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert path.relative_to(ROOT).as_posix() in members
    assert {"CMakeLists.txt", "pyproject.toml", "LICENSE", "README.md"} <= set(members)
