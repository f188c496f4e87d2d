"""``recognize --live`` and ``--microphone``: what is said appears; how it ends."""

from __future__ import annotations

import builtins
import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import toy
from recognizer.readable.writer import shipped_writer

START = [sys.executable, "-c", "from recognizer.cli.recognize import main; main()"]
TEXT = "go left stop"
WAVE = toy.whistle(TEXT)
PCM = (WAVE * 32767).astype("<i2").tobytes()


@pytest.fixture
def live(command, toy_model, monkeypatch, tmp_path):
    """Runs ``recognize --live -`` on bytes."""

    def run(*arguments: object, data: bytes = PCM) -> Any:
        path = tmp_path / "input"
        path.write_bytes(data)
        with path.open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            return command("recognize", "--live", "-", "--model", toy_model, *arguments)

    return run


def test_samples_on_standard_input(live):
    ran = live()
    assert (ran.code, ran.out, ran.err) == (0, f"{TEXT}\n", "")
    stereo = np.repeat(toy.whistle(TEXT, rate=44100), 2).astype("<f4").tobytes()
    options = ["--sample-rate", 44100, "--channels", 2, "--encoding", "f32le", "--format", "json"]
    ran = live(*options, data=stereo)
    assert (ran.code, ran.err) == (0, "")
    *partials, final = map(json.loads, ran.out.splitlines())
    assert {one["event"] for one in partials} == {"partial"}
    committed = [one["committed"].split() for one in partials]
    assert all(b[: len(a)] == a for a, b in itertools.pairwise(committed))
    assert f"{partials[-1]['committed']} {partials[-1]['tentative']}".split() == TEXT.split()
    assert (final["event"], final["text"]) == ("final", TEXT)
    assert [word["word"] for word in final["words"]] == TEXT.split()
    for word, start in zip(final["words"], toy.word_starts(TEXT), strict=True):
        assert word["start"] == pytest.approx(start, abs=0.021)


def test_what_was_said_before_an_odd_end_is_printed(live):
    ran = live(data=PCM + b"x")
    assert (ran.code, ran.out) == (1, f"{TEXT}\n")
    assert ran.err == (
        "recognize: standard input: expected whole samples of 2 bytes (s16le of 1 channel), "
        "found 1 left over at the end\n"
    )
    ran = live(data=b"")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "recognize: standard input: expected raw PCM, found nothing\n"
    ran = live(data=bytes(20000))
    assert (ran.code, ran.out, ran.err) == (0, "", "recognize: no words were recognised\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_finishes_the_utterance(toy_model, number, code):
    with subprocess.Popen(
        [*START, "--live", "-", "--format", "json", "--model", str(toy_model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(PCM)
        process.stdin.flush()
        for line in process.stdout:
            partial = json.loads(line)
            if f"{partial['committed']} {partial['tentative']}".split() == TEXT.split():
                break
        process.send_signal(number)
        out, err = process.communicate()  # only now is the pipe closed
    final = json.loads(out.splitlines()[-1])
    assert (process.returncode, final["text"]) == (code, TEXT)
    assert err in (b"recognize: interrupted\n", b"recognize: terminated\n")


def test_words_are_redrawn_on_a_terminal(toy_model):
    """The utterance in progress while it is spoken, at last as a line of its own."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*START, "--live", "-", "--model", str(toy_model)],
        stdin=subprocess.PIPE,
        stdout=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    ) as process:
        os.close(follower)
        assert process.stdin is not None
        process.stdin.write(PCM)
        process.stdin.close()
        shown = b""
        try:
            while part := os.read(leader, 4096):
                shown += part
        except OSError:  # how a terminal ends
            pass
    os.close(leader)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    assert lines[-1] == TEXT
    assert len(lines) > 3
    assert all(set(line.split()) <= set(toy.WORDS) for line in lines)
    assert b"\x1b[2m" in shown  # words that may change are dim


class Sound:
    """A sounddevice without a device: it hears `WAVE`, and then the speaker's Ctrl-C."""

    class PortAudioError(Exception):
        pass

    def __init__(self, inputs: int = 1) -> None:
        self.devices = [{"name": "Built-in Audio", "max_input_channels": inputs}]
        self.opened: dict[str, Any] = {}
        self.failure = ""

    def query_devices(self, device: object = None, kind: str | None = None) -> Any:
        if kind is None:
            return self.devices
        if device not in (None, 0, "Built-in Audio") or not self.devices[0]["max_input_channels"]:
            raise ValueError(f"No input device matching {device!r}")
        return {**self.devices[0], "default_samplerate": 48000.0}

    def InputStream(self, **options: Any) -> Any:  # noqa: N802
        if self.failure:
            raise self.PortAudioError(self.failure)
        self.opened = options
        return _FakeStream(options)


class _FakeStream:
    active = True

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options

    def __enter__(self) -> Any:
        rate, channels = self._options["samplerate"], self._options["channels"]
        samples = np.repeat(toy.whistle(TEXT, rate=rate)[:, None], channels, axis=1)

        def hear() -> None:
            buffer = np.zeros((480, channels), np.float32)  # as PortAudio's, it is used again
            for begin in range(0, len(samples), 480):
                part = samples[begin : begin + 480]
                buffer[: len(part)] = part
                self._options["callback"](buffer[: len(part)], len(part), None, None)
            os.kill(os.getpid(), signal.SIGINT)

        self._thread = threading.Thread(target=hear)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join()


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Sound:
    found = Sound()
    monkeypatch.setitem(sys.modules, "sounddevice", found)  # type: ignore[arg-type]
    return found


def test_a_microphone(command, toy_model, sound):
    ran = command("recognize", "--microphone", "--model", toy_model)
    assert (ran.code, ran.out) == (130, f"{TEXT}\n")
    assert ran.err == (
        "recognize: listening to Built-in Audio; Ctrl-C ends\nrecognize: interrupted\n"
    )
    assert (sound.opened["samplerate"], sound.opened["channels"]) == (48000, 1)
    options = ["--device", "0", "--sample-rate", 16000, "--channels", 2]
    ran = command("recognize", "--microphone", *options, "--model", toy_model)
    assert (ran.code, ran.out) == (130, f"{TEXT}\n")
    assert sound.opened["device"] == 0
    assert (sound.opened["samplerate"], sound.opened["channels"]) == (16000, 2)


def test_microphones_that_are_not_there(command, toy_model, sound, monkeypatch):
    def line(*options: object) -> str:
        ran = command("recognize", "--microphone", *options, "--model", toy_model)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        return ran.err

    assert line("--device", "Headset") == (
        "recognize: microphone: expected 'Headset' (No input device matching 'Headset'), "
        "found Built-in Audio\n"
    )
    sound.devices[0]["max_input_channels"] = 0
    assert line() == "recognize: microphone: expected one, found no device that records\n"
    sound.devices[0]["max_input_channels"] = 1
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install 'recognizer[microphone]'" in line()
    monkeypatch.delitem(sys.modules, "sounddevice")
    importing = builtins.__import__

    def without_library(name: str, *arguments: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return importing(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_library)
    assert "needs PortAudio (Debian, Ubuntu: apt install libportaudio2)" in line()


def test_a_microphone_that_cannot_be_opened(command, toy_model, sound):
    sound.failure = "Error opening InputStream: Device unavailable [PaErrorCode -9985]"
    ran = command("recognize", "--microphone", "--model", toy_model)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1] == f"recognize: Built-in Audio: {sound.failure}"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--live", "a.wav"], "--live: expected - for standard input, found a.wav"),
        (["--live"], "--live: expected - for standard input, found nothing"),
        (["--microphone", "a.wav"], "--microphone: expected no files, found a.wav"),
        (["--microphone", "--live", "-"], "expected --microphone or --live, found both"),
        (["--live", "-", "--format", "srt"], "--live: expected --format text or json, found srt"),
        (["--live", "-", "--output-dir", "x"], "--output-dir does not go with --live"),
        (["--live", "-", "--cluster", "auto"], "--cluster does not go with --live"),
        (["--live", "-", "--device", "1"], "--device goes with --microphone"),
        (["--microphone", "--encoding", "s16le"], "--encoding goes with --live"),
        (["--sample-rate", "8000", "a.wav"], "--sample-rate goes with --live or --microphone"),
        (["--live", "-", "--sample-rate", "1"], "sample rate: expected 4000 to 768000, found 1"),
    ],
)
def test_options_that_do_not_go_together(command, arguments, line):
    ran = command("recognize", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert line in ran.err
    assert ran.err.count("\n") == 1


def test_readable_text_of_live_speech(live):
    expected = shipped_writer().text(TEXT.split())
    assert live("--readable").out == f"{expected}\n"
    final = json.loads(live("--readable", "--format", "json").out.splitlines()[-1])
    assert (final["text"], final["readable"]) == (TEXT, expected)
