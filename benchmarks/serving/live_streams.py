"""Real-time streams over websockets, and how long their answers take."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.serving.server_process import ServerProcess

RATE = 16000
_LATE_SECONDS = 30.0
"""A stream whose answer is later than this is given up."""


@dataclass
class Heard:
    """What came of one stream.

    Attributes:
        partial_seconds: of each piece of audio, from when it would have been spoken to its answer.
        final_seconds: the same of each utterance's last piece.
        words: of all finals.
        lost: why the stream ended early.
    """

    partial_seconds: list[float] = field(default_factory=list)
    final_seconds: list[float] = field(default_factory=list)
    words: int = 0
    lost: str | None = None


@dataclass
class Load:
    """What came of all streams, and what the server took.

    Attributes:
        streams: what came of each.
        memory_mb: the server's own memory, second by second.
        resident_mb: all of its resident memory at the end.
        processors: how many it kept busy on average.
    """

    streams: list[Heard]
    memory_mb: list[float]
    resident_mb: float
    processors: float


def load(
    server: ServerProcess,
    recordings: Sequence[bytes],
    streams: int,
    seconds: float,
    piece_seconds: float,
    seed: int,
) -> Load:
    """Run streams at the same time.

    Args:
        server: that is measured.
        recordings: utterances as the websocket takes them, 16 bits at 16 kHz.
        streams: how many.
        seconds: how long each lasts.
        piece_seconds: audio of a message.
        seed: of the utterances that each stream takes, and of when it begins.
    """
    return asyncio.run(_load(server, recordings, streams, seconds, piece_seconds, seed))


async def _load(
    server: ServerProcess,
    recordings: Sequence[bytes],
    streams: int,
    seconds: float,
    piece_seconds: float,
    seed: int,
) -> Load:
    size = round(piece_seconds * RATE) * 2
    chance = random.Random(seed)
    begin = time.monotonic() + 1.0
    tasks = []
    for _ in range(streams):
        order = list(recordings)
        chance.shuffle(order)
        # Streams begin within a few seconds, or their utterances would end at the same time.
        start = begin + chance.uniform(0.0, min(5.0, seconds / 4))
        tasks.append(asyncio.ensure_future(_stream(server.port, order, start, seconds, size)))
    memory = []
    spent, now = server.processor_seconds(), time.monotonic()
    waiting = asyncio.gather(*tasks)
    while not waiting.done():
        memory.append(round(server.memory_mb(), 1))
        await asyncio.wait({waiting}, timeout=1.0)
    spent, now = server.processor_seconds() - spent, time.monotonic() - now
    return Load(waiting.result(), memory, round(server.resident_mb(), 1), spent / now)


async def _stream(
    port: int, order: Sequence[bytes], start: float, seconds: float, size: int
) -> Heard:
    heard = Heard()
    try:
        async with connect(f"ws://127.0.0.1:{port}", compression=None) as socket:
            await socket.send(json.dumps({"config": {"sample_rate": RATE}}))
            await _speak(socket, order, start, seconds, size, heard)
    except (OSError, WebSocketException, asyncio.TimeoutError) as error:
        heard.lost = f"{type(error).__name__}: {error}"
    return heard


async def _speak(
    socket: Any, order: Sequence[bytes], start: float, seconds: float, size: int, heard: Heard
) -> None:
    """Send utterance after utterance as they would be spoken, each ended by a reset."""
    spoken: deque[tuple[float, bool]] = deque()  # of messages without an answer: when, and if last
    done = False

    async def listen() -> None:
        while not (done and not spoken):
            answer = json.loads(await asyncio.wait_for(socket.recv(), _LATE_SECONDS))
            when, last = spoken.popleft()
            delay = time.monotonic() - when
            if "text" in answer:
                heard.words += len(answer["text"].split())
                heard.final_seconds.append(delay)
            elif "error" in answer:
                raise OSError(answer["error"]["message"])
            if not last:
                heard.partial_seconds.append(delay)

    listening = asyncio.ensure_future(listen())
    clock = start
    try:
        for utterance in itertools.cycle(order):
            for at in range(0, len(utterance), size):
                piece = utterance[at : at + size]
                clock += len(piece) / 2 / RATE
                await asyncio.sleep(clock - time.monotonic())
                if listening.done():
                    break
                spoken.append((clock, False))
                await socket.send(piece)
            ending = clock >= start + seconds
            done = ending
            spoken.append((clock, True))
            await socket.send('{"eof": 1}' if ending else '{"reset": 1}')
            if ending or listening.done():
                break
        await listening
    finally:
        listening.cancel()


def pcm(samples: np.ndarray) -> bytes:
    """16-bit samples of floats ``[N]``."""
    integers: npt.NDArray[np.int16] = (np.clip(samples, -1, 1) * 32767).astype("<i2")
    return integers.tobytes()
