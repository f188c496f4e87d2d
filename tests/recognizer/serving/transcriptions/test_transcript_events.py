"""The text of an upload as events, as OpenAI's own client reads them."""

from __future__ import annotations

import asyncio
import io
import json
import socket as sockets
import threading

import numpy as np
import openai
import pytest
import soundfile

import toy
from running_server import PATIENCE, running, until

LONG = "go left now write stop right " * 21
AHEAD = 4
"""Minutes that are read before the first segment is told: windows and segments are read ahead."""


def recording(text: str) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, toy.whistle(text), 16000, format="FLAC")
    return content.getvalue()


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as one:
        yield one


def events_of(client, content: bytes, **fields):
    with client.audio.transcriptions.create(
        file=("a.flac", content), model="whisper-1", stream=True, **fields
    ) as events:
        return list(events)


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_short_recording(client, form):
    delta, done = events_of(client, recording("go left"), response_format=form)
    assert (delta.type, delta.delta) == ("transcript.text.delta", "go left")
    assert (done.type, done.text) == ("transcript.text.done", "go left")


def test_a_long_recording_has_an_event_for_each_segment(server, client, toy_recognizer):
    content = recording(LONG)
    *deltas, done = events_of(client, content)
    result = toy_recognizer.recognize(io.BytesIO(content))
    assert len(deltas) == len([one for one in result.segments if one.words]) > 1
    assert "".join(one.delta for one in deltas) == done.text == result.text
    assert server.service.metrics.uploads._value.get() == 0


def test_silence_has_a_last_event_only(client):
    content = io.BytesIO()
    soundfile.write(content, np.zeros(16000), 16000, format="WAV")
    (done,) = events_of(client, content.getvalue())
    assert (done.type, done.text) == ("transcript.text.done", "")


def test_the_asynchronous_client(server):
    async def said() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            events = await client.audio.transcriptions.create(
                file=("a.flac", recording("stop")), model="whisper-1", stream=True
            )
            return [event.type async for event in events]

    assert asyncio.run(said()) == ["transcript.text.delta", "transcript.text.done"]


def test_what_fails_at_once_is_an_error_like_any_other(client):
    with pytest.raises(openai.BadRequestError, match="expected a recording"):
        events_of(client, b"not audio")


def broken_later(monkeypatch: pytest.MonkeyPatch, after: int) -> threading.Event:
    """Recordings can be read for some minutes, and then no further; gives when that is."""
    from recognizer.data.audio import reader
    from recognizer.data.errors import SpeechError

    reached = threading.Event()
    minute = toy.whistle(LONG)[: 60 * 16000]

    def pieces(self):
        for _ in range(after):
            self.read += 60.0
            yield minute
        reached.set()
        raise SpeechError("a.flac: damaged")

    monkeypatch.setattr(reader.AudioReader, "__iter__", pieces)
    return reached


def test_what_fails_later_is_raised_after_the_text_before(server, client, monkeypatch):
    broken_later(monkeypatch, after=2)
    found = []
    with pytest.raises(openai.APIError, match=r"a\.flac: damaged") as caught:
        for event in client.audio.transcriptions.create(
            file=("a.flac", recording("go")), model="whisper-1", stream=True
        ):
            found.append(event)
    assert caught.value.code == "invalid_audio"
    assert {event.type for event in found} == {"transcript.text.delta"}
    assert "".join(event.delta for event in found).startswith("go left now")
    until(lambda: server.service.metrics.uploads._value.get() == 0)


def test_events_come_while_the_rest_is_still_recognised(toy_recognizer, monkeypatch):
    from recognizer.data.audio import reader

    first_came, minute = threading.Event(), toy.whistle(LONG)[: 60 * 16000]

    def pieces(self):
        for _ in range(AHEAD):
            self.read += 60.0
            yield minute
        assert first_came.wait(PATIENCE), "the first event comes at the end only"
        self.read += 60.0
        yield minute

    monkeypatch.setattr(reader.AudioReader, "__iter__", pieces)
    with (
        running(toy_recognizer) as server,
        server.http.stream(
            "POST",
            "/v1/audio/transcriptions",
            data={"stream": "true"},
            files={"file": ("a.flac", recording("go"))},
            timeout=PATIENCE,
        ) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = []
        for line in answer.iter_lines():
            if line:
                found.append(json.loads(line.removeprefix("data: ")))
                first_came.set()
    assert found[-1]["type"] == "transcript.text.done"


def test_a_client_that_leaves_gives_its_slot_back(toy_recognizer, monkeypatch):
    from recognizer.data.audio import reader

    left, minute = threading.Event(), toy.whistle(LONG)[: 60 * 16000]

    def pieces(self):
        for number in range(1000):
            self.read += 60.0
            yield minute
            if number == AHEAD - 1:
                assert left.wait(PATIENCE)
        raise AssertionError("the rest is read although nobody waits for it")

    monkeypatch.setattr(reader.AudioReader, "__iter__", pieces)
    with running(toy_recognizer, max_audio_seconds=1e6) as server:
        form = (
            b'--x\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n'
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            + recording("go")
            + b"\r\n--x--\r\n"
        )
        with sockets.create_connection(("127.0.0.1", server.port)) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(
                b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n"
                % len(form)
                + form
            )
            assert b" 200 " in connection.recv(4096)
        until(lambda: server.service.metrics.uploads._value.get() == 1)
        left.set()
        until(lambda: server.service.metrics.uploads._value.get() == 0)
        assert len(server.said) == 1  # it is no fault of the server


def test_shutting_down_ends_the_events(toy_recognizer, monkeypatch):
    from recognizer.data.audio import reader

    minute, ended = toy.whistle(LONG)[: 60 * 16000], threading.Event()

    def pieces(self):
        for number in range(AHEAD + 1):
            self.read += 60.0
            yield minute
            if number == AHEAD - 1:
                assert ended.wait(PATIENCE)

    monkeypatch.setattr(reader.AudioReader, "__iter__", pieces)
    with (
        running(toy_recognizer, drain_seconds=0.0) as server,
        server.http.stream(
            "POST",
            "/v1/audio/transcriptions",
            data={"stream": "true"},
            files={"file": ("a.flac", recording("go"))},
            timeout=PATIENCE,
        ) as answer,
    ):
        lines = answer.iter_lines()
        assert "transcript.text.delta" in next(lines)
        server.server.should_exit = True
        until(server.service.ending.is_set)
        ended.set()
        last = [line for line in lines if line][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "shutting_down"
