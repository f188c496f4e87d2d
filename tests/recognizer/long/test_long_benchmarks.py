"""What the benchmarks of long recordings and of silence count, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.endpointing.calibration import calibrated
from benchmarks.endpointing.endpoints import judged
from benchmarks.endpointing.mixtures import FRAME, Utterance, in_noise, music
from benchmarks.endpointing.silence import errors, false_alarms_at
from benchmarks.endpointing.webrtc import webrtc_endpoints
from benchmarks.long.__main__ import compared, stretches
from benchmarks.long.joined import Sentence
from recognizer import Word
from recognizer.data.augmentation.noise import mean_power
from recognizer.data.corpora import corpus


def sentence(name: str, text: str, start: float) -> Sentence:
    utterance = corpus.Utterance(name, Path("none.wav"), "somebody", text)
    return Sentence(utterance, start, start + 0.5 * len(text.split()))


def spoken(text: str, start: float, late: float = 0.0) -> list[tuple[str, float, float]]:
    """Words of half a second each."""
    return [
        (word, start + index / 2 + late, start + index / 2 + 0.4)
        for index, word in enumerate(text.split())
    ]


def test_errors_and_times_of_long_recordings():
    sentences = [sentence("a", "go left", 1.0), sentence("b", "stop now", 700.0)]
    alone = {
        "a": tuple(Word(*word, 1.0) for word in spoken("go left", 0.0)),
        "b": tuple(Word(*word, 1.0) for word in spoken("stop", 0.0)),
    }
    words = spoken("go right", 1.0, late=0.02) + spoken("stop now now", 700.0)
    found = compared(sentences, words, alone)
    assert found["words"] == 4
    assert found["wer_percent"] == 50.0  # one substitution, one insertion
    assert found["wer_of_sentences_percent"] == 25.0
    assert found["start_differences_ms"][0] == 10.0  # of 20 and 0
    parts = stretches(sentences, words)
    assert [[one.utterance.id for one in said] for said, _ in parts] == [["a", "b"]]
    sentences.append(sentence("c", "go", 710.0))
    parts = stretches(sentences, [*words, ("go", 710.0, 710.4)])
    assert [len(said) for said, _ in parts] == [2, 1]
    assert [len(heard) for _, heard in parts] == [5, 1]


def test_missed_speech_and_false_alarms():
    speech = np.array([True] * 4 + [False] * 5)
    found = np.array([True, True, True, False] + [True] + [False] * 4)
    assert errors(speech, found) == {"missed": 25.0, "false_alarms": 20.0}
    odds = np.array([-5.0, -4.0, -3.0, 3.0, -3.5, 1.0, 2.0, 4.0, 5.0])
    assert false_alarms_at(speech, odds, 0.0) == 60.0
    assert false_alarms_at(speech, odds, 34.0) == 20.0


def test_endpoints_by_hand():
    speech = np.zeros(1000, bool)
    speech[100:300] = speech[320:400] = speech[700:800] = True
    # The pause of 0.2 s is none, and no speech comes before the first second.
    found = judged(speech, [50, 310, 360, 480, 500, 785])
    assert found == {"pauses": 2, "found": 50.0, "delay_s": 0.8, "in_speech": 2}
    assert webrtc_endpoints(speech, 1.0, 20.0) == [490, 890]  # a tenth may be speech
    assert webrtc_endpoints(speech, 1.0, 2.5) == [250, 490, 740, 890]
    assert webrtc_endpoints(np.zeros(5000, bool), 1.0, 2.5) == []


def test_silence_is_calibrated_by_logistic_regression():
    """Of frames drawn by known log odds, whatever the share of silence."""
    generator = np.random.default_rng(0)
    conditions = []
    for count in (20000, 5000):
        silent = np.arange(count) < count // 3
        # The log odds of two normal distributions of variance 1 are 2 m x, for means m and -m.
        values = generator.normal(np.where(silent, 1.5, -1.5), 1.0) + 0.5
        conditions.append((values, silent))
    found = calibrated(conditions)
    assert found.scale == pytest.approx(3.0, abs=0.1)
    assert found.bias == pytest.approx(-1.5, abs=0.1)


@pytest.mark.parametrize("snr", [0.0, 10.0])
def test_noise_has_its_ratio_to_the_speech_alone(snr: float):
    generator = np.random.default_rng(0)
    speech = np.zeros(300, bool)
    speech[100:200] = True
    samples = (0.1 * generator.normal(0, 1, 300 * FRAME)).astype(np.float32)
    samples[~np.repeat(speech, FRAME)] = 0.0
    clean = Utterance(samples, speech, np.ones(300, bool))
    (sound, *_) = music(2.0)
    (mixed,) = in_noise([clean], snr, [sound])
    power = mean_power(samples[np.repeat(speech, FRAME)])
    assert 10 * np.log10(power / mean_power(mixed - samples)) == pytest.approx(snr, abs=0.05)
