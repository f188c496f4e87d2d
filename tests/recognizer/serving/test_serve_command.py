"""``recognizer serve`` as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import socket as sockets
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

import toy
from places import ROOT
from running_server import until

COMMAND = [sys.executable, "-c", "from recognizer.cli.main import main; main()", "serve"]
PATIENCE = 60.0


@contextmanager
def served(*options: object, **environment: str):
    """A server process and its address."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *map(str, options)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        cwd=ROOT,
    )
    try:
        line = process.stderr.readline()
        found = re.fullmatch(r"recognizer serve: listening on http://(127\.0\.0\.1:\d+)\n", line)
        assert found, line
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()


def refused(*options: object, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, *map(str, options)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **environment},
        cwd=ROOT,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_sigterm_lets_a_stream_and_an_upload_finish(toy_model: Path, whistled):
    with served("--model", toy_model, RECOGNIZER_TOKEN="t") as (process, address):
        headers = {"Authorization": "Bearer t"}
        with (
            connect(f"ws://{address}", additional_headers=headers) as stream,
            httpx.Client(base_url=f"http://{address}", headers=headers, verify=False) as client,
            httpx.Client(base_url=f"http://{address}", headers=headers, verify=False) as other,
        ):
            stream.send('{"config": {"sample_rate": 16000}}')
            stream.send((toy.whistle("go left") * 32767).astype("<i2").tobytes())
            stream.recv(PATIENCE)

            def body():
                yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
                until(lambda: "\nrecognizer_uploads 1.0" in other.get("/metrics").text)
                process.send_signal(signal.SIGTERM)
                assert "shutting down" in process.stderr.readline()
                with pytest.raises(OSError), sockets.create_connection(address.split(":")):
                    pass
                yield whistled("stop now").read_bytes()
                yield b"\r\n--x--\r\n"

            answer = client.post(
                "/v1/audio/transcriptions",
                content=body(),
                headers={"Content-Type": "multipart/form-data; boundary=x"},
            )
            assert answer.json()["text"] == "stop now"
            stream.send('{"eof": 1}')
            assert json.loads(stream.recv(PATIENCE))["text"] == "go left"
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ""


def test_a_second_signal_ends_it_at_once(toy_model: Path):
    with (
        served("--model", toy_model) as (process, address),
        connect(f"ws://{address}") as stream,
    ):
        stream.send(b"")
        stream.recv(PATIENCE)
        process.send_signal(signal.SIGINT)
        assert "shutting down" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_a_port_that_is_taken(toy_model: Path):
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, error = refused("--model", toy_model, "--port", port)
    assert (code, error) == (
        1,
        f"recognizer: 127.0.0.1:{port}: cannot be listened to: Address already in use\n",
    )


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (["--model", "nowhere"], 2, "nowhere"),
        (["--port", "70000"], 2, "port: expected 0 to 65535, found 70000"),
        (["--host", "no such host"], 2, "host: expected an address, found 'no such host'"),
        (["--max-streams", "0"], 2, "max_streams: expected at least 1, found 0"),
        (["--idle-seconds", "nan"], 2, "idle_seconds: expected seconds above 0, found nan"),
        (["--token-file", "nowhere"], 2, "nowhere: cannot be read"),
        (["--token-file", os.devnull], 2, "expected a token in the first line, found none"),
    ],
)
def test_wrong_use(command, options, code, part):
    done = command("recognizer", "serve", "--port", "0", *options)
    assert done.code == code
    assert part in done.err
    assert done.err.count("\n") == 1


def test_a_token_that_cannot_be_sent(command, monkeypatch: pytest.MonkeyPatch):
    for token in ("", "two words", "schlüssel"):
        monkeypatch.setenv("RECOGNIZER_TOKEN", token)
        done = command("recognizer", "serve")
        assert done.code == 2
        assert "token: expected" in done.err


def test_without_the_extra(command, monkeypatch: pytest.MonkeyPatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name)
    )
    done = command("recognizer", "serve")
    assert done.code == 1
    assert "pip install 'recognizer[server]'" in done.err
    assert "found no uvicorn" in done.err
