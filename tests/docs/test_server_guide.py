"""The programs of docs/guides/server.md do what the page says, and its options exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import soundfile

import toy
from pages import DOCS, fenced_blocks
from running_server import running

PAGE = (DOCS / "guides" / "server.md").read_text(encoding="utf-8")
TEXT = "go left now write"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    from recognizer.recognizer import Recognizer

    with running(Recognizer(toy.build(tmp_path_factory.mktemp("model") / "toy"))) as one:
        yield one


@pytest.mark.parametrize("number", [0, 1, 2])
def test_programs(
    number: int,
    server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    soundfile.write("interview.wav", toy.whistle(TEXT), 16000)
    program = fenced_blocks(PAGE, "python")[number].replace("2700", str(server.port))
    exec(compile(program, "server.md", "exec"), {})
    printed = capsys.readouterr().out
    if number == 0:
        words = [line.split()[2] for line in printed.splitlines()]
        assert words == TEXT.split()
    else:
        assert " ".join(printed.split()) == TEXT


def test_options_and_defaults():
    from recognizer.cli.serve import serve

    known = {name: option for option in serve.params for name in option.opts}
    mentioned = set(re.findall(r"`(--[a-z-]+)", PAGE))
    assert mentioned <= set(known)
    limits = re.findall(r"^\| `(--[a-z-]+)` \| ([^|]+) \|", PAGE, re.MULTILINE)
    assert len(limits) == 6
    for name, default in limits:
        assert default.replace(" (30)", "") in known[name].help, name
