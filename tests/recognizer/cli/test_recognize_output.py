"""``recognize --format`` and ``--output-dir``: several files, skipped, resumed, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import soundfile

import toy
from recognizer.batch.output_directory import LOG
from recognizer.readable.writer import shipped_writer

START = [sys.executable, "-c", "from recognizer.cli.recognize import main; main()"]


def written(path: Path) -> dict[str, str]:
    return {one.name: one.read_text() for one in path.iterdir() if one.name != LOG}


def test_subtitles_on_standard_output(command, toy_model, whistled):
    path = whistled("go left stop")
    ran = command("recognize", path, "--format", "srt", "--model", toy_model)
    (cue,) = pysubs2.SSAFile.from_string(ran.out, "srt")
    assert cue.plaintext == "go left stop"
    assert cue.start == pytest.approx(1000 * toy.word_starts("go left stop")[0], abs=21)
    options = ["--max-line-length", 7, "--max-lines", 1, "--word-timestamps"]
    ran = command("recognize", path, "--format", "vtt", *options, "--model", toy_model)
    texts = [block.split("\n")[1] for block in ran.out.split("\n\n")[1:-1]]
    assert texts[0].startswith("go <00:00:0")
    assert texts[0].endswith(">left")
    assert texts[1:] == ["stop"]


def test_a_file_for_each_recording_and_format(command, toy_model, whistled, tmp_path):
    for directory in ("x", "y"):
        (tmp_path / directory).mkdir()
    first, second = whistled("go left", "x/a.wav"), whistled("stop", "y/a.flac")
    out = tmp_path / "out"
    arguments = [first, second, "--output-dir", out, "--format", "json,srt,txt"]
    ran = command("recognize", *arguments, "--model", toy_model)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert sorted(written(out)) == sorted(
        f"{name}.{form}" for name in ("x_a", "y_a") for form in ("json", "srt", "txt")
    )
    assert (out / "x_a.txt").read_text() == "go left\n"
    assert json.loads((out / "y_a.json").read_text())["audio"] == str(second)


def test_a_killed_run_goes_on(command, toy_model, whistled, tmp_path):
    first, last, pipe = whistled("go left", "a.wav"), whistled("stop", "c.wav"), tmp_path / "b.wav"
    os.mkfifo(pipe)  # nobody writes to it: reading it never ends
    out = tmp_path / "out"
    arguments = [str(one) for one in (first, pipe, last, "--output-dir", out, "--model", toy_model)]
    with subprocess.Popen([*START, *arguments]) as process:
        while not (out / "a.txt").exists() and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert written(out) == {"a.txt": "go left\n"}
    pipe.unlink()
    soundfile.write(pipe, toy.whistle("now"), toy.RATE)
    stamp = (out / "a.txt").stat().st_mtime_ns
    ran = command("recognize", *arguments)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == (
        "recognize: 1 of 3 recordings are done already (--overwrite does them again)\n"
    )
    assert written(out) == {"a.txt": "go left\n", "b.txt": "now\n", "c.txt": "stop\n"}
    assert (out / "a.txt").stat().st_mtime_ns == stamp
    ran = command("recognize", *arguments)
    assert (ran.code, ran.err.split()[1:4]) == (0, ["3", "of", "3"])
    ran = command("recognize", *arguments, "--overwrite")
    assert (ran.code, ran.err) == (0, "")
    assert (out / "a.txt").stat().st_mtime_ns != stamp


def test_other_recordings_are_done_when_one_fails(command, toy_model, whistled, tmp_path):
    good, out = whistled("go"), tmp_path / "out"
    arguments = [tmp_path / "none.wav", good, "--output-dir", out, "--model", toy_model]
    ran = command("recognize", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"recognize: {tmp_path / 'none.wav'}: no such file\n"
    assert written(out) == {"some.txt": "go\n"}
    good.write_bytes(whistled("stop", "other.wav").read_bytes())
    ran = command("recognize", good, "--output-dir", out, "--model", toy_model)
    assert ran.code == 1
    assert "some.txt: expected what is said in" in ran.err
    assert ran.err.count("\n") == 1
    assert written(out) == {"some.txt": "go\n"}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--format", "str"], "--format: expected .* found 'str' (did you mean srt?)"),
        (["--format", "srt,json"], "expected one format for standard output, found srt, json"),
        (["--format", "srt", "other.wav"], "--format srt: expected one recording, found 2"),
        (["--overwrite"], "--overwrite goes with --output-dir"),
        (["--max-lines", 0], "max_lines: expected at least 1, found 0"),
        (["--characters-per-second", "nan"], "max_characters_per_second: expected"),
        (["--output-dir", "out", "--format", "text"], "expected txt for files"),
        (["--output-dir", "out", "some.wav"], "expected each recording once"),
    ],
)
def test_wrong_use_is_said_before_any_work(command, tmp_path, monkeypatch, options, line):
    monkeypatch.chdir(tmp_path)
    ran = command("recognize", "some.wav", *options)
    assert (ran.code, ran.out) == (2, "")
    for part in line.split(" .* "):
        assert part in ran.err
    assert ran.err.count("\n") == 1


def test_an_output_directory_that_is_a_file(command, toy_model, whistled, tmp_path):
    path = tmp_path / "out"
    path.write_text("")
    ran = command("recognize", whistled("go"), "--output-dir", path, "--model", toy_model)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"recognize: {path}: expected a directory, found {path}, which is a file\n"


@pytest.fixture(scope="module")
def long_speech() -> tuple[list[str], np.ndarray]:
    """Words and samples of more than a minute."""
    texts = [text for text in ("go left stop", "now", "left now", "stop go") for _ in range(8)]
    pause = np.zeros(toy.RATE, np.float32)
    samples = np.concatenate([part for text in texts for part in (toy.whistle(text), pause)])
    assert len(samples) > 65 * toy.RATE
    return " ".join(texts).split(), samples


def test_a_long_recording_has_segments(command, toy_model, tmp_path, long_speech):
    words, samples = long_speech
    path = tmp_path / "long.flac"
    soundfile.write(path, samples, toy.RATE)
    ran = command("recognize", path, "--format", "json", "--threads", 2, "--model", toy_model)
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert found["text"].split() == words
    assert len(found["segments"]) > 1
    assert " ".join(one["text"] for one in found["segments"]).split() == words


def test_what_comes_before_damage_is_given_but_never_done(
    command, toy_model, tmp_path, long_speech
):
    words, samples = long_speech
    path, out = tmp_path / "cut.flac", tmp_path / "out"
    soundfile.write(path, samples, toy.RATE)
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 100])
    arguments = [path, "--output-dir", out, "--model", toy_model]
    ran = command("recognize", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 2
    assert ran.err.endswith(f"recognize: {path}: what comes before is given\n")
    found = (out / "cut.txt").read_text().split()
    assert len(found) > len(words) // 2
    assert found[:-1] == words[: len(found) - 1]
    ran = command("recognize", *arguments)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "cut.txt: holds only what comes before the damage: " in ran.err


def test_readable_text(command, toy_model, whistled, tmp_path):
    path, out = whistled("go left stop"), tmp_path / "out"
    expected = shipped_writer().text(["go", "left", "stop"])
    assert expected.startswith("Go left")
    ran = command("recognize", path, "--readable", "--model", toy_model)
    assert (ran.code, ran.out) == (0, f"{expected}\n")
    arguments = [path, "--model", toy_model, "--output-dir", out, "--format", "json"]
    assert command("recognize", *arguments).code == 0
    plain = json.loads((out / "some.json").read_text())
    # A file that was made otherwise is neither taken for done nor replaced.
    assert command("recognize", *arguments, "--readable").code == 1
    assert command("recognize", *arguments, "--readable", "--overwrite").code == 0
    fields = json.loads((out / "some.json").read_text())
    assert fields.pop("readable") == expected
    assert [one.pop("readable") for one in fields["segments"]] == [expected]
    assert fields == plain
