"""The tree of folders explains itself: no folder or file is too large, tests mirror the source."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from places import ROOT

FOLDERS = ("data", "am", "lm", "decoding", "recognizer")
AROUND = ("tests", "benchmarks", "examples")
MOST_FILES = 17  # a header and its source are one
MOST_LINES = 520
ENDINGS = (".py", ".pyi", ".cc", ".h")


def code(*folders: str) -> list[Path]:
    """Files of code, relative to the repository; links to folders are not followed."""
    return [
        (Path(folder) / name).relative_to(ROOT)
        for top in folders
        for folder, _, names in os.walk(ROOT / top)
        for name in names
        if name.endswith(ENDINGS)
    ]


def test_folders_and_files_are_small():
    files = [path for path in code(*FOLDERS, *AROUND) if path.name != "__init__.py"]
    assert len(files) > 500
    sizes = Counter(path.parent for path in {path.with_suffix("") for path in files})
    assert {str(path): size for path, size in sizes.items() if size > MOST_FILES} == {}
    lines = {path: len((ROOT / path).read_bytes().splitlines()) for path in files}
    assert {str(path): count for path, count in lines.items() if count > MOST_LINES} == {}


def test_tests_lie_where_what_they_test_lies():
    folders = {path.parent for path in code("tests") if path.parts[1] in FOLDERS}
    assert Path("tests/am/tree") in folders
    missing = {str(path) for path in folders if not (ROOT / path.relative_to("tests")).is_dir()}
    assert missing == set()
    names = Counter(path.name for path in code("tests") if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []
