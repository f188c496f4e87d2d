"""What happens where something fails that nobody foresaw, and where a command is ended."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from recognizer import loaded
from recognizer.recognizer import Recognizer

FAULTS = [
    (MemoryError(), "{}: not enough memory"),
    (AttributeError("no attribute 'x'"), "{}: a fault of this program: AttributeError: no attribu"),
    (UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"), "{}: a fault of this program"),
    (RecursionError("too deep"), "{}: a fault of this program: RecursionError: too deep"),
    (OSError(28, "No space left on device", "/disk"), "/disk: No space left on device"),
]


@pytest.mark.parametrize(("fault", "line"), FAULTS, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("threads", [1, 2])
def test_one_file_fails_and_the_others_are_done(
    command, toy_model, whistled, monkeypatch, fault, line, threads
):
    good = [whistled("go", "a.wav"), whistled("stop", "c.wav")]
    bad = whistled("go", "b.wav")
    sound = Recognizer.recognize

    def recognize(self, path, *args, **kwargs):
        if str(path) == str(bad):
            raise copy.copy(fault)  # a raised one would hold on to what it went through
        return sound(self, path, *args, **kwargs)

    monkeypatch.setattr(Recognizer, "recognize", recognize)
    files = [good[0], bad, good[1]]
    ran = command("recognize", *files, "--model", toy_model, "--threads", threads)
    assert ran.code == 1
    assert [text.split("\t")[0] for text in ran.out.splitlines()] == [str(path) for path in good]
    assert ran.err.startswith("recognize: " + line.format(bad))
    assert ran.err.count("\n") == 1


@pytest.fixture
def unloaded() -> None:
    """No recogniser is kept from an earlier test."""
    loaded._loaded.cache_clear()


@pytest.mark.usefixtures("unloaded")
def test_a_fault_of_the_program_is_one_line(command, toy_model, monkeypatch, whistled):
    def broken(*args, **kwargs):
        raise KeyError("lattice")

    monkeypatch.setattr(Recognizer, "__init__", broken)
    ran = command("recognize", whistled("go"), "--model", toy_model)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "recognize: a fault of this program: KeyError: 'lattice' "
        "(RECOGNIZER_TRACEBACK=1 shows where)\n"
    )


def test_what_was_not_compiled_is_named(tmp_path):
    """`make recognize` leaves out what only training and estimation need."""
    (tmp_path / "text").write_text("some words\n")
    program = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'recognizer.lm._estimate':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "sys.argv = ['recognizer', 'lm', 'estimate', '--output', 'o.arpa', 'text']\n"
        "from recognizer.cli.main import main\n"
        "main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "recognizer: the native module recognizer.lm._estimate is not there: 'make "
        "recognize' compiles what recognising needs, 'make train' the rest, 'pip install .' all\n"
    )


@pytest.mark.usefixtures("unloaded")
def test_its_traceback_is_shown_on_request(toy_model, monkeypatch, whistled):
    from recognizer.cli.recognize import main

    def broken(*args, **kwargs):
        raise KeyError("lattice")

    monkeypatch.setattr(Recognizer, "__init__", broken)
    monkeypatch.setenv("RECOGNIZER_TRACEBACK", "1")
    monkeypatch.setattr(sys, "argv", ["recognize", str(whistled("go")), "--model", str(toy_model)])
    with pytest.raises(KeyError, match="lattice"):
        main()


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize("depth", [1, 2])
def test_an_interrupt_within_a_lock_is_an_interrupt(
    command, toy_model, monkeypatch, whistled, depth
):
    """It leaves `threading.Condition` as RuntimeError: release unlocked lock."""

    def locking(*args, **kwargs):
        try:
            raise KeyboardInterrupt
        finally:
            try:
                raise RuntimeError("release unlocked lock")
            finally:
                if depth == 2:
                    raise RuntimeError("release unlocked lock")

    monkeypatch.setattr(Recognizer, "__init__", locking)
    ran = command("recognize", whistled("go"), "--model", toy_model)
    assert (ran.code, ran.out, ran.err) == (130, "", "recognize: interrupted\n")


ENDLESS = """
import os, time
from recognizer.recognizer import Recognizer

def recognize(self, path, *args, **kwargs):
    os.write(1, b"working\\n")  # in one piece, where threads print at once
    time.sleep(3600)  # as native code at work on a recording of hours

Recognizer.recognize = recognize
from recognizer.cli.recognize import main
main()
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"terminated")],
    ids=["interrupted", "terminated"],
)
def test_ending_a_command_waits_for_no_recording(toy_model, whistled, threads, number, code, word):
    paths = [whistled("go", f"{i}.wav") for i in range(3)]
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, *paths, "--model", toy_model, "--threads", str(threads)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"working\n"
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()  # or a failure would wait for ever
    assert process.returncode == code
    assert err == b"recognize: " + word + b"\n"


def test_a_command_ends_that_nobody_listens_to_any_more(toy_model, whistled):
    paths = [whistled("go", f"{i}.wav") for i in range(3)]
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, *paths, "--model", toy_model, "--threads", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == b"working\n"
            process.stdout.close()
            process.stderr.close()
            process.terminate()
            assert process.wait(timeout=60) == 143
        finally:
            process.kill()


EVALUATING = """
import sys, time
from recognizer.data.parallel.processes import process_map

def work(item):
    print("working", flush=True)
    time.sleep(3600)

if __name__ == "__main__":
    import click
    from recognizer.cli.run import run

    @click.command()
    def evaluate():
        list(process_map(work, range(4), 2, "test"))

    run(evaluate, "evaluate")
"""


def test_ending_a_command_ends_its_processes(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(EVALUATING)
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"working\n"
        assert process.stdout.readline() == b"working\n"
        process.send_signal(signal.SIGINT)
        # The pipe ends only when the last process that writes to it has ended.
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b"evaluate: interrupted\n"


LOCALES = [
    {"LANG": "C"},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C.UTF-8"},
]


@pytest.mark.parametrize("locale", LOCALES, ids=lambda v: " ".join(f"{k}={v[k]}" for k in v))
@pytest.mark.parametrize("name", ["Grüße 你好.wav".encode(), b"latin-1 \xe9.wav"], ids=repr)
def test_names_of_files_are_bytes_in_any_locale(toy_model, whistled, locale, name):
    plain = whistled("go")
    path = Path(os.fsdecode(os.path.join(os.fsencode(plain.parent), name)))  # noqa: PTH118
    plain.rename(path)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHONUTF8"))}
    done = subprocess.run(
        [sys.executable, "-c", "from recognizer.cli.recognize import main; main()",
         path, path, "--model", toy_model],
        capture_output=True, env={**kept, **locale}, timeout=120,
    )  # fmt: skip
    assert done.stderr == b""
    assert done.returncode == 0
    assert done.stdout == 2 * (os.fsencode(path) + b"\tgo\n")
