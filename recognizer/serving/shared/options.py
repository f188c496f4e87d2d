"""Where the server listens, who may use it, and how much."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from recognizer.data.errors import UsageError

_MAX_PORT = 65535


@dataclass(frozen=True)
class ServerOptions:
    """Options of the server.

    Attributes:
        host: address to listen on; the default is reached from this machine only.
        port: to listen on; 0 takes any free one.
        token: what a client must send as a bearer token; None lets everyone in who can connect.
        origins: other web pages (such as "https://example.org") whose scripts may use the server;
            browsers name the page, and one of another origin than the server's is refused.
        threads: recognitions of uploads at the same time.
        max_streams: websocket connections at the same time.
        max_uploads: uploads being read, waiting or being recognised at the same time.
        max_upload_bytes: size of an upload.
        max_audio_seconds: length of an upload's audio, and of a stream's.
        max_message_bytes: size of a websocket message.
        idle_seconds: how long a client may send nothing where the server waits for it, or may not
            read what the server sends.
        drain_seconds: how long requests and streams may go on after SIGTERM.

    Raises:
        UsageError: an impossible value.
    """

    host: str = "127.0.0.1"
    port: int = 2700
    token: str | None = field(default=None, repr=False)
    origins: tuple[str, ...] = ()
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    max_streams: int = 100
    max_uploads: int = 16
    max_upload_bytes: int = 512 * 1024 * 1024
    max_audio_seconds: float = 4 * 3600.0
    max_message_bytes: int = 1024 * 1024
    idle_seconds: float = 60.0
    drain_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= _MAX_PORT:
            raise UsageError(f"port: expected 0 to {_MAX_PORT}, found {self.port}")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise UsageError("token: expected printable ASCII characters")
        if self.token is not None and (not self.token or " " in self.token):
            raise UsageError("token: expected at least one character, and no spaces")
        for name in (
            "threads",
            "max_streams",
            "max_uploads",
            "max_upload_bytes",
            "max_message_bytes",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected at least 1, found {getattr(self, name)}")
        for name in ("max_audio_seconds", "idle_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(f"{name}: expected seconds above 0, found {getattr(self, name)}")
        if not 0 <= self.drain_seconds < float("inf"):
            raise UsageError(f"drain_seconds: expected 0 or more, found {self.drain_seconds}")
