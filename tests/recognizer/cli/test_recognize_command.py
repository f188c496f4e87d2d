"""``recognize``: its output contract, and one clear line for everything that goes wrong."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer.model import files

START = [sys.executable, "-c", "from recognizer.cli.recognize import main; main()"]


def test_one_file_prints_its_transcript_alone(command, toy_model, whistled):
    path = whistled("go left stop")
    ran = command("recognize", path, "--model", toy_model)
    assert (ran.code, ran.out, ran.err) == (0, "go left stop\n", "")


def test_several_files_print_path_tab_transcript_in_order(command, toy_model, whistled):
    second = whistled("stop now", "b.flac")
    first = whistled("left", "a.wav")
    ran = command("recognize", "--model", toy_model, second, first)
    assert (ran.code, ran.out) == (0, f"{second}\tstop now\n{first}\tleft\n")


def test_json_lines_have_times(command, toy_model, whistled):
    sentences = {str(whistled(text, f"{i}.wav")): text for i, text in enumerate(["go", "now left"])}
    ran = command("recognize", "--format", "json", "--model", toy_model, *sentences)
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["audio"] for line in lines] == list(sentences)
    for line, text in zip(lines, sentences.values(), strict=True):
        assert line.keys() == {"audio", "duration", "text", "words", "segments"}
        assert line["text"] == text
        assert line["duration"] == pytest.approx(len(toy.whistle(text)) / toy.RATE, abs=1e-3)
        assert [word["word"] for word in line["words"]] == text.split()
        for word, start in zip(line["words"], toy.word_starts(text), strict=True):
            assert word.keys() == {"word", "start", "end", "confidence"}
            assert 0 <= word["confidence"] <= 1
            length = toy.PHONE_SECONDS * len(toy.WORDS[word["word"]].split())
            assert word["start"] == pytest.approx(start, abs=0.021)
            assert word["end"] == pytest.approx(start + length, abs=0.021)


def test_ctm_lines_are_those_of_nist(command, toy_model, whistled):
    path = whistled("left now", "my talk.wav")
    ran = command("recognize", "--format", "ctm", "--model", toy_model, path)
    rows = [line.split() for line in ran.out.splitlines()]
    assert [(row[0], row[1], row[4]) for row in rows] == [
        ("my_talk", "1", "left"),
        ("my_talk", "1", "now"),
    ]
    for row, start in zip(rows, toy.word_starts("left now"), strict=True):
        assert float(row[2]) == pytest.approx(start, abs=0.021)
        assert float(row[3]) > 0.1
        assert 0 <= float(row[5]) <= 1
        assert len(row) == 6


def test_ctm_files_of_one_name_are_told_apart(command, toy_model, whistled, tmp_path):
    for directory in ("monday", "tues day"):
        (tmp_path / directory).mkdir()
    paths = [whistled("go", "monday/talk.wav"), whistled("left", "tues day/talk.wav")]
    paths.append(whistled("now", "other.wav"))
    ran = command("recognize", "--format", "ctm", "--model", toy_model, *paths)
    rows = [line.split() for line in ran.out.splitlines()]
    assert [(row[0], row[4]) for row in rows] == [
        ("monday_talk", "go"),
        ("tues_day_talk", "left"),
        ("other", "now"),
    ]
    stereo = whistled("go", "stereo.wav", channels=2)
    options = ["--format", "ctm", "--channel", 2, "--model", toy_model]
    ran = command("recognize", *options, stereo)
    assert ran.out.split()[:2] == ["stereo", "2"]


def test_threads_and_the_words_of_fewest_expected_errors(command, toy_model, whistled):
    paths = {str(whistled(text, f"{i}.wav")): text for i, text in enumerate(["go", "now left"] * 3)}
    ran = command("recognize", "--threads", 3, "--mbr", "--model", toy_model, *paths)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "".join(f"{path}\t{text}\n" for path, text in paths.items())
    ran = command("recognize", "--threads", 0, "--model", toy_model, *paths)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_standard_input(toy_model, whistled):
    audio = whistled("stop left", "in.flac").read_bytes()
    ran = subprocess.run(
        [*START, "-", "--model", toy_model], input=audio, capture_output=True, check=True
    )
    assert ran.stdout == b"stop left\n"


def test_any_rate_and_number_of_channels(command, toy_model, whistled):
    path = whistled("go left", "narrow.wav", rate=8000, channels=2)
    assert command("recognize", path, "--model", toy_model).out == "go left\n"


@pytest.mark.parametrize("seconds", [0.0005, 0.05, 1.0])
def test_nothing_to_hear_is_an_empty_transcript_and_a_line(command, toy_model, tmp_path, seconds):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(int(seconds * 16000)), 16000)
    ran = command("recognize", path, "--model", toy_model)
    assert (ran.code, ran.out) == (0, "\n")
    assert ran.err == f"recognize: {path}: no words were recognised\n"


def bad_audio(directory: Path) -> dict[str, Path]:
    names = ("missing.wav", "folder.wav", "text.wav", "header.wav", "empty.wav", "nan.wav")
    paths = {name: directory / name for name in names}
    paths["folder.wav"].mkdir()
    paths["text.wav"].write_text("This is no audio.\n")
    soundfile.write(paths["header.wav"], np.zeros(0), 16000)
    paths["empty.wav"].write_bytes(b"")
    samples = np.zeros(16000, np.float32)
    samples[5] = np.nan
    soundfile.write(paths["nan.wav"], samples, 16000, subtype="FLOAT")
    return paths


@pytest.mark.parametrize(
    "name", ["missing.wav", "folder.wav", "text.wav", "header.wav", "empty.wav", "nan.wav"]
)
def test_audio_that_cannot_be_read_is_one_line_and_exit_1(command, toy_model, tmp_path, name):
    path = bad_audio(tmp_path)[name]
    ran = command("recognize", path, "--model", toy_model)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"recognize: {path}: ")
    assert ran.err.count("\n") == 1


def test_the_other_files_are_still_recognised(command, toy_model, tmp_path, whistled):
    good, other = whistled("go", "a.wav"), whistled("stop", "c.wav")
    ran = command("recognize", good, tmp_path / "b.wav", other, "--model", toy_model)
    assert (ran.code, ran.out) == (1, f"{good}\tgo\n{other}\tstop\n")
    assert ran.err == f"recognize: {tmp_path / 'b.wav'}: no such file\n"


@pytest.mark.parametrize(
    "arguments",
    [(), ("--format",), ("--no-such-option", "a.wav"), ("a.wav", "--model")],
)
def test_wrong_use_is_one_line_and_exit_2(command, arguments):
    ran = command("recognize", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("recognize: ")
    assert "--help" in ran.err
    assert ran.err.count("\n") == 1


def test_a_model_that_does_not_exist_is_wrong_use(command, tmp_path, whistled):
    path = whistled("go")
    ran = command("recognize", path, "--model", tmp_path / "none")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"recognize: {tmp_path / 'none'}: expected a model directory, found nothing\n"
    assert command("recognize", path, "--model", path).code == 2


@pytest.mark.parametrize(
    "name",
    [
        files.CONFIG,
        files.ACOUSTIC,
        files.TREE,
        files.PHONES,
        files.TRANSITIONS,
        files.LEXICON,
        files.FIRST_PASS,
        files.HCL,
    ],
)
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_model_is_one_line_that_names_the_file(
    command, toy_model, tmp_path, whistled, name, damage
):
    model = tmp_path / "model"
    shutil.copytree(toy_model, model)
    part = model / name
    if damage == "missing":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    ran = command("recognize", whistled("go"), "--model", model)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"recognize: {part}: ")
    assert ran.err.count("\n") == 1


def test_help_has_examples_and_an_entry_for_every_option(command):
    ran = command("recognize", "--help")
    assert ran.code == 0
    assert "recognize --format json *.flac" in ran.out
    assert "--model DIR" in ran.out


def test_a_reader_that_leaves_early_is_no_traceback(toy_model, whistled):
    paths = [whistled("go", f"{i}.wav") for i in range(3)]
    process = subprocess.Popen(
        [*START, *paths, "--model", toy_model], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate()
    assert err == b""


def test_an_interrupt_is_one_line_and_exit_130(toy_model):
    with subprocess.Popen(
        [*START, "-", "--model", toy_model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        # More than a pipe holds: once it is written, the command is reading.
        process.stdin.write(bytes(1 << 20))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err.strip() == b"recognize: interrupted"
