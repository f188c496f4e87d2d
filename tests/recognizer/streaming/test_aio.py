"""Streams for asyncio: the same results, many at once, safe when tasks are cancelled."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import toy
from recognizer import AsyncStream, Final, Recognizer, StreamGroup
from recognizer.data.errors import SpeechError, UsageError

RATE = 16000


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


async def pieces(samples: np.ndarray, size: int):
    for begin in range(0, len(samples), size):
        await asyncio.sleep(0)
        yield samples[begin : begin + size]


def test_many_streams_at_once(toy_recognizer):
    texts = ["go left", "stop", "now write", ""] * 5

    async def recognised(group, text: str, size: int) -> Final:
        async with AsyncStream(group.stream(endpointing=None)) as stream:
            events = [one async for one in stream.recognize(pieces(toy.whistle(text), size), RATE)]
        assert not stream.cancelled
        return events[-1]

    async def all_recognised() -> list[Final]:
        with StreamGroup(toy_recognizer) as group:
            tasks = (recognised(group, text, 700 + 50 * n) for n, text in enumerate(texts))
            return await asyncio.gather(*tasks)

    for text, final in zip(texts, asyncio.run(all_recognised()), strict=True):
        assert final.text == text
        assert final.result == toy_recognizer.recognize(toy.whistle(text))


def test_a_cancelled_call_loses_nothing(toy_recognizer):
    samples = toy.whistle("go left")

    async def recognised() -> Final:
        with StreamGroup(toy_recognizer) as group:
            stream = AsyncStream(group.stream())
            for begin in range(0, len(samples), 2000):
                call = asyncio.create_task(stream.accept(samples[begin : begin + 2000], RATE))
                await asyncio.sleep(0)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            return (await stream.finish())[-1]

    assert asyncio.run(recognised()).result == toy_recognizer.recognize(samples)


def test_leaving_the_block_cancels(toy_recognizer):
    async def left() -> None:
        with StreamGroup(toy_recognizer) as group:
            async with AsyncStream(group.stream()) as stream:
                await stream.accept(toy.whistle("go"), RATE)
                with pytest.raises(SpeechError, match="not numbers"):
                    await stream.accept([float("nan")], RATE)
            assert stream.cancelled
            assert group.num_streams == 0
            with pytest.raises(UsageError, match="found a cancelled one"):
                await stream.finish()

    asyncio.run(left())
