"""The server as a process: its socket, its signals, its end."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import FrameType

import uvicorn

from recognizer.data.errors import SpeechError, UsageError
from recognizer.serving.application import application
from recognizer.serving.connections import http_protocol, websocket_protocol
from recognizer.serving.shared.options import ServerOptions
from recognizer.serving.shared.service import Service

_BACKLOG = 1024
_HEADER_BYTES = 64 * 1024
_GRACE_SECONDS = 5
"""How long connections may take to close after the last answer."""


def listen(options: ServerOptions) -> socket.socket:
    """A socket that listens at the address of the options.

    Raises:
        UsageError: there is no such address.
        SpeechError: the port is taken, or may not be used.
    """
    try:
        found = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"host: expected an address, found {options.host!r}: {reason}") from None
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        # A port whose last connections are just being closed may be taken again.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise SpeechError(
            f"{options.host}:{options.port}: cannot be listened to: {error.strerror}"
        ) from None
    return listening


class Server(uvicorn.Server):
    """uvicorn's server, whose end waits for streams and uploads.

    Args:
        service: what it serves.
    """

    def __init__(self, service: Service) -> None:
        options = service.options
        config = uvicorn.Config(
            application(service),
            http=http_protocol(options.idle_seconds),
            ws=websocket_protocol(options.idle_seconds),
            ws_max_size=options.max_message_bytes,
            # Audio is hardly smaller when compressed, and compressors take memory.
            ws_per_message_deflate=False,
            # A client that sends nothing is let go after the idle time, pongs or not.
            ws_ping_interval=None,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        # uvicorn's lines would be about clients' faults, which metrics count.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        for listening in sockets or []:
            host, port = listening.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            self._service.report(f"listening on http://{shown}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let what is under way finish, and close what is left."""
        for server in self.servers:
            server.close()
        self._service.report("shutting down when what is under way has finished")
        draining = asyncio.ensure_future(self._service.drain())
        while not draining.done() and not self.force_exit:
            await asyncio.wait({draining}, timeout=0.1)
        draining.cancel()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End after draining; a second signal ends at once.

        uvicorn's own would raise the signal again at the end, as if the server had failed.
        """
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
