"""What README and the pages in docs name exists: files, modules, commands with options, links."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest

from pages import DOCS
from places import ROOT
from recognizer.cli.main import recognizer as recognizer_command
from recognizer.cli.recognize import recognize as recognize_command

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

SOURCES = ("data", "am", "lm", "decoding")
"""Source folders; their modules are written with the name that users import: recognizer.am.hmm."""

FOLDERS = "|".join((*SOURCES, "recognizer", "benchmarks", "examples", "tests", "docs"))
PATH = re.compile(rf"(?<![\w./-])(?:{FOLDERS})/[\w./*-]*[\w*/]")
FILE = re.compile(r"(?<![\w./*-])(?:test_[\w*]+\.py|[\w*]+\.(?:h|cc))(?!\w)")
DOTTED = re.compile(r"(?<![\w./-])(?:recognizer|benchmarks|examples)(?:\.[A-Za-z_]\w*)+")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = r"^(?:    |\$ )(?:[^#\n]*\| )?((?:recognize|recognizer) [^\n]*)"
PYTHON = re.compile(r"^```py(?:thon|con)\n.*?^```$", re.MULTILINE | re.DOTALL)


def source_modules() -> list[str]:
    """What follows ``am.`` in the name of a module or sub-folder of ``am``, and so on."""
    return [
        rf"{folder}\.{re.escape(path.name.split('.')[0])}"
        for folder in SOURCES
        for path in (ROOT / folder).iterdir()
        if path.suffix in ("", ".so", ".pyi") and not path.name.startswith("__")
    ]


SHORT = re.compile(rf"(?<![\w./-])(?:{'|'.join(source_modules())})\b(?!\.(?:toml|json|gz))")


def missing_files(text: str) -> list[str]:
    """Paths in this repository, and names of tests and C++ files, that no file has."""
    text = LINK.sub("]", text)
    paths = {path for path in PATH.findall(text) if not any(ROOT.glob(path.rstrip("/")))}
    names = {name for name in FILE.findall(text) if not any(found(name))}
    return sorted(paths | names)


def found(name: str) -> list[Path]:
    """The files of a name anywhere in the repository's folders."""
    return [path for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob(name)]


def test_files_that_sources_name_exist() -> None:
    """Comments and docstrings, too; the commands' examples name directories of users."""
    missing = {}
    for path in (path for folder in FOLDERS.split("|") for path in (ROOT / folder).rglob("*")):
        if path.suffix not in (".py", ".h", ".cc", ".pyi") or path == Path(__file__):
            continue
        if path.is_relative_to(ROOT / "recognizer" / "cli"):
            continue
        named = set(PATH.findall(path.read_text(encoding="utf-8")))
        wrong = sorted(name for name in named if not any(ROOT.glob(name.rstrip("/"))))
        if wrong:
            missing[str(path.relative_to(ROOT))] = wrong
    assert missing == {}


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        module = ".".join(parts[:end])
        try:
            if importlib.util.find_spec(module) is None:
                continue
        except ModuleNotFoundError:
            continue
        if end == len(parts):
            return True
        value = importlib.import_module(module)
        for attribute in parts[end:]:
            if not hasattr(value, attribute):
                return attribute in getattr(value, "__dataclass_fields__", ())
            value = getattr(value, attribute)
        return True
    return False


def commands(text: str) -> list[list[str]]:
    """The commands ``recognize`` and ``recognizer`` of indented and console blocks, as words."""
    shown = re.sub(r" *\\\n *", " ", text)
    lines = re.findall(
        r"^(?:    |\$ )(?:[^#\n]*\| )?((?:recognize|recognizer) [^\n]*)", shown, re.M
    )
    return [shlex.split(line, comments=True) for line in lines]


def wrong_in(words: list[str]) -> list[str]:
    """Sub-commands and options that the command does not have."""
    command: click.Command = recognize_command
    rest = words[1:]
    if words[0] == "recognizer":
        command = recognizer_command
    context = click.Context(command)
    while isinstance(command, click.Group) and not rest[0].startswith("-"):
        inner = command.get_command(context, rest[0])
        if inner is None:
            return [rest[0]]
        command, rest = inner, rest[1:]
    known = {"--help", "--version"}
    for parameter in command.params:
        known.update((*parameter.opts, *parameter.secondary_opts))
    options = [word.strip("[]").split("=")[0] for word in rest]
    return [option for option in options if option.startswith("--") and option not in known]


def test_what_is_missing_is_found():
    text = (
        "`am/hmm/topology.py`, `am/hmm/no.py` and `am/*/phones.py`; `trellis.h`, `no.h`; test_no.py"
    )
    assert missing_files(text) == ["am/hmm/no.py", "no.h", "test_no.py"]
    assert exists("recognizer.am.hmm.topology") and exists("recognizer.Recognizer.recognize")
    assert not exists("recognizer.am.hmm.no") and not exists("recognizer.Recognizer.no")
    assert SHORT.findall("am.hmm.topology, lm._arpa, recognizer.am.hmm, data.py") == [
        "am.hmm",
        "lm._arpa",
    ]
    shown = commands(
        "    recognizer lm estimate a \\\n        --no 1  # --comment\n    recognizer no\n"
    )
    assert [wrong_in(words) for words in shown] == [["--no"], ["no"]]


@each_page
def test_files_exist(page: Path):
    assert missing_files(page.read_text(encoding="utf-8")) == []


@each_page
def test_modules_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    outside = PYTHON.sub("", text)  # where `recognizer` may be a variable
    imports = re.findall(r"from ((?:recognizer|examples)[\w.]*) import (\w+)", text)
    names = {*DOTTED.findall(outside), *(f"{module}.{name}" for module, name in imports)}
    assert sorted(name for name in names if not exists(name)) == []
    assert SHORT.findall(outside) == [], "modules are named as they are imported: recognizer.am.hmm"


@each_page
def test_commands_and_options_exist(page: Path):
    shown = commands(page.read_text(encoding="utf-8"))
    assert {" ".join(words): wrong for words in shown if (wrong := wrong_in(words))} == {}


@each_page
def test_links_lead_to_files(page: Path):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        file = target.split("#")[0]
        if file and "://" not in file:
            assert (page.parent / file).exists(), target


def test_every_source_folder_is_described():
    described = set(PATH.findall((DOCS / "inside" / "architecture.md").read_text("utf-8")))
    packages = (path for folder in (*SOURCES, "recognizer") for path in (ROOT / folder).rglob("*"))
    folders = {
        str(path.parent.relative_to(ROOT))
        for path in packages
        if path.name == "__init__.py" and path.parent.parent != ROOT
    }
    folders = {folder for folder in folders if folder.split("/")[1] not in SOURCES}
    assert sorted(folders - {path.rstrip("/") for path in described}) == []


def test_pages_that_the_sources_mention_exist():
    mention = re.compile(r"(?<![\w/])docs/[\w./-]+\.md")
    named: dict[str, str] = {}
    for folder in (*SOURCES, "recognizer", "benchmarks", "examples"):
        for suffix in ("*.py", "*.h", "*.cc", "*.toml"):
            for file in (ROOT / folder).rglob(suffix):
                text = file.read_text(encoding="utf-8")
                named.update((page, str(file)) for page in mention.findall(text))
    assert named
    assert {page: file for page, file in named.items() if not (ROOT / page).exists()} == {}
