"""Every example of docs/inside/tour.md is run, in order, and prints what the page shows."""

from __future__ import annotations

import doctest

import pytest

from pages import DOCS, fenced_blocks
from places import ROOT

PAGE = DOCS / "inside" / "tour.md"


def failures(source: str, name: str) -> str:
    """Run a Python session as it is shown; what failed, in doctest's words."""
    examples = doctest.DocTestParser().get_doctest(source, {}, name, name, 0)
    assert examples.examples
    report: list[str] = []
    doctest.DocTestRunner(verbose=False).run(examples, out=report.append)
    return "".join(report)


def test_a_session_that_prints_something_else_fails():
    assert failures(">>> 1 + 1\n2\n", "right") == ""
    assert "Expected:\n    3\nGot:\n    2" in failures(">>> 1 + 1\n3\n", "wrong")


def test_the_tour_shows_what_the_code_does(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    blocks = fenced_blocks(PAGE.read_text(encoding="utf-8"), "pycon")
    assert failures("\n".join(blocks), PAGE.name) == ""
