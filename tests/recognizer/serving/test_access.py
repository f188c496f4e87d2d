"""Tokens and origins, over HTTP and over websockets."""

from __future__ import annotations

import base64

import openai
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from running_server import running

TOKEN = "s3cret/token"


@pytest.fixture(scope="module")
def guarded(toy_recognizer):
    with running(toy_recognizer, token=TOKEN, origins=("https://friend.example",)) as one:
        yield one


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def connected(guarded, origin: str):
    return connect(guarded.websocket_url, origin=origin, additional_headers=bearer(TOKEN))


def subprotocols(token: str) -> list[str]:
    coded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return ["recognizer", f"bearer.{coded}"]


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/audio/transcriptions", "/nowhere"])
def test_wrong_tokens(guarded, path):
    for headers, code in [
        ({}, "missing_api_key"),
        (bearer("guess"), "invalid_api_key"),
        (bearer(TOKEN + "x"), "invalid_api_key"),
        (bearer(TOKEN[:-1]), "invalid_api_key"),
        ({"Authorization": f"Basic {TOKEN}"}, "missing_api_key"),
        ({"Authorization": "Bearer"}, "missing_api_key"),
        ({"Authorization": "Bearer \xe9".encode("latin-1")}, "invalid_api_key"),
    ]:
        answer = guarded.http.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == code


def test_the_right_token(guarded):
    assert guarded.http.get("/v1/models", headers=bearer(TOKEN)).status_code == 200
    with openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=TOKEN, max_retries=0) as client:
        assert client.models.list().data[0].id == "whistled"
    with (
        openai.OpenAI(base_url=f"{guarded.url}/v1", api_key="guess", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError, match="expected the right token"),
    ):
        client.models.list()


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/docs", "/openapi.json", "/healthz"])
def test_what_needs_no_token(guarded, path):
    assert guarded.http.get(path).status_code == 200


def test_websockets(guarded):
    for arguments in [
        {},
        {"additional_headers": bearer("guess")},
        {"subprotocols": subprotocols("guess")},
        {"subprotocols": ["recognizer", "bearer.!"]},
        {"subprotocols": ["recognizer"]},
    ]:
        with pytest.raises(InvalidStatus) as refused, connect(guarded.websocket_url, **arguments):
            pass
        assert refused.value.response.status_code == 401
        assert b"token" in refused.value.response.body
    with connect(guarded.websocket_url, additional_headers=bearer(TOKEN)) as socket:
        assert socket.subprotocol is None
        socket.send('{"eof": 1}')
        assert socket.recv() == '{"text": ""}'
    with connect(guarded.websocket_url, subprotocols=subprotocols(TOKEN)) as socket:
        assert socket.subprotocol == "recognizer"  # the token is not sent back


def test_pages_of_others(guarded):
    """A page that a person visits must not use the server on this person's machine."""
    for origin, status in [
        ("https://foe.example", 403),
        ("null", 403),
        (guarded.url + ".foe.example", 403),
        (guarded.url, 200),
        ("https://friend.example", 200),
    ]:
        headers = {"Origin": origin, **bearer(TOKEN)}
        answer = guarded.http.get("/v1/models", headers=headers)
        assert answer.status_code == status, origin
        allowed = answer.headers.get("access-control-allow-origin")
        assert (allowed == origin) == (origin == "https://friend.example")
        if status == 403:
            with pytest.raises(InvalidStatus), connected(guarded, origin):
                pass
        else:
            with connected(guarded, origin) as socket:
                assert socket.response.status_code == 101
