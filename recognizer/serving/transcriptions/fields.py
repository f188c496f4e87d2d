"""What the form of an upload asks for."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import FormData

from recognizer.serving.shared.errors import RequestError
from recognizer.serving.shared.service import OPENAI_MODEL

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
STREAMED_FORMATS = ("json", "text")
"""Formats in which ``stream`` may be asked for. The events are the same: they hold text alone."""

GRANULARITIES = ("word", "segment")

WITHOUT_EFFECT = ("prompt", "temperature", "chunking_strategy")
"""Fields of OpenAI's that are accepted and change nothing: recognition takes no prompt, draws no
random numbers, and cuts recordings by itself."""

_FIELDS = (
    "file",
    "model",
    "language",
    "response_format",
    "timestamp_granularities[]",
    "stream",
    "readable",
)


@dataclass(frozen=True)
class TranscriptionRequest:
    """What a client wants to know.

    Attributes:
        response_format: one of `RESPONSE_FORMATS`.
        granularities: what ``verbose_json`` lists, of `GRANULARITIES`.
        stream: whether the text is sent as it is recognised, as server-sent events.
        readable: whether text has punctuation, capital letters and digits; OpenAI has no such
            field. JSON then has ``readable`` beside ``text``, and other formats have it instead.
    """

    response_format: str
    granularities: tuple[str, ...]
    stream: bool = False
    readable: bool = False


def parsed_request(form: FormData, model_name: str, language: str) -> TranscriptionRequest:
    """What a form asks for.

    Raises:
        RequestError: an unknown field, or a value that cannot be served.
    """
    for name in form:
        if name not in _FIELDS + WITHOUT_EFFECT:
            raise RequestError(400, f"{name}: unknown field", param=name, code="unknown_parameter")
    model = _text(form, "model", model_name)
    if model not in (model_name, OPENAI_MODEL):
        raise RequestError(
            404,
            f"model: expected {model_name!r} or {OPENAI_MODEL!r}, found {model!r}",
            param="model",
            code="model_not_found",
        )
    spoken = _text(form, "language", language)
    if _primary(spoken) != _primary(language):
        raise _wrong_value("language", f"{_primary(language)!r}, the model's", spoken)
    stream, readable = _flag(form, "stream"), _flag(form, "readable")
    if stream and readable:
        raise _wrong_value("readable", "false with stream", "true")
    response_format = _text(form, "response_format", "json")
    if response_format not in RESPONSE_FORMATS:
        raise _wrong_value("response_format", ", ".join(RESPONSE_FORMATS), response_format)
    granularities = tuple(str(value) for value in form.getlist("timestamp_granularities[]"))
    for granularity in granularities:
        if granularity not in GRANULARITIES:
            raise _wrong_value("timestamp_granularities[]", " or ".join(GRANULARITIES), granularity)
    if granularities and response_format != "verbose_json":
        raise _wrong_value("response_format", "verbose_json with timestamps", response_format)
    if stream and response_format not in STREAMED_FORMATS:
        raise _wrong_value(
            "response_format", f"{' or '.join(STREAMED_FORMATS)} with stream", response_format
        )
    return TranscriptionRequest(response_format, granularities or ("segment",), stream, readable)


def _flag(form: FormData, name: str) -> bool:
    value = _text(form, name, "false")
    if value.lower() not in ("false", "true"):
        raise _wrong_value(name, "true or false", value)
    return value.lower() == "true"


def _text(form: FormData, name: str, default: str) -> str:
    value = form.get(name, default)
    if not isinstance(value, str):
        raise _wrong_value(name, "text", "a file")
    return value or default


def _primary(tag: str) -> str:
    return tag.lower().replace("_", "-").split("-")[0]


def _wrong_value(param: str, expected: str, found: str) -> RequestError:
    message = f"{param}: expected {expected}, found {found!r}"
    return RequestError(400, message, param=param, code="invalid_value")
