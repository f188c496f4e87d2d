"""Clients that send garbage, leave in the middle, or stall."""

from __future__ import annotations

import asyncio
import json
import os
import random
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from benchmarks.serving.server_process import ServerProcess

IDLE_SECONDS = 3.0
"""The server's limit while it is abused."""

_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_UPLOAD = (
    b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)
_PATIENCE = 60.0

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _frame(content: bytes, opcode: int = 2) -> bytes:
    """A message of a client, masked with zeros (RFC 6455, section 5.2)."""
    size = len(content)
    length = bytes([0x80 | size]) if size < 126 else b"\xff" + struct.pack(">Q", size)
    return bytes([0x80 | opcode]) + length + bytes(4) + content


async def _garbage(connection: Connection) -> None:
    connection[1].write(os.urandom(20_000))


async def _garbage_on_a_websocket(connection: Connection) -> None:
    connection[1].write(_UPGRADE + os.urandom(20_000))


async def _wrong_messages(connection: Connection) -> None:
    connection[1].write(_UPGRADE + _frame(b'{"config": {"sample_rate": "?"}}', 1))


async def _noise_then_leaves(connection: Connection) -> None:
    connection[1].write(_UPGRADE + _frame(os.urandom(32_000)))
    await connection[1].drain()
    await asyncio.sleep(0.2)
    connection[1].transport.abort()


async def _half_a_message(connection: Connection) -> None:
    connection[1].write(_UPGRADE + _frame(os.urandom(64_000))[:30_000])
    await connection[1].drain()
    connection[1].transport.abort()


async def _half_an_upload(connection: Connection) -> None:
    connection[1].write(_UPLOAD + os.urandom(300_000))
    await connection[1].drain()
    connection[1].transport.abort()


async def _silent(connection: Connection) -> None:
    pass


async def _silent_websocket(connection: Connection) -> None:
    connection[1].write(_UPGRADE)


async def _stalled_upload(connection: Connection) -> None:
    connection[1].write(_UPLOAD)


async def _never_reads(connection: Connection) -> None:
    """Asks again and again, and reads nothing."""
    transport = connection[1].transport
    assert isinstance(transport, asyncio.Transport)  # of a socket, it goes both ways
    transport.pause_reading()
    for _ in range(200):
        connection[1].write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(2 * IDLE_SECONDS)
    connection[1].transport.abort()


KINDS: tuple[Callable[[Connection], Awaitable[None]], ...] = (
    _garbage,
    _garbage_on_a_websocket,
    _wrong_messages,
    _noise_then_leaves,
    _half_a_message,
    _half_an_upload,
    _silent,
    _silent_websocket,
    _stalled_upload,
    _never_reads,
)


def abuse(server: ServerProcess, connections: int, rounds: int, seed: int) -> dict[str, Any]:
    """Abuse a server in rounds of so many connections at the same time.

    Returns:
        Memory before and after each round, in MB; how long health checks took meanwhile; and
        whether a stream was served after each round.
    """
    return asyncio.run(_abuse(server, connections, rounds, seed))


async def _abuse(server: ServerProcess, connections: int, rounds: int, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)
    await _served(server.port)  # what the first stream needs is no leak
    found: dict[str, Any] = {
        "connections": connections,
        "memory_mb_before": round(server.memory_mb(), 1),
        "open_files_before": server.open_files(),
        "rounds": [],
    }
    for _ in range(rounds):
        kinds = [KINDS[number % len(KINDS)] for number in range(connections)]
        chance.shuffle(kinds)
        working = asyncio.gather(*(_connection(server.port, kind) for kind in kinds))
        peak, health = 0.0, []
        # Each check has a connection of its own: an idle one would be closed.
        async with httpx.AsyncClient(verify=False, headers={"Connection": "close"}) as client:
            while not working.done():
                asked = time.monotonic()
                answer = await client.get(
                    f"http://127.0.0.1:{server.port}/healthz", timeout=_PATIENCE
                )
                answer.raise_for_status()
                health.append(time.monotonic() - asked)
                peak = max(peak, server.memory_mb())
                await asyncio.wait({working}, timeout=0.2)
        ends = Counter(working.result())
        await asyncio.sleep(IDLE_SECONDS)
        await _served(server.port)
        found["rounds"].append(
            {
                "memory_mb_peak": round(peak, 1),
                "memory_mb_after": round(server.memory_mb(), 1),
                "open_files_after": server.open_files(),
                "health_seconds_max": round(max(health), 3),
                "left_open": ends["left open"],
            }
        )
    return found


async def _connection(port: int, kind: Callable[[Connection], Awaitable[None]]) -> str:
    """One client; "left open" where the server does not let go of it."""
    try:
        connection = await asyncio.open_connection("127.0.0.1", port)
        await kind(connection)
        reader, writer = connection
        try:
            while await asyncio.wait_for(reader.read(65536), 10 * IDLE_SECONDS):
                pass
        except asyncio.TimeoutError:
            return "left open"
        finally:
            writer.transport.abort()
    except OSError:
        return "refused or reset"
    return "closed"


async def _served(port: int) -> None:
    """A stream that must be served."""
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{port}") as socket:
        for message in (bytes(3200), '{"eof": 1}'):
            await socket.send(message)
            answer = json.loads(await asyncio.wait_for(socket.recv(), _PATIENCE))
            if "error" in answer:
                raise SystemExit(f"a stream is refused after the abuse: {answer}")
