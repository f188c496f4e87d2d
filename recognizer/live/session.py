"""The loop of live recognition: pieces of audio in, events shown, the last utterance finished."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recognizer.data.errors import SpeechError
from recognizer.live.display import Display
from recognizer.streaming.events import Event, Final
from recognizer.streaming.stream import Stream


def recognize_live(stream: Stream, pieces: Iterable[tuple[Any, int]], display: Display) -> bool:
    """Recognise audio while it arrives, and show what is said.

    Args:
        stream: is finished at the end.
        pieces: samples, as for `Stream.accept`, each with its rate.
        display: shows every event.

    Returns:
        Whether any words were said.

    Raises:
        SpeechError: the audio fails. What was said before is finished and shown first.
    """
    said = False

    def show(events: list[Event]) -> None:
        nonlocal said
        for event in events:
            display.show(event)
            said = said or (isinstance(event, Final) and bool(event.words))

    failure: SpeechError | None = None
    with stream:
        try:
            for samples, rate in pieces:
                show(stream.accept(samples, rate))
        except SpeechError as error:
            failure = error
        show(stream.finish())
    if failure is not None:
        raise failure
    return said
