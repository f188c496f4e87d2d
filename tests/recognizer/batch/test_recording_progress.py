"""Bars of recordings on a terminal, and nothing elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from recognizer.batch.progress import RecordingProgress


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> io.StringIO:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, color_system=None)
    monkeypatch.setattr("recognizer.batch.progress.console", console)
    return stream


def test_long_recordings_have_bars_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = shown(monkeypatch, True)
    with RecordingProgress(2) as progress:
        progress.heard("[a].mp3", 3661.5, 7322.0)
        progress.heard("b.webm", 59.9, None)
        with progress.paused():
            last = stream.getvalue().rpartition("recordings ")[2]
            assert "[a].mp3" in last
            assert "1:01:01/2:02:02" in last
            assert "0:00:59" in last
            assert "0/2" in last
        progress.finished("[a].mp3")
        with progress.paused():
            last = stream.getvalue().rpartition("recordings ")[2]
            assert "[a].mp3" not in last
            assert "b.webm" in last
            assert "1/2" in last


def test_nothing_is_shown_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = shown(monkeypatch, False)
    with RecordingProgress(2) as progress:
        progress.heard("a.mp3", 1.0, 2.0)
        with progress.paused():
            pass
        progress.finished("a.mp3")
    assert stream.getvalue() == ""
