"""Every limit is met by a clear error, and the server goes on."""

from __future__ import annotations

import contextlib
import io
import json
import socket as sockets
import tempfile
import threading
import time

import httpx
import numpy as np
import pytest
import soundfile
import websockets
from websockets.sync.client import connect

import toy
from running_server import PATIENCE, running, until

LIMITS = {
    "max_streams": 2,
    "max_uploads": 1,
    "max_upload_bytes": 100_000,
    "max_audio_seconds": 2.0,
    "max_message_bytes": 50_000,
    "idle_seconds": PATIENCE,
    "threads": 1,
}
CONFIG = '{"config": {"sample_rate": 16000}}'


@pytest.fixture(scope="module")
def limited(toy_recognizer):
    with running(toy_recognizer, **LIMITS) as one:
        yield one


@pytest.fixture(scope="module")
def impatient(toy_recognizer):
    with running(toy_recognizer, idle_seconds=0.5) as one:
        yield one


def recording(seconds: float) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, np.zeros(int(16000 * seconds)), 16000, format="FLAC")
    return content.getvalue()


def post(server, content: bytes, **fields: str) -> httpx.Response:
    files = {"file": ("some.flac", content)}
    return server.http.post("/v1/audio/transcriptions", data=fields, files=files)


def error_of(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    return answer.json()["error"]["message"]


def stream_error(socket, code: int) -> str:
    """The error of a stream that the server closes."""
    message = ""
    with pytest.raises(websockets.ConnectionClosed) as closed:
        while True:
            found = json.loads(socket.recv(PATIENCE))
            message = found.get("error", {}).get("message", message)
    assert closed.value.rcvd.code == code, closed.value
    return message or closed.value.rcvd.reason


def test_upload_bytes(limited):
    message = error_of(post(limited, bytes(100_001)), 413, "upload_too_large")
    assert message == "expected an upload of at most 100000 bytes, found more"


def test_an_upload_without_a_length_is_read_no_further_than_the_limit(limited):
    sent = 0

    def body():
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while sent < 2_000_000_000:
            sent += 65536
            yield bytes(65536)

    answer = limited.http.post(
        "/v1/audio/transcriptions",
        content=body(),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    error_of(answer, 413, "upload_too_large")
    assert sent < 50_000_000  # what buffers on the way took


def test_audio_seconds_of_uploads(limited):
    message = error_of(post(limited, recording(2.1)), 413, "audio_too_long")
    assert message == "expected at most 2 s of audio, found more"
    assert post(limited, recording(1.9)).status_code == 200


def test_uploads_at_a_time(limited):
    with slow_upload(limited):
        error_of(post(limited, recording(0.1)), 503, "busy")
    until(lambda: post(limited, recording(0.1)).status_code == 200)


@contextlib.contextmanager
def slow_upload(server):
    """An upload that has begun and does not go on."""
    with sockets.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        until(lambda: server.service.metrics.uploads._value.get() == 1)
        yield connection


def test_an_upload_that_stalls(impatient):
    with slow_upload(impatient) as connection:
        connection.settimeout(PATIENCE)
        answer = connection.makefile("rb").read()  # until the server closes the connection
    assert b" 408 " in answer.splitlines()[0]
    assert b"found none for 0.5 s" in answer


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01garbage\r\n\r\n"],
)
def test_connections_that_stall_are_closed(impatient, sent):
    with sockets.create_connection(("127.0.0.1", impatient.port)) as connection:
        connection.sendall(sent)
        connection.settimeout(PATIENCE)
        while connection.recv(65536):
            pass


def test_a_request_that_comes_byte_by_byte_is_closed(impatient):
    request = iter(b"GET /healthz HTTP/1.1\r\nX: " + bytes(1000))
    with sockets.create_connection(("127.0.0.1", impatient.port)) as connection:
        connection.settimeout(0.1)
        with pytest.raises((ConnectionError, EOFError)):
            while True:
                connection.sendall(bytes([next(request)]))
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(100):
                        raise EOFError


def test_streams_at_a_time(limited):
    url = limited.websocket_url
    with connect(url), connect(url), connect(url) as third:
        assert "at most 2 streams" in stream_error(third, 1013)
    until(lambda: limited.service.metrics.streams._value.get() == 0)
    with connect(limited.websocket_url) as fourth:
        fourth.send('{"eof": 1}')
        assert fourth.recv(PATIENCE) == '{"text": ""}'


def test_audio_seconds_of_streams(limited):
    with connect(limited.websocket_url) as socket:
        socket.send(CONFIG)
        for _ in range(3):
            socket.send(bytes(32000))
        assert stream_error(socket, 1008) == "expected at most 2 s of audio, found more"


def test_message_bytes(limited):
    with connect(limited.websocket_url) as socket:
        socket.send(bytes(50_001))
        assert "50000" in stream_error(socket, 1009)


def test_streams_that_stall(impatient):
    with connect(impatient.websocket_url) as socket:
        assert stream_error(socket, 1008) == "expected data from the client, found none for 0.5 s"


@pytest.fixture(scope="module")
def unread(toy_recognizer):
    """A server whose clients do not read; the system's buffers hold little."""
    with running(toy_recognizer, send_buffer=4096, idle_seconds=0.3) as one:
        yield one


@contextlib.contextmanager
def unreading_client(server):
    with sockets.socket() as connection:
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(PATIENCE)
        yield connection
    until(lambda: not server.server.server_state.connections)
    assert len(server.said) == 1  # it is no fault of the server


def test_a_client_that_does_not_read_is_cut_off(unread):
    with unreading_client(unread) as connection, pytest.raises(ConnectionError):
        while True:
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_stream_that_does_not_read_is_cut_off(unread):
    said = (toy.whistle("go left right stop now " * 4, rate=8000) * 32767).astype("<i2")
    with unreading_client(unread) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        connection.sendall(frame(said.tobytes()))
        with pytest.raises(ConnectionError):  # each empty message is answered by all the words
            while True:
                connection.sendall(frame(b"") * 100)


def frame(content: bytes) -> bytes:
    """A binary message, masked with zeros (RFC 6455, section 5.2)."""
    size = len(content)
    length = bytes([0x80 | size]) if size < 126 else b"\xff" + size.to_bytes(8, "big")
    return b"\x82" + length + bytes(4) + content


def test_nothing_of_an_upload_stays(limited, tmp_path, monkeypatch):
    """Not even while it is being read: a file of 2 MB has no name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with running(limited.service.recognizer, max_upload_bytes=5_000_000) as server:
        answers = []

        def body():
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(20):
                answers.append(list(tmp_path.iterdir()))
                yield bytes(100_000)
                time.sleep(0.005)
            yield b"\r\n--x--\r\n"

        answer = server.http.post(
            "/v1/audio/transcriptions",
            content=body(),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
    error_of(answer, 400, "invalid_audio")
    assert answers == [[]] * 20
    assert list(tmp_path.iterdir()) == []


def test_a_long_upload_is_given_up_when_its_client_leaves(toy_recognizer, monkeypatch):
    from recognizer.data.audio import reader

    read = threading.Event()
    left = threading.Event()

    def pieces(self):
        for _ in range(1000):
            self.read += 1.0
            yield np.zeros(16000, np.float32)
            read.set()
            assert left.wait(PATIENCE)
        raise AssertionError("the rest is read although nobody waits for it")

    monkeypatch.setattr(reader.AudioReader, "__iter__", pieces)
    with running(toy_recognizer) as server:
        with sockets.create_connection(("127.0.0.1", server.port)) as connection:
            form = (
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
                + recording(0.1)
                + b"\r\n--x--\r\n"
            )
            connection.sendall(
                b"POST /v1/audio/transcriptions HTTP/1.0\r\nHost: x\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"
                % len(form)
                + form
            )
            assert read.wait(PATIENCE)
        left.set()
        until(lambda: server.service.metrics.uploads._value.get() == 0)
        until(lambda: 'status="499"' in server.http.get("/metrics").text)
        assert len(server.said) == 1


def test_a_client_that_leaves_gives_its_slot_back(limited):
    with slow_upload(limited):
        pass
    until(lambda: limited.service.metrics.uploads._value.get() == 0)


def test_draining(toy_recognizer):
    """Streams may finish for a while, then they are finished; nobody new is let in."""
    with (
        running(toy_recognizer, drain_seconds=2.0) as server,
        connect(server.websocket_url) as first,
        connect(server.websocket_url) as second,
    ):
        for socket in (first, second):
            socket.send(CONFIG)
            socket.send(bytes(3200))
            assert json.loads(socket.recv(PATIENCE)) == {"partial": ""}
        assert server.http.get("/healthz").json() == {"status": "ok"}
        server.server.should_exit = True
        until(server.service.draining.is_set)
        assert server.http.get("/healthz").status_code == 503
        first.send('{"eof": 1}')
        assert first.recv(PATIENCE) == '{"text": ""}'
        assert second.recv(PATIENCE) == '{"text": ""}'
        with pytest.raises(websockets.ConnectionClosed) as closed:
            second.recv(PATIENCE)
        assert closed.value.rcvd.code == 1012
        with pytest.raises(OSError), connect(server.websocket_url):
            pass
