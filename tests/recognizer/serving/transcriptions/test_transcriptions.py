"""Uploads as OpenAI's own client sends them."""

from __future__ import annotations

import io
import json

import httpx
import openai
import pytest
import soundfile

import toy
from recognizer.readable.writer import shipped_writer

TEXT = "go left now write"


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as one:
        yield one


def recording(text: str = TEXT, form: str = "WAV", rate: int = 16000, channels: int = 1) -> bytes:
    content = io.BytesIO()
    samples = toy.whistle(text, rate=rate)
    soundfile.write(content, samples[:, None].repeat(channels, 1), rate, format=form)
    return content.getvalue()


def post(server, content: bytes | None, **fields: object) -> httpx.Response:
    files = None if content is None else {"file": ("some.wav", content)}
    return server.http.post("/v1/audio/transcriptions", data=fields, files=files)


def error_of(answer: httpx.Response, status: int) -> dict:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    return error


def test_json(client):
    answer = client.audio.transcriptions.create(file=("a.wav", recording()), model="whisper-1")
    assert answer.text == TEXT
    assert answer.usage.type == "duration"


@pytest.mark.parametrize(
    ("form", "rate", "channels"), [("FLAC", 44100, 2), ("OGG", 16000, 1), ("MP3", 48000, 1)]
)
def test_what_is_not_wav(client, form, rate, channels):
    content = recording(form=form, rate=rate, channels=channels)
    answer = client.audio.transcriptions.create(file=io.BytesIO(content), model="whistled")
    assert answer.text == TEXT


def test_text(client):
    answer = client.audio.transcriptions.create(
        file=recording(), model="whisper-1", response_format="text"
    )
    assert answer == TEXT + "\n"


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles(client, toy_recognizer, form):
    from recognizer.formats import subtitles

    answer = client.audio.transcriptions.create(
        file=recording(), model="whisper-1", response_format=form
    )
    result = toy_recognizer.recognize(io.BytesIO(recording()))
    assert answer == getattr(subtitles, form)(result)
    assert TEXT in answer.replace("\n", " ")


def test_verbose_json(client, toy_recognizer):
    answer = client.audio.transcriptions.create(
        file=recording(),
        model="whisper-1",
        language="x",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        temperature=0.0,
    )
    result = toy_recognizer.recognize(io.BytesIO(recording()))
    assert answer.text == TEXT
    assert answer.duration == pytest.approx(result.duration, abs=1e-3)
    assert answer.language == "x-toy"
    assert [word.word for word in answer.words] == TEXT.split()
    for word, expected in zip(answer.words, result.words, strict=True):
        assert word.start == pytest.approx(expected.start, abs=1e-3)
        assert word.end == pytest.approx(expected.end, abs=1e-3)
        assert word.confidence == pytest.approx(expected.confidence, abs=1e-3)
    (segment,) = answer.segments
    assert segment.text == TEXT
    assert segment.start == 0.0
    assert segment.end == pytest.approx(result.duration, abs=1e-3)
    assert -1 < segment.avg_logprob <= 0
    assert segment.compression_ratio > 0.1


def test_a_long_recording_has_segments(client, toy_recognizer):
    content = recording("go left now write stop right " * 21, form="FLAC")
    answer = client.audio.transcriptions.create(
        file=content,
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    result = toy_recognizer.recognize(io.BytesIO(content))
    assert answer.text == result.text
    assert [one.text for one in answer.segments] == [one.text for one in result.segments]
    assert [one.id for one in answer.segments] == list(range(len(result.segments)))
    assert len(result.segments) > 1
    assert answer.words[-1].end == pytest.approx(result.words[-1].end, abs=1e-3)


@pytest.mark.parametrize("granularity", ["word", "segment"])
def test_one_granularity(client, granularity):
    answer = client.audio.transcriptions.create(
        file=recording(),
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=[granularity],
    )
    assert (answer.words is None) == (granularity != "word")
    assert (answer.segments is None) == (granularity != "segment")


def test_silence_has_no_words(server):
    content = io.BytesIO()
    soundfile.write(content, [0.0] * 16000, 16000, format="WAV")
    assert post(server, content.getvalue()).json()["text"] == ""


def test_models(client):
    assert [model.id for model in client.models.list()] == ["whistled"]
    assert client.models.retrieve("whisper-1").id == "whistled"
    with pytest.raises(openai.NotFoundError, match="expected the model 'whistled'"):
        client.models.retrieve("large")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "found an empty file"),
        (b"this is no audio " * 1000, "some.wav: expected a recording"),
        (recording()[:20000], "some.wav: cut short: expected"),
        (recording(form="FLAC")[:3000], "some.wav: "),
    ],
)
def test_not_audio(server, content, part):
    error = error_of(post(server, content), 400)
    assert part in error["message"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "file")


def test_openai_client_raises_its_own_errors(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(file=b"not audio", model="whisper-1")
    assert caught.value.code == "invalid_audio"
    assert "expected a recording" in caught.value.message


@pytest.mark.parametrize(
    ("fields", "status", "part"),
    [
        ({"response_format": "docx"}, 400, "json, text, srt, verbose_json, vtt, found 'docx'"),
        ({"model": "large"}, 404, "expected 'whistled' or 'whisper-1', found 'large'"),
        ({"language": "de"}, 400, "expected 'x', the model's, found 'de'"),
        ({"stream": "maybe"}, 400, "expected true or false, found 'maybe'"),
        ({"stream": "true", "response_format": "srt"}, 400, "json or text with stream, found"),
        ({"timestamp_granularities[]": "word"}, 400, "expected verbose_json"),
        (
            {"timestamp_granularities[]": "line", "response_format": "verbose_json"},
            400,
            "expected word or segment, found 'line'",
        ),
        ({"colour": "red"}, 400, "colour: unknown field"),
    ],
)
def test_wrong_fields(server, fields, status, part):
    error = error_of(post(server, recording(), **fields), status)
    assert part in error["message"]
    assert error["param"] == next(
        name for name in ("response_format", *fields) if error["message"].startswith(name)
    )


def test_wrong_forms(server):
    url = "/v1/audio/transcriptions"
    error_of(post(server, None, model="whistled"), 415)  # urlencoded
    multipart = {"file": (None, "text, not a file")}
    assert "expected a file" in error_of(server.http.post(url, files=multipart), 400)["message"]
    twice = [("file", ("a.wav", b"a")), ("file", ("b.wav", b"b"))]
    assert "Too many files" in error_of(server.http.post(url, files=twice), 400)["message"]
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    error_of(server.http.post(url, content=b"--y\r\nnothing", headers=broken), 400)
    error_of(
        server.http.post(url, content=b"{}", headers={"Content-Type": "application/json"}), 415
    )
    error_of(server.http.get(url), 405)
    error_of(server.http.post("/v1/audio/translations"), 404)


def test_subtitles_of_words(server):
    words = [{"word": "go", "start": 0.2, "end": 0.4}, {"word": "left", "start": 3.0, "end": 3.3}]
    url = "/v1/subtitles"
    answer = server.http.post(url, json={"format": "vtt", "words": words})
    assert answer.headers["content-type"].startswith("text/vtt")
    assert answer.text.startswith("WEBVTT") and "go" in answer.text and "left" in answer.text
    for wrong in (
        {"format": "docx", "words": words},
        {"format": "srt", "words": words[::-1]},
        {"format": "srt", "words": [{"word": "go", "start": 1, "end": 0}]},
        {"format": "srt", "words": [{"word": "go", "start": 0, "end": float("inf")}]},
        {"format": "srt", "words": [1]},
        {"format": "srt", "words": words, "duration": "long"},
        {"format": "srt"},
        [],
    ):
        content = json.dumps(wrong)
        assert error_of(server.http.post(url, content=content), 400)["code"] == "invalid_value"
    assert error_of(server.http.post(url, content=b"{"), 400)["code"] == "invalid_json"


def test_readable_text_is_asked_for(server):
    expected = shipped_writer().text(TEXT.split())
    plain = post(server, recording(), response_format="verbose_json").json()
    fields = post(server, recording(), response_format="verbose_json", readable="true").json()
    assert fields.pop("readable") == expected
    assert [one.pop("readable") for one in fields["segments"]] == [expected]
    assert fields == plain
    assert post(server, recording(), readable="true").json()["readable"] == expected
    assert "readable" not in post(server, recording(), readable="false").json()
    text = post(server, recording(), response_format="text", readable="true").text
    assert text == f"{expected}\n"
    subtitles = post(server, recording(), response_format="srt", readable="true").text
    assert "\n".join(subtitles.splitlines()[2:]).replace("\n", " ").strip() == expected
    for fields in ({"readable": "perhaps"}, {"readable": "true", "stream": "true"}):
        error = error_of(post(server, recording(), **fields), 400)
        assert (error["param"], error["code"]) == ("readable", "invalid_value")
