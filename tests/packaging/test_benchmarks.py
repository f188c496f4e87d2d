"""Benchmarks start, and measure something at a tiny size."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT

FOLDERS = (
    "alignment",
    "am",
    "endpointing",
    "lm",
    "long",
    "recognition",
    "search",
    "serving",
    "streaming",
    "vocabulary",
)


def programs() -> list[str]:
    """Modules of the benchmarks that are run as programs."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / "benchmarks" / folder).glob("*.py")):
            if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"):
                found.append(f"benchmarks.{folder}.{path.stem}".removesuffix(".__main__"))
    return found


def run(module: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", programs())
def test_every_benchmark_says_how_it_is_used(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, which has loaded already what all of them load."""
    if module.endswith((".am", ".training", ".inference")):
        pytest.importorskip("torch", reason="compares with torch")
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.syspath_prepend(ROOT)
    for known in (module, f"{module}.__main__"):  # as another benchmark's input, or tested itself
        monkeypatch.delitem(sys.modules, known, raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert ended.value.code in (0, None)
    said = capsys.readouterr().out
    assert said.startswith("usage:")
    for_others = (".made_text", ".language_models", ".worker", ".capacity", ".latency")
    assert "--json" in said or module.endswith(for_others)


def test_no_benchmark_changes_where_modules_are_found() -> None:
    for path in (ROOT / "benchmarks").rglob("*.py"):
        assert "sys.path" not in path.read_text(encoding="utf-8"), path


def test_a_decision_tree_at_a_tiny_size(tmp_path: Path) -> None:
    figures = tmp_path / "tree.json"
    said = run("benchmarks.am.tree", "--leaves", "200", "--rows", "2000", "--json", figures)
    (row,) = json.loads(figures.read_text())["rows"]
    assert row["states_in_context"] == 2000 and row["frames"] > 10_000
    assert 150 < row["leaves"] <= 200
    assert f"{row['frames']:,}" in said


def test_language_models_at_a_tiny_size(tmp_path: Path) -> None:
    """Estimation and queries; KenLM's rows are there where its programs are."""
    text = tmp_path / "text.txt"
    words = ("one", "two", "three", "four", "five")
    lines = (f"{words[i % 5]} {words[i // 5 % 5]} {words[i % 3]}" for i in range(400))
    text.write_text("\n".join(lines) + "\n")
    figures = tmp_path / "lm.json"
    run("benchmarks.lm", text, "--order", "3", "--memory", "64M", "--json", figures)
    result = json.loads(figures.read_text())
    estimation = result["rows"][0]
    assert (estimation["what"], estimation["system"]) == ("estimation", "ours")
    queries = {row["system"]: row for row in result["rows"] if row["what"] == "queries"}
    assert {"fast", "compact", "fast, resident"} <= set(queries)
    assert queries["fast"]["perplexity"] == queries["compact"]["perplexity"] > 1
    assert all(row["text_queries_per_second"] > 0 for row in queries.values())
