"""What the server tells of itself: its model, health, metrics and description."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from recognizer.serving.openapi import description, description_page
from recognizer.serving.shared.errors import RequestError
from recognizer.serving.shared.service import OPENAI_MODEL, Service

PATHS = (
    "/",
    "/v1/audio/transcriptions",
    "/v1/subtitles",
    "/v1/models",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/docs",
)
"""The paths that metrics tell apart."""


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _model_object(service: Service) -> dict[str, Any]:
    """OpenAI's object of a model, and what a client of ours may want to know before it asks."""
    return {
        "id": service.model_name,
        "object": "model",
        "created": 0,
        "owned_by": "recognizer",
        "language": service.language,
        "max_upload_bytes": service.options.max_upload_bytes,
        "max_audio_seconds": service.options.max_audio_seconds,
    }


async def models(request: Request) -> Response:
    """``GET /v1/models``."""
    return JSONResponse({"object": "list", "data": [_model_object(_service(request))]})


async def model(request: Request) -> Response:
    """``GET /v1/models/NAME``."""
    service, name = _service(request), request.path_params["name"]
    if name not in (service.model_name, OPENAI_MODEL):
        raise RequestError(
            404,
            f"expected the model {service.model_name!r}, found {name!r}",
            param="model",
            code="model_not_found",
        )
    return JSONResponse(_model_object(service))


async def health(request: Request) -> Response:
    """``GET /healthz``: 200 while the server takes work, 503 once it is shutting down."""
    draining = _service(request).draining.is_set()
    return JSONResponse({"status": "shutting down" if draining else "ok"}, 503 if draining else 200)


async def metrics(request: Request) -> Response:
    """``GET /metrics``."""
    text, content_type = _service(request).metrics.text()
    return Response(text, headers={"Content-Type": content_type})


async def openapi(request: Request) -> Response:
    """``GET /openapi.json``."""
    return JSONResponse(description())


async def docs(request: Request) -> Response:
    """``GET /docs``: the same for people."""
    return HTMLResponse(
        description_page(),
        headers={
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'",
            "X-Content-Type-Options": "nosniff",
        },
    )
