"""Test sets in noise and rooms and after channels: exact counts, the same recordings each time."""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer.data.augmentation.augment import WaveformAugmenter
from recognizer.data.augmentation.options import AugmentationOptions
from recognizer.data.augmentation.telephone import telephone
from recognizer.data.augmentation.volume import change_volume
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.evaluation import conditions
from recognizer.evaluation.conditions import (
    CONDITIONS,
    ConditionedAudio,
    condition_options,
    evaluate_conditions,
)
from recognizer.evaluation.evaluate import evaluate


@pytest.fixture
def hiss(tmp_path: Path) -> Path:
    directory = tmp_path / "hiss"
    directory.mkdir()
    for number in range(2):
        noise = 0.1 * np.random.default_rng(number).normal(size=8000)
        soundfile.write(directory / f"{number}.wav", noise, 16000)
    return directory


def test_what_each_condition_is(whistled_set: Path, hiss: Path) -> None:
    utterance = read_corpus(whistled_set).utterances[0]
    samples = utterance.samples()

    def heard(name: str, seed: int = 0) -> np.ndarray:
        options = condition_options(name, [str(hiss)])
        clips = tuple(sorted(hiss.iterdir())) if options.noise is not None else ()
        audio = ConditionedAudio(WaveformAugmenter(options, clips), seed)
        return pickle.loads(pickle.dumps(audio))(utterance)

    np.testing.assert_array_equal(heard("clean"), samples)
    np.testing.assert_array_equal(heard("telephone"), telephone(samples, "ulaw"))
    np.testing.assert_array_equal(heard("gsm"), telephone(samples, "gsm"))
    np.testing.assert_array_equal(heard("quiet_40"), change_volume(samples, -40.0))
    added = {snr: heard(f"noise_{snr}") - samples for snr in (20, 10, 5)}
    for snr, noise in added.items():
        ratio = 10 * np.log10(np.mean(samples**2) / np.mean(noise**2))
        assert ratio == pytest.approx(snr, abs=0.1)
    # The same noise at other levels, and another with another seed.
    scale = 10 ** (-10 / 20)
    np.testing.assert_allclose(scale * added[10], added[20], atol=1e-6)
    assert not np.array_equal(heard("noise_10", seed=1), heard("noise_10"))


def test_a_table_of_conditions(command, toy_model, whistled_set, hiss, tmp_path) -> None:
    arguments = [
        "recognizer", "conditions", whistled_set, "--model", toy_model, "--noise", hiss,
        "--condition", "clean", "--condition", "noise_20", "--condition", "quiet_40",
    ]  # fmt: skip
    ran = command(*arguments)
    assert (ran.code, ran.err) == (0, "")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ran.out.splitlines()]
    assert rows[0][0] == f"{whistled_set}, {toy_model}"
    assert [row[0] for row in rows[2:]] == ["clean", "noise_20", "quiet_40"]
    assert rows[2][1:4] == ["6", "11", "36.36"] and rows[2][5:] == ["1", "1", "2"]
    ran = command(*arguments, "--json")
    found = json.loads(ran.out)
    assert (found["seed"], found["differences"]) == (0, [])
    for result, row in zip(found["results"], rows[2:], strict=True):
        assert (result["data"], result["condition"]) == (str(whistled_set), row[0])
        assert f"{result['wer']:.2f}" == row[3]
        assert f"{result['wer_low']:.2f} to {result['wer_high']:.2f}" == row[4]
    plain = evaluate(read_corpus(whistled_set), toy_model).result()
    assert found["results"][0]["first_pass"] == plain["first_pass"]


def test_two_models_are_compared(command, toy_model, whistled_set, tmp_path) -> None:
    other = toy.build(tmp_path / "other")
    ran = command(
        "recognizer", "conditions", whistled_set, "--model", toy_model, "--model", other,
        "--condition", "telephone", "--utterances", 4,
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"| {whistled_set}, {toy_model} | utterances")
    assert lines[4].startswith(f"| {whistled_set}, {other} | utterances")
    assert lines[2] == lines[6] and lines[2].startswith("| telephone | 4 |")
    assert lines[-1] == "| telephone | +0.00 | +0.00 to +0.00 | 0.0000 |"


def test_an_utterance_that_cannot_be_read_counts(command, toy_model, whistled_set) -> None:
    (whistled_set / "u2.flac").write_bytes(b"no audio")
    ran = command(
        "recognizer", "conditions", whistled_set, "--model", toy_model, "--condition", "gsm"
    )
    assert ran.code == 1
    expected = "recognizer conditions: could not be recognised: 1 of 6, the first u2: "
    assert ran.err.startswith(expected) and ran.err.count("\n") == 1
    assert "| gsm | 6 | 11 |" in ran.out


def test_rooms_and_codecs(toy_model, whistled_set, monkeypatch) -> None:
    pytest.importorskip("pyroomacoustics", reason="rooms need pyroomacoustics, the extra rooms")
    pytest.importorskip("av", reason="codecs need PyAV, the extra media")
    rooms = condition_options("reverberation").reverberation
    assert rooms is not None and rooms.rooms.rooms == 40
    few = replace(rooms, rooms=replace(rooms.rooms, rooms=2))
    monkeypatch.setitem(
        conditions._CHANNELS, "reverberation", AugmentationOptions(reverberation=few)
    )
    corpus = read_corpus(whistled_set)
    corpus = replace(corpus, utterances=corpus.utterances[:2])
    table = evaluate_conditions([corpus], {"toy": toy_model}, ("reverberation", "mp3_32"))
    assert [one.condition for one in table.results] == ["reverberation", "mp3_32"]
    assert all(not one.evaluation.failed for one in table.results)
    scores = [score.rescored for score in table.results[1].evaluation.scores]
    assert scores == [("go", "left"), ("stop", "now")]


def test_wrong_uses(command, toy_model, whistled_set, tmp_path, monkeypatch) -> None:
    def error(*arguments: object) -> str:
        ran = command("recognizer", "conditions", *arguments)
        assert ran.out == "" and ran.err.count("\n") == 1
        return f"{ran.code} {ran.err}"

    assert "2 recognizer: condition noise_20: expected files of noise (--noise), found" in error(
        whistled_set
    )
    assert "2 recognizer: expected one of the conditions clean, noise_20" in error(
        whistled_set, "--condition", "underwater"
    )
    nowhere = tmp_path / "nowhere"
    assert f"1 recognizer: {nowhere}: expected audio files of noise, found none" in error(
        whistled_set, "--noise", nowhere
    )
    assert "2 recognizer: expected distinct test sets" in error(whistled_set, whistled_set)
    assert "2 recognizer: --model: expected one or two" in error(
        whistled_set, *["--model", toy_model] * 2
    )
    assert "2 recognizer: --seed: expected" in error(whistled_set, "--seed", -1)
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    assert "1 recognizer: simulating rooms needs pyroomacoustics" in error(
        whistled_set, "--condition", "reverberation"
    )
    assert len(CONDITIONS) == len(set(CONDITIONS)) == 9
    with pytest.raises(UsageError):
        condition_options("noise_5")
    with pytest.raises(SpeechError, match="expected utterances, found none"):
        empty = replace(read_corpus(whistled_set), utterances=())
        evaluate_conditions([empty], {"toy": toy_model}, ("clean",))
