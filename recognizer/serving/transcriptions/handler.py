"""``POST /v1/audio/transcriptions``."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from starlette.requests import Request
from starlette.responses import Response

from recognizer.serving.shared.service import Service
from recognizer.serving.shared.uploads import read_upload
from recognizer.serving.transcriptions.answers import answer_of
from recognizer.serving.transcriptions.events import TranscriptEvents
from recognizer.serving.transcriptions.fields import parsed_request
from recognizer.serving.transcriptions.recognition import UploadRecognition, while_connected


async def transcribe(request: Request) -> Response:
    """Recognise an upload."""
    service: Service = request.app.state.service
    options = service.options
    began = time.monotonic()
    async with AsyncExitStack() as held:
        held.enter_context(service.uploads.slot())
        upload = await held.enter_async_context(
            read_upload(request, options.max_upload_bytes, options.idle_seconds)
        )
        wanted = parsed_request(upload.form, service.model_name, service.language)
        if wanted.readable:
            service.check_readable()
        if wanted.stream:
            return TranscriptEvents(request, service, upload, began, held.pop_all())
        work = UploadRecognition(service, upload)
        result = await while_connected(request, service, work)
        answer = await asyncio.to_thread(answer_of, result, wanted, service.language)
        service.metrics.uploaded(result.duration, began)
        return answer
