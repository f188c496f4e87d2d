"""A server that runs in a thread of the test, and what a client of it needs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from recognizer.recognizer import Recognizer
from recognizer.serving.server import Server, listen
from recognizer.serving.shared.options import ServerOptions
from recognizer.serving.shared.service import Service

PATIENCE = 20.0
"""Seconds after which something that should happen has not."""


@dataclass
class Running:
    """A server that answers."""

    port: int
    service: Service
    server: Server
    said: list[str]
    http: httpx.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@contextmanager
def running(
    recognizer: Recognizer, *, send_buffer: int | None = None, **options: Any
) -> Iterator[Running]:
    """Serve at any free port for the block; the system's buffers hold `send_buffer` bytes."""
    said: list[str] = []
    with listen(ServerOptions(port=0, **options)) as listening:
        if send_buffer is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        made: list[Running] = []
        answers = threading.Event()

        def run() -> None:
            service = Service(recognizer, ServerOptions(port=0, **options), said.append)
            server = Server(service)
            port = listening.getsockname()[1]
            http = httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=False)
            made.append(Running(port, service, server, said, http))
            answers.set()
            server.run([listening])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert answers.wait(PATIENCE)
        until(lambda: made[0].server.started)
        try:
            yield made[0]
        finally:
            made[0].http.close()
            made[0].server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the server does not end"


def until(true: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)
