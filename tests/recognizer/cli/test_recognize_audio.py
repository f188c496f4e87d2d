"""``recognize`` and `Recognizer.recognize`: the words of one sentence from every kind of audio."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer import Recognizer
from recognizer.data.errors import UsageError
from sounds import FORMATS, encode, encode_media

TEXT = "go left stop"
WAVE = toy.whistle(TEXT).astype(np.float32)
START = [sys.executable, "-c", "from recognizer.cli.recognize import main; main()"]


@pytest.fixture(scope="module")
def recognizer(toy_model: Path) -> Recognizer:
    return Recognizer(toy_model)


def test_every_format_and_what_becomes_of_the_others(command, toy_model, tmp_path):
    paths = []
    for number, (_, kind, subtype, _) in enumerate(FORMATS):
        if subtype == "ULAW":  # its noise is more than this model of pure whistles can bear
            continue
        paths.append(tmp_path / f"{number}.raw")  # the name says nothing
        paths[-1].write_bytes(encode(WAVE, kind=kind, subtype=subtype))
    for kind, codec in [
        ("ipod", "aac"),
        ("adts", "aac"),
        ("matroska", "libopus"),
        ("mp4", "aac"),
    ]:
        paths.append(tmp_path / kind)
        paths[-1].write_bytes(encode_media(WAVE, kind, codec))
    expected = "".join(f"{path}\t{TEXT}\n" for path in paths)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(encode(WAVE, kind="FLAC")[:-500])
    ran = command("recognize", "--model", toy_model, *paths[:5], cut, *paths[5:])
    assert (ran.code, ran.out) == (1, expected)
    assert ran.err.startswith(f"recognize: {cut}: ")
    assert "cut short" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 96000, 192000])
def test_every_rate(recognizer, tmp_path, rate):
    path = tmp_path / "a.wav"
    soundfile.write(path, toy.whistle(TEXT, rate=rate), rate)
    assert recognizer.recognize(path).text == TEXT


def test_channels(command, toy_model, tmp_path):
    path, other = tmp_path / "call.wav", toy.whistle("now left").astype(np.float32)
    other = np.pad(other, (0, len(WAVE) - len(other)))
    soundfile.write(path, np.stack([WAVE, -WAVE], axis=1), 16000)
    assert command("recognize", path, "--model", toy_model).out == f"{TEXT}\n"
    soundfile.write(path, np.stack([WAVE, other], axis=1), 16000)
    for channel, text in enumerate([TEXT, "now left"], start=1):
        ran = command("recognize", path, "--channel", channel, "--model", toy_model)
        assert (ran.code, ran.out) == (0, f"{text}\n")
    ran = command("recognize", path, "--channel", 3, "--model", toy_model)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"recognize: {path}: expected a channel from 1 to 2, found 3\n"
    assert command("recognize", path, "--channel", 0, "--model", toy_model).code == 2


def test_evaluate_takes_a_channel(command, toy_model, tmp_path):
    path = tmp_path / "call.wav"
    soundfile.write(path, np.stack([np.zeros_like(WAVE), WAVE], axis=1), 16000)
    (tmp_path / "wav.scp").write_text("a call.wav\n")
    (tmp_path / "text").write_text(f"a {TEXT}\n")
    for channel, errors in [(1, 3), (2, 0)]:
        ran = command(
            "recognizer", "evaluate", tmp_path, "--channel", channel, "--model", toy_model
        )
        assert f"[ {errors} / 3, " in ran.out.splitlines()[-1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    "line",
    [
        "{recognize} <(cat {audio})",
        "{recognize} /dev/stdin < {audio}",
        "cat {audio} | {recognize} /dev/stdin",
        "cat {audio} | {recognize} -",
        "mkfifo {pipe}; cat {audio} > {pipe} & {recognize} {pipe}",
    ],
)
def test_pipes_of_a_shell(toy_model, whistled, tmp_path, line):
    line = line.format(
        recognize=f"{shlex.join(START)} --model {toy_model}",
        audio=whistled(TEXT),
        pipe=tmp_path / "pipe",
    )
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{TEXT}\n", "")


def test_arrays(recognizer):
    integers = np.rint(WAVE * 32767).astype(np.int16)
    stereo = np.stack([WAVE, WAVE])
    for samples in (
        WAVE,
        WAVE.astype(np.float64),
        WAVE[None],
        WAVE[:, None],
        stereo,
        stereo.T,
        np.stack([WAVE, -WAVE]),
        integers,
        integers.astype(np.int64),
        integers.astype(np.float32),
        integers.astype(np.float64),
        integers.tolist(),
        WAVE.tolist(),
    ):
        assert recognizer.recognize(samples).text == TEXT
    assert recognizer.recognize(toy.whistle(TEXT, rate=8000), sample_rate=8000).text == TEXT
    assert recognizer.recognize(stereo, channel=2).text == TEXT


def test_standard_samples_are_of_one_shape_and_type(recognizer):
    assert recognizer.recognize_samples(WAVE).text == TEXT
    for wrong in (WAVE[None], WAVE[:, None], np.rint(WAVE * 32767).astype(np.int16)):
        with pytest.raises(UsageError, match="samples: expected 16 kHz mono floats"):
            recognizer.recognize_samples(wrong)


def test_tensors(recognizer):
    torch = pytest.importorskip("torch")
    for tensor in (torch.from_numpy(WAVE), torch.from_numpy(WAVE)[None].requires_grad_()):
        assert recognizer.recognize(tensor).text == TEXT


def test_open_files_and_what_is_no_audio(recognizer, whistled):
    path = whistled(TEXT)
    with path.open("rb") as stream:
        assert recognizer.recognize(stream).text == TEXT
    for wrong in (None, 3, {"a": 1}, b"RIFF", [path], (WAVE, 16000), [[1.0], [2.0, 3.0]]):
        with pytest.raises(UsageError) as caught:
            recognizer.recognize(wrong)
        assert "\n" not in str(caught.value)
    for rate in (0, 1, 10**9):
        with pytest.raises(UsageError, match="expected 4000 to 768000"):
            recognizer.recognize(WAVE, sample_rate=rate)
