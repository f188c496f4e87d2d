"""``recognize --cluster`` and ``recognizer evaluate --cluster``: as on one machine."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import termios
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("cluster")


def test_the_output_is_that_of_one_machine(command, toy_model, whistled, tmp_path, monkeypatch):
    """Also of files that cannot be read, and with relative names."""
    monkeypatch.chdir(tmp_path)
    names = [whistled(text, f"{text}.wav").name for text in ("left", "go", "stop", "now")]
    names.insert(2, "none.wav")
    for options in (["--format", "json"], ["--mbr", "--format", "ctm"]):
        arguments = [*options, *names, "--model", os.path.relpath(toy_model)]
        alone = command("recognize", *arguments)
        assert alone.code == 1
        assert alone.err == "recognize: none.wav: no such file\n"
        assert command("recognize", *arguments, "--cluster", "") == alone


def kill_reader(pipe: Path) -> None:
    """Kill the other process that has opened a named pipe, and wait until it has let it go.

    Until then it could still take what is written for the next one.
    """
    while True:
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            try:
                found = link.readlink() == pipe and int(link.parts[2]) != os.getpid()
            except OSError:  # a process or a file of it that is gone
                continue
            if found:
                os.kill(int(link.parts[2]), signal.SIGKILL)
                while os.path.lexists(link):
                    time.sleep(0.01)
                return
        time.sleep(0.01)


def test_the_recordings_of_a_killed_worker_are_done_again(command, toy_model, whistled, tmp_path):
    first, last = whistled("go", "a.wav"), whistled("stop", "c.wav")
    audio = whistled("left now", "whole.wav").read_bytes()
    pipe = tmp_path / "b.wav"
    os.mkfifo(pipe)

    def feed() -> None:
        with pipe.open("wb", buffering=0) as stream:  # waits until a worker has opened it
            kill_reader(pipe)
            while True:
                try:
                    stream.write(audio)  # all of it fits into the pipe
                    break
                except BrokenPipeError:  # there is no other worker yet
                    time.sleep(0.01)
            while any(fcntl.ioctl(stream, termios.FIONREAD, bytes(4))):
                time.sleep(0.01)

    thread = threading.Thread(target=feed)
    thread.start()
    ran = command("recognize", first, pipe, last, "--cluster", "", "--model", toy_model)
    thread.join()
    assert ran.code == 0  # on standard error Ray may tell of the worker's death
    assert ran.out == f"{first}\tgo\n{pipe}\tleft now\n{last}\tstop\n"


def test_evaluation_on_a_cluster(command, toy_model, whistled_set, tmp_path):
    (whistled_set / "u2.flac").write_text("This is no audio.\n")
    results = {}
    for name, options in (("alone", []), ("many", ["--cluster", ""])):
        arguments = [whistled_set, "--model", toy_model, "--out", tmp_path / name, *options]
        ran = command("recognizer", "evaluate", *arguments)
        files = {
            one.name: one.read_text()
            for one in (tmp_path / name).iterdir()
            if one.name != "result.json"
        }
        result = json.loads((tmp_path / name / "result.json").read_text())
        measured = {key: result.pop(key) for key in ("rtf", "frames_per_second")}
        assert all(value > 0 for value in measured.values())
        results[name] = (ran.code, ran.out.splitlines()[1:], ran.err, files, result)
    assert results["many"] == results["alone"]
    assert results["alone"][0] == 1


def test_what_a_cluster_cannot_do(command, toy_model):
    ran = command("recognize", "-", "--cluster", "", "--model", toy_model)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "recognize: standard input cannot be read by a cluster: expected files\n"
    ran = command("recognizer", "evaluate", "x", "--cluster", "auto", "--jobs", "2")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "--jobs does not go with --cluster" in ran.err
