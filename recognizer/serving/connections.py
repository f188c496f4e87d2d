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

    A connection that was being closed at the last look already is cut off; one that waits for a
    request and has received nothing since the last look is closed.
    """

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport, self._seconds = transport, seconds
        self._loop = asyncio.get_running_loop()
        self._was_closing = False
        self.received = False
        self.waits_for_request = False
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        if self._transport.is_closing():
            if self._was_closing:
                self._transport.abort()
                return
            self._was_closing = True
        elif self.waits_for_request and not self.received:
            self._transport.close()
        self.received = False
        self._timer = self._loop.call_later(self._seconds, self._look)

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
            self._watch.received = True
            super().data_received(data)
            self._watch.waits_for_request = self.cycle is None or self.cycle.response_complete

        def on_response_complete(self) -> None:
            self._watch.waits_for_request = True
            super().on_response_complete()

        def handle_websocket_upgrade(self, event: object) -> None:
            self._watch.stop()  # from now on the connection has another protocol
            super().handle_websocket_upgrade(event)  # type: ignore[arg-type]

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

        def connection_lost(self, exc: Exception | None) -> None:
            self._watch.stop()
            super().connection_lost(exc)

    return WatchedWebsocket
