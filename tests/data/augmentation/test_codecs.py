"""Lossy codecs keep length and time of speech, and sound worse at lower bit rates."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from recognizer.data.augmentation.codecs import CODECS, Codec, code
from recognizer.data.errors import SpeechError, UsageError
from signals import delay, level_db, speech_like

pytest.importorskip("av", reason="codecs need PyAV, the extra media")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("bit_rate", [16_000, 31_234, 64_000])
@pytest.mark.parametrize("length", [24000, 23999, 12345])
def test_length_and_time_stay(codec: Codec, bit_rate: int, length: int) -> None:
    speech = speech_like(length)
    coded = code(speech, codec, bit_rate)
    assert coded.dtype == np.float32 and len(coded) == length
    assert delay(speech, coded) == 0
    assert level_db(coded) == pytest.approx(level_db(speech), abs=1.5)
    assert not np.array_equal(coded, speech)
    np.testing.assert_array_equal(coded, code(speech, codec, bit_rate))


@pytest.mark.parametrize("codec", CODECS)
def test_fewer_bits_more_errors(codec: Codec) -> None:
    speech = speech_like()
    errors = [level_db(code(speech, codec, rate) - speech) for rate in (12_000, 32_000, 96_000)]
    assert errors[0] > errors[1] + 1 > errors[2] + 2


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("length", [1, 100, 1000])
def test_the_shortest(codec: Codec, length: int) -> None:
    coded = code(speech_like()[:length], codec, 32_000)
    assert len(coded) == length and np.isfinite(coded).all()


def test_impossible_uses() -> None:
    with pytest.raises(UsageError, match="expected mp3 or opus or aac, found 'mp4'"):
        code(speech_like(), "mp4", 32_000)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected 6000 to 160000 bit/s, found 32"):
        code(speech_like(), "mp3", 32)


def test_without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SpeechError, match=r"pip install 'recognizer\[media\]'"):
        code(speech_like(), "mp3", 32_000)
