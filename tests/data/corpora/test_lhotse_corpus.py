"""Lhotse's manifests as corpora: what Lhotse itself reads, and every fault in one line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError


def write(path: Path, values: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(value) + "\n" for value in values)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


RECORDING = {
    "id": "r",
    "sources": [{"type": "file", "channels": [0, 1], "source": "audio/r.wav"}],
    "sampling_rate": 16000,
    "num_samples": 32000,
    "duration": 2.0,
    "channel_ids": [0, 1],
}
SUPERVISION = {
    "id": "b",
    "recording_id": "r",
    "start": 0.5,
    "duration": 0.25,
    "channel": 1,
    "text": "HELLO MR JONES",
    "language": "English",
    "speaker": "jane",
}


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """A stereo recording, left 0.1 and right a ramp, with two supervisions."""
    (tmp_path / "audio").mkdir()
    left, right = np.full(32000, 0.1, np.float32), np.linspace(0, 0.5, 32000, dtype=np.float32)
    soundfile.write(tmp_path / "audio" / "r.wav", np.stack([left, right], axis=1), 16000)
    write(tmp_path / "recordings.jsonl.gz", [RECORDING])
    whole = {"id": "a", "recording_id": "r", "start": 0, "duration": 2.0004, "channel": 0}
    write(tmp_path / "supervisions.jsonl", [SUPERVISION, {**whole, "text": ""}])
    return tmp_path


def test_supervisions_are_utterances(manifests: Path):
    corpus = read_corpus(manifests)
    assert corpus.name == manifests.name
    first, second = corpus
    assert (first.id, first.speaker, first.words) == ("a", "a", ())
    assert (first.start, first.end, first.duration) == (0.0, None, 2.0)
    assert (second.id, second.speaker, second.words) == ("b", "jane", ("hello", "mister", "jones"))
    assert (second.start, second.end, second.duration) == (0.5, 0.75, 0.25)
    np.testing.assert_allclose(first.samples(), 0.1, atol=1e-4)
    ramp = np.linspace(0, 0.5, 32000, dtype=np.float32)
    np.testing.assert_allclose(second.samples(), ramp[8000:12000], atol=1e-4)
    assert read_corpus(manifests / "supervisions.jsonl") == corpus


def test_all_channels_are_mixed(manifests: Path):
    write(manifests / "supervisions.jsonl", [{**SUPERVISION, "channel": [0, 1]}])
    (utterance,) = read_corpus(manifests)
    ramp = np.linspace(0, 0.5, 32000, dtype=np.float32)[8000:12000]
    np.testing.assert_allclose(utterance.samples(), (ramp + 0.1) / 2, atol=1e-4)


def test_channels_may_lie_in_files_of_their_own(manifests: Path):
    for channel in (3, 7):
        samples = np.full(32000, channel / 10, np.float32)
        soundfile.write(manifests / f"{channel}.flac", samples, 16000)
    sources = [
        {"type": "file", "channels": [channel], "source": f"{channel}.flac"} for channel in (3, 7)
    ]
    write(manifests / "recordings.jsonl.gz", [{**RECORDING, "sources": sources}])
    write(manifests / "supervisions.jsonl", [{**SUPERVISION, "channel": 7}])
    (utterance,) = read_corpus(manifests)
    np.testing.assert_allclose(utterance.samples(), 0.7, atol=1e-4)


def test_paths_relative_to_the_working_directory(
    manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("recordings.jsonl.gz", "supervisions.jsonl"):
        (manifests / name).rename(elsewhere / name)
    corpus = read_corpus(elsewhere)
    assert corpus.utterances[1].samples().shape == (4000,)


def test_several_sets_in_one_directory(manifests: Path):
    """As Lhotse's recipes name them: a supervision manifest tells which."""
    for part in ("train", "dev"):
        write(manifests / f"toy_recordings_{part}.jsonl.gz", [RECORDING])
        write(manifests / f"toy_supervisions_{part}.jsonl.gz", [{**SUPERVISION, "id": part}])
    (manifests / "recordings.jsonl.gz").unlink()
    (manifests / "supervisions.jsonl").unlink()
    (utterance,) = read_corpus(manifests / "toy_supervisions_dev.jsonl.gz")
    assert utterance.id == "dev"
    with pytest.raises(SpeechError) as caught:
        read_corpus(manifests)
    assert str(caught.value) == (
        f"{manifests}: expected one manifest of recordings (*recordings*.jsonl, perhaps .gz), "
        "found toy_recordings_dev.jsonl.gz, toy_recordings_train.jsonl.gz; name a manifest of "
        "supervisions instead"
    )


def source(**changes: Any) -> dict[str, Any]:
    return {**RECORDING, "sources": [{**RECORDING["sources"][0], **changes}]}


@pytest.mark.parametrize(
    ("recording", "supervision", "message"),
    [
        (source(type="command"), {}, ".gz:1: r: expected sources that are files, found one of"),
        (source(type="url", source="https://x/y"), {}, "found one of the type 'url'"),
        (source(type="memory"), {}, "found one of the type 'memory'"),
        (source(source="no.wav"), {}, "expected files that exist, found 1 of 1 missing, the first"),
        (source(channels=["x"]), {}, ".gz:1: r: expected numbers of channels, found ('x',)"),
        ({"id": "r"}, {}, ".gz:1: expected a recording with id, sources and duration, found"),
        (
            {**RECORDING, "transforms": [{"name": "Speed", "kwargs": {"factor": 0.9}}]},
            {},
            ".gz:1: r: expected a recording as it is in its file, found the transform Speed",
        ),
        (
            RECORDING,
            {"recording_id": "q"},
            "expected a recording of recordings.jsonl.gz, found",
        ),
        (RECORDING, {"id": "b c"}, ".jsonl:1: expected an id without white space, found 'b c'"),
        (RECORDING, {"text": None}, ".jsonl:1: b: expected a text, found none"),
        (RECORDING, {"start": 1.9}, "expected a part of the 2.0 s of r, found 1.9 to 2.15 s"),
        (RECORDING, {"duration": 0}, "expected a part of the 2.0 s of r, found 0.5 to 0.5 s"),
        (RECORDING, {"start": "x"}, ".jsonl:1: expected a supervision with id, recording_id"),
        (RECORDING, {"channel": 2}, "expected one channel of r or all of a file, found [2] of [[0"),
    ],
)
def test_faults_are_one_line(manifests: Path, recording, supervision, message):
    write(manifests / "recordings.jsonl.gz", [recording])
    write(manifests / "supervisions.jsonl", [{**SUPERVISION, **supervision}])
    with pytest.raises(SpeechError) as caught:
        read_corpus(manifests)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_faults_of_the_files(manifests: Path):
    write(manifests / "supervisions.jsonl", [SUPERVISION, SUPERVISION])
    with pytest.raises(SpeechError, match=r"jsonl:2: expected ids given once, found b again"):
        read_corpus(manifests)
    write(manifests / "supervisions.jsonl", [])
    with pytest.raises(SpeechError, match="expected at least one supervision, found none"):
        read_corpus(manifests)
    (manifests / "supervisions.jsonl").write_text("[1]\n")
    with pytest.raises(SpeechError, match=r"jsonl:1: expected a JSON object, found '\[1\]'"):
        read_corpus(manifests)
    (manifests / "recordings.jsonl.gz").unlink()
    with pytest.raises(SpeechError, match=r"expected one manifest of recordings .*, found none"):
        read_corpus(manifests)
    with pytest.raises(SpeechError, match=r"expected its recordings in recordings.jsonl beside"):
        read_corpus(manifests / "supervisions.jsonl")
    write(manifests / "cuts.jsonl", [{"id": "c", "type": "MonoCut"}])
    with pytest.raises(SpeechError, match="expected a manifest of supervisions"):
        read_corpus(manifests / "cuts.jsonl")


def test_resampling_to_what_we_read_is_no_transform(manifests: Path):
    resampled = {"name": "Resample", "kwargs": {"target_sampling_rate": 16000}}
    write(manifests / "recordings.jsonl.gz", [{**RECORDING, "transforms": [resampled]}])
    assert len(read_corpus(manifests)) == 2


def test_lhotse_reads_the_same(tmp_path: Path):
    """Manifests that Lhotse writes: the same ids, speakers, texts and samples as Lhotse loads."""
    lhotse = pytest.importorskip("lhotse", reason="Lhotse is not installed")
    generator = np.random.default_rng(2)
    recordings, supervisions = [], []
    for number, channels in enumerate((1, 2, 3)):
        path = tmp_path / f"r{number}.wav"
        samples = generator.uniform(-0.5, 0.5, size=(24000, channels)).astype(np.float32)
        soundfile.write(path, samples, 16000, subtype="FLOAT")
        recordings.append(lhotse.Recording.from_file(path))
        for part in range(4):
            start, duration = round(0.3 * part, 3), round(float(generator.uniform(0.1, 0.6)), 3)
            supervisions.append(
                lhotse.SupervisionSegment(
                    id=f"s{number}-{part}",
                    recording_id=f"r{number}",
                    start=start,
                    duration=duration,
                    channel=int(generator.integers(channels)),
                    text=f"words of {part}",
                    speaker=f"speaker{part % 2}",
                )
            )
    lhotse.RecordingSet.from_recordings(recordings).to_file(tmp_path / "recordings.jsonl.gz")
    lhotse.SupervisionSet.from_segments(supervisions).to_file(tmp_path / "supervisions.jsonl.gz")
    corpus = read_corpus(tmp_path)
    assert [one.id for one in corpus] == [one.id for one in supervisions]
    known = {one.id: one for one in recordings}
    for utterance, supervision in zip(corpus, supervisions, strict=True):
        assert (utterance.text, utterance.speaker) == (supervision.text, supervision.speaker)
        theirs = known[supervision.recording_id].load_audio(
            channels=supervision.channel, offset=supervision.start, duration=supervision.duration
        )
        np.testing.assert_array_equal(utterance.samples(), theirs[0])
