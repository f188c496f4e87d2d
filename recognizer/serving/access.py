"""What every request passes first: the page's origin and the token."""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from recognizer.serving.shared.errors import RequestError
from recognizer.serving.shared.options import ServerOptions

OPEN_PATHS = ("/", "/healthz", "/docs", "/openapi.json")
"""Answered without a token, as are the files of the page: they tell nothing that is secret."""

PAGE_FILES = "/page/"
"""Where the files of the page are."""

SUBPROTOCOL = "recognizer"
"""The websocket subprotocol that the page asks for, beside one that carries its token."""

_TOKEN_SUBPROTOCOL = "bearer."


class AccessControl:
    """The outermost layer of the application.

    Args:
        app: the application.
        options: the server's.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions) -> None:
        self._app, self._options = app, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        error = self._origin_error(headers)
        if error is None and not self._is_open(scope):
            error = self._token_error(headers, scope.get("subprotocols", []))
        if error is not None:
            await _refuse(error, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return scope["type"] == "http" and (path in OPEN_PATHS or path.startswith(PAGE_FILES))

    def _origin_error(self, headers: Headers) -> RequestError | None:
        """Browsers let any page reach 127.0.0.1, and say which page it is."""
        origin = headers.get("origin")
        if origin is None or origin in self._options.origins:
            return None
        if urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != "":
            return None
        return RequestError(
            403, f"expected a page of this server, found one of {origin}", code="wrong_origin"
        )

    def _token_error(self, headers: Headers, subprotocols: list[str]) -> RequestError | None:
        expected = self._options.token
        if expected is None:
            return None
        found = _bearer(headers, subprotocols)
        if found is None:
            return RequestError(401, "expected a bearer token, found none", code="missing_api_key")
        # In constant time: how long it takes must not tell how much of a guess is right.
        if hmac.compare_digest(found.encode(), expected.encode()):
            return None
        return RequestError(401, "expected the right token, found another", code="invalid_api_key")


def _bearer(headers: Headers, subprotocols: list[str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    # Scripts in a browser cannot set the headers of a websocket, but its subprotocols.
    for offered in subprotocols:
        if offered.startswith(_TOKEN_SUBPROTOCOL):
            coded = offered[len(_TOKEN_SUBPROTOCOL) :]
            try:
                return base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
            except (binascii.Error, UnicodeDecodeError):
                return None
    return None


async def _refuse(error: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
    response = error.response()
    if scope["type"] == "websocket":
        await receive()  # the handshake, which is answered with a plain response
    await response(scope, receive, send)
