"""What is shown while somebody speaks: on a terminal each word, elsewhere each utterance."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol, TextIO

from recognizer.formats.json_line import match_fields, readable_field, word_objects
from recognizer.readable.writer import shipped_writer
from recognizer.streaming.events import Event, Final, Partial


class Display(Protocol):
    """Shows the events of a stream."""

    def show(self, event: Event) -> None:
        """Show one event; finals without words are nothing to show, unless rejected."""


class LineDisplay:
    """A line for each final result, for files and other programs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        """Print the text of a final result."""
        if isinstance(event, Final) and event.words:
            self._stream.write(f"{event.result.display_text}\n")
            self._stream.flush()


class JsonDisplay:
    """A JSON object in a line for each event.

    ``{"event": "partial", "start", "committed", "tentative"}`` and ``{"event": "final", "start",
    "end", "text", "words"}``; times in seconds from the beginning, words as
    `recognizer.formats.json_line` has them. With a grammar, finals have ``rejected`` and ``tags``;
    with readable words, ``readable``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        """Print an event."""
        if isinstance(event, Partial):
            fields = {
                "event": "partial",
                "start": round(event.start, 3),
                "committed": " ".join(event.committed),
                "tentative": " ".join(event.tentative),
            }
        elif event.words or event.result.rejected:
            fields = {
                "event": "final",
                "start": round(event.start, 3),
                "end": round(event.end, 3),
                "text": event.text,
                **readable_field(event.result),
                "words": word_objects(event.result.words),
                **match_fields(event.result),
            }
        else:
            return
        self._stream.write(json.dumps(fields) + "\n")
        self._stream.flush()


class ReadableDisplay:
    """Gives another display final results with readable words.

    Args:
        display: shows the events.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._before: tuple[str, ...] = ()

    def show(self, event: Event) -> None:
        """Show an event; of a final result, the utterance before tells how it begins."""
        if isinstance(event, Final):
            result = shipped_writer().result(event.result, self._before)
            self._before = event.words or self._before
            event = replace(event, result=result)
        self._display.show(event)


@contextmanager
def display(form: str) -> Iterator[Display]:
    """What suits standard output, for the time of a block.

    On a terminal the words of the utterance in progress are redrawn as they come, those that may
    still change dimmed; above them stand the finished utterances.

    Args:
        form: "text" or "json".
    """
    if form == "json":
        yield JsonDisplay(sys.stdout)
    elif not sys.stdout.isatty():
        yield LineDisplay(sys.stdout)
    else:
        with terminal_display() as found:
            yield found


@contextmanager
def terminal_display() -> Iterator[Display]:
    """A display on standard output, which is a terminal."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=sys.stdout)

    class TerminalDisplay:
        """Redraws partial results, and prints final ones above them."""

        def show(self, event: Event) -> None:
            """Show an event."""
            if isinstance(event, Partial):
                committed = " ".join(event.committed)
                space = " " if event.committed and event.tentative else ""
                tentative = (" ".join(event.tentative), "dim")
                live.update(Text.assemble(committed + space, tentative), refresh=True)
                return
            live.update("", refresh=True)
            if event.words:
                console.print(Text(event.result.display_text), soft_wrap=True)

    with Live("", console=console, transient=True, auto_refresh=False) as live:
        yield TerminalDisplay()
