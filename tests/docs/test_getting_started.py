"""Every command of some pages is run, and prints what the page shows.

A line of the page that is ``...`` stands for any lines. Numbers that depend on the machine (rates,
real-time factors, accuracies of a training) may differ; all else must be equal.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pages import DOCS, fenced_blocks
from places import ROOT

PAGES = (DOCS / "getting-started.md", DOCS / "guides" / "output-formats.md")
MEASURED = re.compile(r"RTF|frames per second|accuracy")
"""Lines of which numbers depend on the machine."""

NUMBER = re.compile(r"\d+(?:\.\d+)?")


def commands(page: str) -> list[tuple[str, list[str]]]:
    """The commands of a page's console blocks, each with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for block in fenced_blocks(page, "console"):
        inside = ""  # the word that ends a here-document
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
                inside = "".join(re.findall(r"<<'(\w+)'", line))
            elif inside:
                found[-1] = (found[-1][0] + "\n" + line, [])
                inside = "" if line == inside else inside
            else:
                found[-1][1].append(line)
    return found


def pattern(lines: list[str]) -> str:
    """A regular expression of what a command may print."""
    parts = []
    for line in lines:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        elif MEASURED.search(line):
            parts.append(
                NUMBER.sub(lambda _: r"[\d.,]+", re.escape(line).replace(r"\.", ".")) + "\n"
            )
        else:
            parts.append(re.escape(line) + "\n")
    return "".join(parts)


def test_commands_are_found_with_their_output():
    page = "```console\n$ cat > a <<'END'\nx\n\nEND\n$ ls\na\n```\ntext\n```console\n$ pwd\n```\n"
    assert commands(page) == [("cat > a <<'END'\nx\n\nEND", []), ("ls", ["a"]), ("pwd", [])]


def test_what_may_differ():
    assert re.fullmatch(pattern(["a 1", "...", "RTF 0.25, 3 s"]), "a 1\nb\nRTF 10.5, 12 s\n")
    assert not re.fullmatch(pattern(["a 1"]), "a 2\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the samples, where nothing else is."""
    directory = tmp_path_factory.mktemp("started")
    (directory / "recognizer").mkdir()
    (directory / "recognizer" / "samples").symlink_to(ROOT / "recognizer" / "samples")
    (directory / "bin").mkdir()
    for name, module in {"recognize": "recognize", "recognizer": "main"}.items():
        program = directory / "bin" / name
        program.write_text(
            f"#!{sys.executable}\nfrom recognizer.cli.{module} import main\nmain()\n"
        )
        program.chmod(0o755)
    python = directory / "bin" / "python"  # no link: beside it there is no pyvenv.cfg
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return directory


@pytest.mark.parametrize(
    ("command", "printed"),
    [one for page in PAGES for one in commands(page.read_text(encoding="utf-8"))],
    ids=lambda value: value.split("\n")[0][:60] if isinstance(value, str) else "",
)
def test_the_page_shows_what_commands_do(place: Path, command: str, printed: list[str]):
    """In the pages' order: later commands use what earlier ones wrote."""
    if "recognizer train" in command:
        pytest.importorskip("torch", reason="training needs torch")
    if command == "ls acoustic" and not (place / "acoustic").is_dir():
        pytest.skip("the training before it was skipped")
    shown = {
        **os.environ,
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=place, env=shown, text=True, timeout=600,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.fullmatch(pattern(printed), done.stdout), done.stdout
