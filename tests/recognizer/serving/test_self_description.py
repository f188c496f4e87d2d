"""What the server tells of itself: its description, health and metrics."""

from __future__ import annotations

import io

import pytest
import soundfile
from websockets.sync.client import connect

import toy
from recognizer.serving.answers import PATHS
from recognizer.serving.openapi import description
from recognizer.serving.transcriptions.fields import (
    GRANULARITIES,
    RESPONSE_FORMATS,
    WITHOUT_EFFECT,
)
from running_server import running


def references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [one for value in part.values() for one in references(value)]
    return [one for value in part for one in references(value)] if isinstance(part, list) else []


def test_the_description_names_every_path(server):
    routes = {route.path: route for route in server.server.config.app.routes}
    documented = description()["paths"]
    undocumented = {"/docs", "/openapi.json", "/v1/models/{name:path}"}
    pages = {path for path in routes if path.startswith("/page/")}
    assert documented.keys() - {"/v1/models/{name}"} == routes.keys() - undocumented - pages
    assert set(PATHS) == (documented.keys() - {"/v1/models/{name}"}) | {"/docs", "/openapi.json"}
    for path, methods in documented.items():
        if path in routes and path != "/":
            assert {method.upper() for method in methods} == routes[path].methods - {"HEAD"}


def test_the_description_is_whole():
    document = description()
    for reference in references(document):
        found = document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
    fields = document["components"]["schemas"]["TranscriptionRequest"]["properties"]
    assert tuple(fields["response_format"]["enum"]) == RESPONSE_FORMATS
    assert tuple(fields["timestamp_granularities[]"]["items"]["enum"]) == GRANULARITIES
    for name in WITHOUT_EFFECT:
        assert fields[name]["description"] == "Without effect."


def test_answers_have_the_fields_that_the_description_requires(server):
    schemas = description()["components"]["schemas"]
    content = io.BytesIO()
    soundfile.write(content, toy.whistle("go left"), 16000, format="WAV")
    data = {
        "response_format": "verbose_json",
        "timestamp_granularities[]": list(GRANULARITIES),
        "readable": "true",
    }
    answer = server.http.post(
        "/v1/audio/transcriptions", data=data, files={"file": content.getvalue()}
    ).json()
    model = server.http.get("/v1/models").json()["data"][0]
    error = server.http.get("/nowhere").json()
    for name, found in [
        ("VerboseTranscription", answer),
        ("Segment", answer["segments"][0]),
        ("Word", answer["words"][0]),
        ("Usage", answer["usage"]),
        ("Model", model),
        ("Error", error),
    ]:
        schema = schemas[name]
        assert found.keys() == schema["properties"].keys(), name
        assert set(schema["required"]) <= found.keys()


def test_the_page_of_the_description(server):
    answer = server.http.get("/docs")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<code>POST /v1/audio/transcriptions</code>" in answer.text
    for outside in ("http:", "https:", "<script"):
        assert outside not in answer.text
    assert server.http.get("/openapi.json").json() == description()


def test_metrics(toy_recognizer):
    with running(toy_recognizer, max_audio_seconds=1.0) as server:
        with connect(server.websocket_url) as socket:
            socket.send(bytes(8000))  # half a second: 8 kHz where the client says nothing
            socket.recv()
            during = server.http.get("/metrics").text
            socket.send('{"eof": 1}')
            socket.recv()
        with connect(server.websocket_url) as socket:
            socket.send("?")
            socket.recv()
        with connect(server.websocket_url):
            pass
        server.http.get("/nowhere")
        server.http.get("/v1/models")
        after = server.http.get("/metrics")
    assert after.headers["content-type"].startswith("text/plain; version=")
    assert "\nrecognizer_streams 1.0\n" in during
    for line in (
        "recognizer_streams 0.0",
        'recognizer_streams_ended_total{outcome="finished"} 1.0',
        'recognizer_streams_ended_total{outcome="error"} 1.0',
        'recognizer_audio_seconds_total{source="stream"} 0.5',
        'recognizer_http_responses_total{path="other",status="404"} 1.0',
        'recognizer_http_responses_total{path="/v1/models",status="200"} 1.0',
        "recognizer_stream_reply_seconds_count 1.0",
    ):
        assert f"\n{line}\n" in after.text
    assert "process_resident_memory_bytes" in after.text


def test_a_fault_of_the_server_is_one_line(toy_recognizer, monkeypatch: pytest.MonkeyPatch):
    with running(toy_recognizer) as server:

        def broken():
            raise ZeroDivisionError("by zero")

        monkeypatch.setattr(server.service, "stream", broken)
        monkeypatch.setattr(server.service.metrics, "text", broken)
        answer = server.http.get("/metrics")
        with connect(server.websocket_url) as socket:
            over_socket = socket.recv()
    assert answer.status_code == 500
    message = answer.json()["error"]["message"]
    assert "a fault of this program: ZeroDivisionError: by zero" in message
    assert message in over_socket
    assert [str(one) for one in server.said[1:3]] == [message, message]
