"""Uploads: read within their limits, kept in memory or in a file without a name.

Files of up to 1 MB stay in memory; larger ones go to a temporary file that the system removes when
it is closed, however the process ends.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from recognizer.serving.shared.errors import RequestError, too_large, too_slow

_FIELD_BYTES = 64 * 1024
_MAX_FIELDS = 64
_NAME_LENGTH = 100


@dataclass(frozen=True)
class Upload:
    """A form with a file.

    Attributes:
        file: its content, seekable, at its beginning; its name, for messages, is the client's.
        form: the other fields.
    """

    file: BinaryIO
    form: FormData


@asynccontextmanager
async def read_upload(
    request: Request, max_bytes: int, idle_seconds: float
) -> AsyncIterator[Upload]:
    """Read a multipart form with a field ``file``; it is let go at the end of the block.

    Args:
        request: whose body is read.
        max_bytes: of the body. It is read no further than that.
        idle_seconds: how long the client may send nothing.

    Raises:
        RequestError: another content type, a body that is no form, has no file or is too large, or
            a client that stalls.
        ClientDisconnect: the client left.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise RequestError(
            415, "expected multipart/form-data", param="file", code="unsupported_content_type"
        )
    try:
        form = await _limited(request, max_bytes, idle_seconds).form(
            max_files=1, max_fields=_MAX_FIELDS, max_part_size=_FIELD_BYTES
        )
    except HTTPException as error:
        raise RequestError(400, f"the form: {error.detail}", code="invalid_form") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise RequestError(
                400, "file: expected a file in the form", param="file", code="missing_file"
            )
        yield Upload(cast(BinaryIO, _Named(file.file, file.filename or "upload")), form)
    finally:
        await form.close()


class _Named:
    """An open file under another name."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.name = " ".join(name.split())[-_NAME_LENGTH:]

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._file, attribute)


async def read_json(request: Request, max_bytes: int, idle_seconds: float) -> Any:
    """Read a body that is JSON; arguments and errors as of `read_upload`."""
    try:
        return json.loads(await _limited(request, max_bytes, idle_seconds).body())
    except (ValueError, RecursionError):
        raise RequestError(400, "expected JSON", code="invalid_json") from None


def _limited(request: Request, max_bytes: int, idle_seconds: float) -> Request:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise too_large(max_bytes)
    return Request(request.scope, _Limited(request, max_bytes, idle_seconds).receive)


class _Limited:
    """The body of a request, up to so many bytes, each of its parts within the idle time."""

    def __init__(self, request: Request, max_bytes: int, idle_seconds: float) -> None:
        self._receive, self._left, self._limit = request.receive, max_bytes, max_bytes
        self._idle_seconds = idle_seconds

    async def receive(self) -> Message:
        try:
            message = await asyncio.wait_for(self._receive(), self._idle_seconds)
        except asyncio.TimeoutError:
            raise too_slow(self._idle_seconds) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise too_large(self._limit)
        return message
