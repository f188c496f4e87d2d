"""Telephone speech: its band, its coding, no delay."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.data.augmentation.telephone import CODINGS, Coding, telephone
from recognizer.data.errors import UsageError
from signals import band_level_db, delay, level_db, speech_like


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("length", [24000, 23999, 12345])
def test_length_and_time_stay(coding: Coding, length: int) -> None:
    speech = speech_like(length)
    heard = telephone(speech, coding)
    assert heard.dtype == np.float32 and len(heard) == length
    assert delay(speech, heard) == 0
    assert level_db(heard) == pytest.approx(level_db(speech), abs=2.5)
    np.testing.assert_array_equal(heard, telephone(speech, coding))


@pytest.mark.parametrize("length", [1, 2, 3, 100])
@pytest.mark.parametrize("coding", CODINGS)
def test_the_shortest(coding: Coding, length: int) -> None:
    assert len(telephone(speech_like(24000)[:length], coding)) == length


@pytest.mark.parametrize("coding", CODINGS)
def test_only_the_band_is_left(coding: Coding) -> None:
    noise = (0.1 * np.random.default_rng(0).normal(size=32000)).astype(np.float32)
    heard = telephone(noise, coding)
    inside = band_level_db(heard, 500, 3200)
    assert inside == pytest.approx(band_level_db(noise, 500, 3200), abs=2.0)
    assert band_level_db(heard, 4200, 8000) < inside - 40
    # What is left below is the noise of the coding.
    assert band_level_db(heard, 20, 150) < inside - (10 if coding == "gsm" else 25)


def test_too_loud_is_clipped() -> None:
    heard = telephone(30 * speech_like(), "ulaw")
    assert np.isfinite(heard).all() and np.abs(heard).max() < 2.0


def test_another_coding() -> None:
    with pytest.raises(UsageError, match="expected ulaw or alaw or gsm, found 'morse'"):
        telephone(speech_like(), "morse")  # type: ignore[arg-type]
