"""Connections that are let go when their client stalls.

uvicorn waits without limit for a request's first line, and for a client to read what it is sent
after the connection was closed on this side. The application sees neither.
"""

from __future__ import annotations

import asyncio
from asyncio.transports import BaseTransport

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class Watch:
    """Looks at a connection every `seconds`.

    A connection is cut off if it was being closed at the last look already, or if its client has
    not read what it was sent since then; one that waits for a request, and for which none has
    begun since the last look, is closed, even if a part of its first lines has come.

    Attributes:
        requested: whether a request has begun since the last look.
        waits_for_request: whether no request is under way.
        held_up: whether the application waits for the client to read.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport, self._seconds = transport, seconds
        self._loop = asyncio.get_running_loop()
        self._was_stuck = False
        self.requested = False
        self.held_up = False
        self.waits_for_request = False
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        stuck = self._transport.is_closing() or self.held_up
        if stuck and self._was_stuck:
            self._transport.abort()
            return
        if self.waits_for_request and not self.requested:
            self._transport.close()
            stuck = True
        self._was_stuck, self.requested = stuck, False
        self._timer = self._loop.call_later(self._seconds, self._look)

    def resumed(self) -> None:
        """The client has read what held the application up."""
        self.held_up = self._was_stuck = False

    def stop(self) -> None:
        """End the watch."""
        self._timer.cancel()


def http_protocol(idle_seconds: float) -> type[asyncio.Protocol]:
    """Uvicorn's protocol of HTTP, watched."""

    class WatchedHttp(H11Protocol):
        _watch: Watch

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch = Watch(transport, idle_seconds)
            self._watch.waits_for_request = True

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._watch.waits_for_request, self._watch.requested = False, True

        def on_response_complete(self) -> None:
            self._watch.waits_for_request = True
            super().on_response_complete()

        def handle_websocket_upgrade(self, event: object) -> None:
            self._watch.stop()  # from now on the connection has another protocol
            super().handle_websocket_upgrade(event)  # type: ignore[arg-type]

        def pause_writing(self) -> None:
            self._watch.held_up = True
            super().pause_writing()

        def resume_writing(self) -> None:
            self._watch.resumed()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._watch.stop()
            super().connection_lost(exc)

    return WatchedHttp


def websocket_protocol(idle_seconds: float) -> type[asyncio.Protocol]:
    """Uvicorn's protocol of websockets, watched."""

    class WatchedWebsocket(WebSocketsSansIOProtocol):
        _watch: Watch

        def connection_made(self, transport: BaseTransport) -> None:
            super().connection_made(transport)
            self._watch = Watch(self.transport, idle_seconds)

        def pause_writing(self) -> None:
            self._watch.held_up = True
            super().pause_writing()

        def resume_writing(self) -> None:
            self._watch.resumed()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._watch.stop()
            super().connection_lost(exc)

    return WatchedWebsocket
