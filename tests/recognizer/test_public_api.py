"""What users import from ``recognizer``."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import recognizer
from places import ROOT


def typed_imports() -> dict[str, str]:
    """Public names and their modules as type checkers see them."""
    source = Path(recognizer.__file__).read_text(encoding="utf-8")
    return {
        alias.name: node.module or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("recognizer.")
        for alias in node.names
    }


def test_both_lists_of_names_are_the_same():
    assert sorted(typed_imports()) == recognizer.__all__
    for name, module in typed_imports().items():
        assert getattr(recognizer, name) is getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("name", recognizer.__all__)
def test_every_public_name_is_documented(name: str):
    value = getattr(recognizer, name)
    assert inspect.getdoc(value), name
    if inspect.isclass(value):
        members = [
            (f"{name}.{key}", member)
            for key, member in vars(value).items()
            if not key.startswith("_") and (callable(member) or isinstance(member, property))
        ]
        for path, member in members:
            assert inspect.getdoc(member), path
        if dataclasses.is_dataclass(value):
            text = inspect.getdoc(value) or ""
            for field in dataclasses.fields(value):
                assert re.search(rf"\b{field.name}\b", text), f"{name}.{field.name}"
    else:
        assert inspect.signature(value).return_annotation is not inspect.Signature.empty, name


def test_importing_is_cheap_and_each_name_brings_only_its_part():
    script = (
        "import sys, recognizer\n"
        "assert not {'numpy', 'torch', 'rich'} & set(sys.modules)\n"
        "recognizer.Recognizer, recognizer.best_path, recognizer.evaluate, recognizer.build_model\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Recogniser'"):
        recognizer.Recogniser  # noqa: B018


def test_what_documents_import_is_there():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    found = 0
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for names in re.findall(
            r"^[>. ]*from recognizer import (\([^)]+\)|[\w, ]+$)", text, re.MULTILINE
        ):
            for name in re.findall(r"\w+", names):
                assert name in recognizer.__all__, f"{page.name}: {name}"
                found += 1
    assert found > 0
