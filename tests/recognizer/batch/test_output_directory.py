"""A directory of results: written whole or not at all, never mistaken for those of others."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from recognizer.batch.output_directory import LOG, OutputDirectory
from recognizer.data.errors import SpeechError, UsageError
from recognizer.formats.cues import SubtitleOptions
from recognizer.formats.recordings import Recording, recordings
from recognizer.recognition.result import Hypothesis, Result, TranscriptSegment, Word

NOTHING = Hypothesis((), 0.0, 0.0)
WORDS = (Word("go", 0.1, 0.4, 0.9), Word("left", 0.4, 0.8, 0.8))
RESULT = Result(WORDS, 1.0, 100, NOTHING, NOTHING, segments=(TranscriptSegment(0.0, 1.0, WORDS),))
SETTINGS = {"model": "a", "mbr": False}


@pytest.fixture
def talk(tmp_path: Path) -> Recording:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"audio")
    return recordings([str(path)])[0]


def opened(path: Path, *formats: str, **options: object) -> OutputDirectory:
    return OutputDirectory(path, formats or ("txt", "srt"), SETTINGS, **options)  # type: ignore[arg-type]


def files(path: Path) -> dict[str, str]:
    return {one.name: one.read_text() for one in path.iterdir() if one.name != LOG}


def test_a_recording_is_done_when_all_its_files_are_there(tmp_path: Path, talk: Recording):
    out = tmp_path / "new" / "out"
    assert not opened(out).done(talk)
    opened(out).write(talk, RESULT)
    assert files(out) == {
        "talk.txt": "go left\n",
        "talk.srt": "1\n00:00:00,100 --> 00:00:01,000\ngo left\n\n",
    }
    assert opened(out).done(talk)
    assert opened(out, "txt").done(talk)
    assert not opened(out, "txt", "json").done(talk)
    assert not opened(out, overwrite=True).done(talk)
    (out / "talk.srt").unlink()
    assert not opened(out).done(talk)


def test_files_of_other_origin_are_not_taken_for_ours(tmp_path: Path, talk: Recording):
    out = tmp_path / "out"
    opened(out).write(talk, RESULT)
    other = tmp_path / "other"
    other.mkdir()
    same_name = other / "talk.wav"
    same_name.write_bytes(b"audio")
    with pytest.raises(SpeechError, match=r"talk.txt: expected what is said in .*other/talk.wav"):
        opened(out).done(recordings([str(same_name)])[0])
    for settings, name in (
        ({"model": "b", "mbr": False}, "model"),
        ({**SETTINGS, "mbr": 1}, "mbr"),
    ):
        with pytest.raises(SpeechError, match=f"talk.txt: made with another {name} .--overwrite"):
            OutputDirectory(out, ("txt",), settings).done(talk)
    with pytest.raises(SpeechError, match=r"talk.srt: made with another subtitles"):
        opened(out, subtitles=SubtitleOptions(max_lines=1)).done(talk)
    assert opened(out, "txt", subtitles=SubtitleOptions(max_lines=1)).done(talk)
    Path(talk.path).write_bytes(b"longer audio")
    with pytest.raises(SpeechError, match=r"talk.txt: .* which was changed since"):
        opened(out).done(talk)


def test_a_file_of_somebody_is_not_overwritten(tmp_path: Path, talk: Recording):
    (tmp_path / "talk.txt").write_text("what the speaker wanted to say\n")
    with pytest.raises(SpeechError, match=r"talk.txt: expected no such file, .*--overwrite"):
        opened(tmp_path, "txt").done(talk)
    replacing = opened(tmp_path, "txt", overwrite=True)
    assert not replacing.done(talk)
    replacing.write(talk, RESULT)
    assert opened(tmp_path, "txt").done(talk)


def test_a_run_that_is_killed_at_any_moment_is_made_good(tmp_path: Path, talk: Recording):
    """Cut after any byte of the log, and with or without each of the files."""
    out = tmp_path / "out"
    opened(out).write(talk, RESULT)
    log, written = (out / LOG).read_bytes(), files(out)
    for length in range(0, len(log) + 1, 7):
        lines = log[:length].count(b"\n")
        (out / LOG).write_bytes(log[:length])
        for name in written:
            (out / name).unlink(missing_ok=True)
        for name in list(written)[:lines]:  # what is there when a line has just been written
            (out / name).write_text(written[name])
        run = opened(out)
        if not run.done(talk):
            run.write(talk, RESULT)
        assert files(out) == written
        assert opened(out).done(talk)
        assert all(json.loads(line) for line in (out / LOG).read_text().splitlines())


def test_an_old_file_is_gone_before_the_log_tells_of_a_new_one(
    tmp_path: Path, talk: Recording, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out"
    opened(out, "txt").write(talk, RESULT)
    other = OutputDirectory(out, ("txt",), {"model": "b", "mbr": False}, overwrite=True)
    monkeypatch.setattr("recognizer.batch.output_directory.replace_text", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        other.write(talk, RESULT)
    assert files(out) == {}


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 2000 bytes: as on a full disk, in the middle of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_no_file(tmp_path: Path, talk: Recording, small_files: None):
    out = tmp_path / "out"
    words = WORDS * 1000
    long = Result(words, 1.0, 1, NOTHING, NOTHING, segments=(TranscriptSegment(0.0, 1.0, words),))
    with pytest.raises(SpeechError, match=r"out/talk.txt: cannot be written: File too large"):
        opened(out, "txt").write(talk, long)
    assert files(out) == {}
    assert not opened(out, "txt").done(talk)


def test_directories_that_cannot_be(tmp_path: Path, talk: Recording):
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "deeper"):
        with pytest.raises(SpeechError, match=rf"{path}: expected a directory, found .*is a file"):
            opened(path)
    with pytest.raises(UsageError, match="text: expected txt"):
        opened(tmp_path, "text")
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with pytest.raises(SpeechError, match=r"closed.* may not be written"):
        opened(closed / "new")


def test_names_that_fall_together(tmp_path: Path):
    run = opened(tmp_path)
    run.check_names(recordings(["a/x.wav", "b/x.wav", "x.mp3"]))
    with pytest.raises(UsageError, match=r"^./x.wav: expected each recording once .* x.wav before"):
        run.check_names(recordings(["x.wav", "y.wav", "./x.wav"]))
    with pytest.raises(UsageError, match="expected files, found standard input"):
        run.check_names(recordings(["-"]))
