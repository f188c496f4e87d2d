"""The websocket as Vosk's clients use it."""

from __future__ import annotations

import asyncio
import io
import json
import wave

import numpy as np
import pytest
import websockets
from websockets.sync.client import connect

import toy
from recognizer.readable.writer import shipped_writer
from running_server import running

CHUNK_SECONDS = 0.2


def wav(text: str, rate: int = 16000) -> io.BytesIO:
    """A recording as Vosk's examples want it: 16 bits, one channel."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm(text, rate))
    content.seek(0)
    return content


def pcm(text: str, rate: int = 16000) -> bytes:
    return (toy.whistle(text, rate=rate) * 32767).astype("<i2").tobytes()


def said(url: str, *messages: str | bytes) -> list[dict]:
    """The answers to messages, each of which has one, except for configurations."""
    with connect(url) as socket:
        return [one for one in (answer(socket, message) for message in messages) if one]


def answer(socket, message: str | bytes) -> dict | None:
    socket.send(message)
    if isinstance(message, str) and "config" in message:
        return None
    return json.loads(socket.recv())


def config(**fields: object) -> str:
    return json.dumps({"config": {"sample_rate": 16000, **fields}})


def words_of(answers: list[dict]) -> str:
    return " ".join(one["text"] for one in answers if one.get("text"))


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_vosk_servers_own_test_client(server, rate):
    """The code of vosk-server's websocket/test.py, whose prints are collected."""
    printed = []

    async def run_test(uri, file):
        async with websockets.connect(uri) as websocket:
            wf = wave.open(file, "rb")  # noqa: SIM115
            await websocket.send(
                '{ "config" : { "sample_rate" : %d } }' % (wf.getframerate())  # noqa: UP031
            )
            buffer_size = int(wf.getframerate() * 0.2)  # 0.2 seconds of audio
            while True:
                data = wf.readframes(buffer_size)

                if len(data) == 0:
                    break

                await websocket.send(data)
                printed.append(await websocket.recv())

            await websocket.send('{"eof" : 1}')
            printed.append(await websocket.recv())

    # At 8 kHz the tones of "left" and "stop" that are above 4 kHz are gone.
    text = "go now" if rate == 8000 else "go left now write"
    asyncio.run(run_test(server.websocket_url, wav(text, rate)))
    answers = [json.loads(line) for line in printed]
    assert all(one.keys() <= {"partial", "result", "text"} for one in answers)
    assert words_of(answers) == text
    assert any(one.get("partial") for one in answers[:-1])
    found = [word for one in answers for word in one.get("result", [])]
    starts = toy.word_starts(text)
    for word, name, start in zip(found, text.split(), starts, strict=True):
        assert word.keys() == {"conf", "end", "start", "word"}
        assert word["word"] == name
        assert word["start"] == pytest.approx(start, abs=0.05)
        assert start < word["end"] < start + 0.6
        assert 0.5 < word["conf"] <= 1.0


def test_one_answer_for_each_message_whatever_its_size(server):
    whole = pcm("go left")
    (first, last) = said(server.websocket_url, config(), whole, '{"eof": 1}')
    pieces = [whole[at : at + 1000] for at in range(0, len(whole), 1000)]
    answers = said(server.websocket_url, config(), *pieces, '{"eof": 1}')
    assert len(answers) == len(pieces) + 1
    assert first.keys() == {"partial"}
    assert answers[-1] == last
    assert last["text"] == "go left"


def test_messages_may_cut_samples_in_two(server):
    whole = pcm("go left")
    pieces = [whole[at : at + 2221] for at in range(0, len(whole), 2221)]
    assert said(server.websocket_url, config(), *pieces, '{"eof": 1}')[-1]["text"] == "go left"


def test_reset_ends_an_utterance_and_its_times_go_on(server):
    text = "go left"
    first, second = said(
        server.websocket_url, config(), pcm(text), '{"reset" : 1}', pcm(text), '{"eof" : 1}'
    )[1::2]
    assert first["text"] == second["text"] == text
    seconds = len(pcm(text)) / 2 / 16000
    for before, after in zip(first["result"], second["result"], strict=True):
        assert after["start"] == pytest.approx(before["start"] + seconds, abs=1e-5)
        assert after["end"] == pytest.approx(before["end"] + seconds, abs=1e-5)


def test_words_can_be_left_out(server):
    last = said(server.websocket_url, config(words=0), pcm("go left"), '{"eof": 1}')[-1]
    assert last == {"text": "go left"}


def test_alternatives(server, toy_recognizer):
    from recognizer.decoding.lattice.paths import n_best

    last = said(server.websocket_url, config(max_alternatives=3), pcm("right"), '{"eof": 1}')[-1]
    found = last["alternatives"]
    samples = np.frombuffer(pcm("right"), "<i2") / np.float32(32768)
    result = toy_recognizer.recognize_samples(samples)
    paths = list(n_best(result.lattice, toy_recognizer.search.acoustic_scale))[:3]
    assert [one["text"] for one in found] == [" ".join(path.words) for path in paths]
    assert [one["text"] for one in found[:2]] == ["right", "write"]
    scores = [one["confidence"] for one in found]
    assert scores == sorted(scores, reverse=True)
    (word,) = found[1]["result"]
    assert word["word"] == "write"
    assert word["start"] == pytest.approx(toy.word_starts("right")[0], abs=0.05)


def test_silence_and_nothing_at_all(server):
    assert said(server.websocket_url, config(), bytes(32000), '{"eof": 1}')[-1] == {"text": ""}
    assert said(server.websocket_url, '{"eof": 1}') == [{"text": ""}]
    assert said(server.websocket_url, b"", '{"eof": 1}') == [{"partial": ""}, {"text": ""}]


def test_fed_after_its_end(server):
    with connect(server.websocket_url) as socket:
        answer(socket, config())
        answer(socket, pcm("go"))
        assert answer(socket, '{"eof": 1}')["text"] == "go"
        with pytest.raises(websockets.ConnectionClosedOK):
            answer(socket, pcm("left"))


@pytest.mark.parametrize(
    ("message", "param", "part"),
    [
        ("hello", None, "found the text 'hello'"),
        ("[1]", None, "JSON with"),
        ('{"end": 1}', None, "JSON with"),
        ("[" * 100000, None, "JSON with"),
        ('{"config": 1}', "config", "expected an object, found 1"),
        ('{"config": {"sample_rate": "fast"}}', "sample_rate", 'Hz, found "fast"'),
        ('{"config": {"sample_rate": 0}}', "sample_rate", "4000 to 768000 Hz, found 0"),
        ('{"config": {"sample_rate": NaN}}', "sample_rate", "found NaN"),
        ('{"config": {"max_alternatives": -1}}', "max_alternatives", "0 to 100, found -1"),
        ('{"config": {"phrase_list": ["go"]}}', "phrase_list", "one model"),
    ],
)
def test_wrong_messages(server, message, param, part):
    with connect(server.websocket_url) as socket:
        socket.send(message)
        error = json.loads(socket.recv())["error"]
        assert part in error["message"]
        assert error["param"] == param
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            socket.recv()
        assert closed.value.rcvd.code == 1003
        assert closed.value.rcvd.reason == error["message"][:123]


def test_streams_at_the_same_time_are_kept_apart(server):
    texts = [text for text, _ in toy.SAID.values()] * 2

    async def stream(text: str) -> str:
        async with websockets.connect(server.websocket_url) as socket:
            await socket.send(config())
            whole = pcm(text)
            for at in range(0, len(whole), 3200):
                await socket.send(whole[at : at + 3200])
                await socket.recv()
            await socket.send('{"eof": 1}')
            return json.loads(await socket.recv())["text"]

    async def all_streams() -> list[str]:
        return await asyncio.gather(*map(stream, texts))

    assert asyncio.run(all_streams()) == texts


def test_words_that_were_added(toy_model):
    from recognizer.recognizer import Recognizer
    from recognizer.vocabulary.words import NewWord

    recognizer = Recognizer(toy_model, words=[NewWord("stow", ("S", "T", "OW"), weight=1e6)])
    whistled = toy.whistle("go stow", words={**toy.WORDS, "stow": "S T OW"})
    audio = (whistled * 32767).astype("<i2").tobytes()
    with running(recognizer) as server:
        last = said(server.websocket_url, config(max_alternatives=2), audio, '{"eof": 1}')[-1]
    best = last["alternatives"][0]
    assert best["text"] == "go stow"
    assert [word["word"] for word in best["result"]] == ["go", "stow"]


@pytest.mark.parametrize("count", [0, 2])
def test_readable_text_is_asked_for(server, count):
    eof = json.dumps({"eof": 1})
    asked = config(readable=True, max_alternatives=count)
    (*_, plain), (*_, found) = (
        said(server.websocket_url, one, pcm("go left"), eof)
        for one in (config(max_alternatives=count), asked)
    )
    bodies = found["alternatives"] if count else [found]
    for body in bodies:
        assert body.pop("readable") == shipped_writer().text(body["text"].split())
    assert found == plain
