"""Errors as OpenAI's API words them, for HTTP and for websockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

TRY_AGAIN_SECONDS = 5
"""After how long a client that was refused for lack of room may try again."""


class RequestError(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        message: one line for a person.
        param: the field of the request that is wrong.
        code: a word for programs.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def body(self) -> dict[str, Any]:
        """The JSON object that OpenAI's clients read."""
        return {
            "error": {
                "message": self.message,
                "type": "server_error" if self.status >= 500 else "invalid_request_error",
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """The answer over HTTP."""
        more = dict(headers or {})
        if self.status == 401:
            more["WWW-Authenticate"] = "Bearer"
        if self.status in (429, 503):
            more["Retry-After"] = str(TRY_AGAIN_SECONDS)
        if self.status in (401, 403, 408, 413, 429, 503):
            # The rest of the request's body is not read, so the connection cannot be used again.
            more["Connection"] = "close"
        return JSONResponse(self.body(), self.status, more)


def too_large(limit: int) -> RequestError:
    """An upload beyond the limit in bytes."""
    message = f"expected an upload of at most {limit} bytes, found more"
    return RequestError(413, message, code="upload_too_large")


def too_long(limit: float) -> RequestError:
    """Audio beyond the limit in seconds."""
    message = f"expected at most {limit:g} s of audio, found more"
    return RequestError(413, message, code="audio_too_long")


def too_slow(limit: float) -> RequestError:
    """A client that sent nothing for too long."""
    message = f"expected data from the client, found none for {limit:g} s"
    return RequestError(408, message, code="idle")


def too_many(what: str, limit: int) -> RequestError:
    """More clients than are served at once."""
    message = f"the server is busy: it serves at most {limit} {what} at a time; try again later"
    return RequestError(503, message, code="busy")


def draining() -> RequestError:
    """The server is about to end."""
    return RequestError(503, "the server is shutting down", code="shutting_down")
