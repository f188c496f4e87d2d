"""The recognition of an upload, for as long as its client waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import ClientDisconnect, Request

from recognizer.data.audio.conversion import Samples
from recognizer.data.audio.reader import AudioReader, first_seconds
from recognizer.data.errors import SpeechError
from recognizer.long.recognition import LONG_SECONDS, joined, recognize_segments
from recognizer.long.segmentation import SegmentationOptions
from recognizer.recognition.result import Result
from recognizer.serving.shared.errors import RequestError, draining, too_long
from recognizer.serving.shared.service import Service
from recognizer.serving.shared.uploads import Upload


class UploadRecognition:
    """The recognition of an upload, in a thread.

    Args:
        service: the server's.
        upload: the recording.
        told: is called, in that thread, with each segment's result as soon as it is there.
    """

    def __init__(
        self,
        service: Service,
        upload: Upload,
        told: Callable[[Result], None] = lambda segment: None,
    ) -> None:
        self._service, self._upload, self._told = service, upload, told
        self.cancelled = threading.Event()

    def __call__(self) -> Result:
        """Recognise the upload; a long one segment by segment, in bounded memory.

        Raises:
            RequestError: it is no audio, or too long.
            ClientDisconnect: nobody waits for it any more.
        """
        recognizer = self._service.recognizer
        try:
            with AudioReader(self._upload.file) as reader:
                pieces, whole = first_seconds(self._checked(reader), LONG_SECONDS)
                if whole is not None:
                    result = recognizer.recognize_samples(whole)
                    self._told(result)
                    return result
                segments = []
                for found in recognize_segments(
                    recognizer, pieces, SegmentationOptions(), threads=1
                ):
                    self._told(found)
                    segments.append(found)
                return joined(segments, reader.read)
        except SpeechError as error:
            raise RequestError(400, str(error), param="file", code="invalid_audio") from None

    def _checked(self, reader: AudioReader) -> Iterator[Samples]:
        """The recording, up to where it is too long, or nobody waits for it any more."""
        limit = self._service.options.max_audio_seconds
        if reader.seconds is not None and reader.seconds > limit:
            raise too_long(limit)
        for piece in reader:
            if reader.read > limit:
                raise too_long(limit)
            if self.cancelled.is_set():
                raise ClientDisconnect
            yield piece


async def while_connected(request: Request, service: Service, work: UploadRecognition) -> Result:
    """The result of work that is given up when nobody waits for it any more."""
    running = asyncio.get_running_loop().run_in_executor(service.threads, work)
    ending = asyncio.ensure_future(service.ending.wait())
    leaving = asyncio.ensure_future(_disconnected(request))
    waits: set[asyncio.Future[Any]] = {running, ending, leaving}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        if ending.done():
            raise draining()
        raise ClientDisconnect
    finally:
        work.cancelled.set()
        ending.cancel()
        leaving.cancel()
        if not running.cancel():
            # The upload's file may be closed only when the thread has let go of it.
            await asyncio.wait({running})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
