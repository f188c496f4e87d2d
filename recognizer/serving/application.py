"""The ASGI application: paths, their answers, and errors in one shape."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recognizer.data.errors import as_speech_error
from recognizer.serving.access import PAGE_FILES, AccessControl
from recognizer.serving.answers import PATHS, docs, health, metrics, model, models, openapi
from recognizer.serving.shared.errors import RequestError
from recognizer.serving.shared.service import Service
from recognizer.serving.subtitles import subtitles
from recognizer.serving.transcriptions.handler import transcribe
from recognizer.serving.vosk import vosk

_PAGE_HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "media-src blob:",
            "img-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""The page loads and runs nothing but its own files, and no other page may frame it."""

_CLIENT_CLOSED_REQUEST = 499
"""nginx's status of a request whose client left."""


def application(service: Service) -> Starlette:
    """The application of one server."""
    routes = [
        WebSocketRoute("/", vosk),
        *_page_routes(),
        Route("/v1/audio/transcriptions", transcribe, methods=["POST"]),
        Route("/v1/subtitles", subtitles, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", model),
        Route("/healthz", health),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
        Route("/docs", docs),
    ]
    middleware = [Middleware(Counted, service=service)]
    if service.options.origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(service.options.origins),
                allow_methods=["GET", "POST"],
                allow_headers=["Authorization", "Content-Type"],
            )
        )
    middleware.append(Middleware(AccessControl, options=service.options))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={
            RequestError: _request_error,
            HTTPException: _http_error,
            ClientDisconnect: _left,
        },
        lifespan=lifespan,
    )
    app.state.service = service
    return app


def _page_routes() -> list[Route]:
    """The page at ``/`` and the files that it loads, all held in memory."""
    routes = []
    for file in (resources.files("recognizer.serving") / "page").iterdir():
        media_type, _ = mimetypes.guess_type(file.name)
        if media_type is None:
            continue
        path = "/" if file.name == "index.html" else PAGE_FILES + file.name
        routes.append(Route(path, partial(_page_file, file.read_bytes(), media_type)))
    return routes


async def _page_file(content: bytes, media_type: str, request: Request) -> Response:
    return Response(content, media_type=media_type, headers=_PAGE_HEADERS)


async def _request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return error.response()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    found = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        message = f"expected a path that /docs lists, found {found}"
    elif error.status_code == 405:
        message = f"expected another method, found {found}"
    else:
        message = error.detail
    return RequestError(error.status_code, message).response(error.headers)


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=_CLIENT_CLOSED_REQUEST)  # for the metrics: nobody reads it


class Counted:
    """Counts answers, and gives one where something failed that nobody foresaw."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = None

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception as error:
            wrong = as_speech_error(error)
            self._service.report(wrong)
            if status is None:
                await RequestError(500, str(wrong)).response()(scope, receive, counted)
        finally:
            path = scope["path"] if scope["path"] in PATHS else "other"
            self._service.metrics.responses.labels(path, status or "none").inc()
