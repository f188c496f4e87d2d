"""The Python interface: samples in every form, both passes, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import recognizer
import toy
from data.errors import SpeechError, UsageError
from recognizer import Recognizer, RescoringOptions


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


def test_a_path_and_samples_give_the_same(toy_recognizer, whistled):
    samples = toy.whistle("left go stop")
    from_path = toy_recognizer.recognize(whistled("left go stop", "x.wav"))
    from_floats = toy_recognizer.recognize(samples)
    from_int16 = toy_recognizer.recognize((samples * 32768).astype(np.int16), sample_rate=16000)
    assert from_path.text == from_floats.text == from_int16.text == "left go stop"
    assert from_path.words == from_floats.words
    assert from_floats.duration == len(samples) / 16000
    assert from_floats.num_frames == round(len(samples) / 160)
    assert from_floats.complete


def test_samples_at_another_rate_and_in_stereo(toy_recognizer):
    samples = toy.whistle("go now", rate=44100)
    result = toy_recognizer.recognize(np.stack([samples, samples], axis=1), sample_rate=44100)
    assert result.text == "go now"


def test_rescoring_replaces_the_first_pass_language_model(toy_recognizer):
    """Only the large model knows that "write", a homophone of "right", follows "now"."""
    result = toy_recognizer.recognize(toy.whistle("now write"))
    assert result.first_pass.text == "now right"
    assert result.text == "now write"
    assert result.rescored.acoustic_log_prob == pytest.approx(
        result.first_pass.acoustic_log_prob, rel=1e-3
    )
    # log10 in the model files: now, then right after now and the end, against write and the end.
    first = -0.3 - 0.8 + -0.3 - 0.7 + -0.3 - 1.0
    second = -0.3 - 0.8 + -0.1 + -0.3 - 1.0
    difference = result.rescored.graph_log_prob - result.first_pass.graph_log_prob
    assert difference == pytest.approx((second - first) * np.log(10), abs=0.01)


def test_options_replace_those_of_the_model(toy_model):
    insertion = RescoringOptions(lm_scale=1.0, word_insertion_penalty=1000.0)
    recogniser = Recognizer(toy_model, acoustic_scale=0.2, beam=20.0, rescoring=insertion)
    assert recogniser.search.acoustic_scale == 0.2
    assert recogniser.search.beam == 20.0
    result = recogniser.recognize(toy.whistle("go left"))
    assert len(result.words) <= len(result.first_pass.words)


def test_threads_share_one_recogniser(toy_recognizer):
    sentences = ["go left", "stop", "left left go", "now", "right now"] * 4
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda text: toy_recognizer.recognize(toy.whistle(text)).text, sentences)
    assert list(found) == sentences


def test_silence_and_next_to_nothing(toy_recognizer):
    for length in (1, 79, 800, 16000):
        result = toy_recognizer.recognize(np.zeros(length, np.float32))
        assert (result.text, result.words) == ("", ())


def test_impossible_arguments(toy_recognizer, tmp_path):
    with pytest.raises(UsageError, match="expected none for a file"):
        toy_recognizer.recognize("a.wav", sample_rate=16000)
    with pytest.raises(SpeechError, match="no such file"):
        toy_recognizer.recognize(tmp_path / "a.wav")
    with pytest.raises(SpeechError, match="not numbers"):
        toy_recognizer.recognize(np.full(16000, np.nan))
    with pytest.raises(UsageError, match="lm_scale: expected a number above 0"):
        RescoringOptions(lm_scale=0.0)


def test_public_names_are_there_and_no_others():
    for name in recognizer.__all__:
        assert getattr(recognizer, name).__name__ == name
        assert name in dir(recognizer)
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        _ = recognizer.Recogniser  # type: ignore[attr-defined]
