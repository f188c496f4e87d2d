"""Recordings that cannot be read in parts: decoded once, whatever is asked of them."""

from __future__ import annotations

import pickle
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recognizer.data.audio.reading import Samples, read_audio
from recognizer.data.corpora import recordings
from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.data.corpora.recordings import KEPT_RECORDINGS, whole_recording
from recognizer.data.errors import SpeechError
from sounds import encode, encode_media, tone

PRINTER = """
import sys
log, path = sys.argv[1:]
with open(log, "a") as file:
    file.write(path + "\\n")
with open(path, "rb") as file:
    sys.stdout.buffer.write(file.read())
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Three recordings of 4 s, two channels, in eight segments each; commands write into a log."""
    (tmp_path / "printer.py").write_text(PRINTER)
    lists: dict[str, list[str]] = {"wav.scp": [], "segments": [], "text": []}
    for number, recording in enumerate("abc", start=1):
        wave = np.linspace(0, 0.1 * number, 64000)
        path = tmp_path / f"{recording}.wav"
        soundfile.write(path, np.stack([wave, wave / 2], axis=1), 16000, subtype="FLOAT")
        command = [sys.executable, "-S", tmp_path / "printer.py", tmp_path / "log", path]
        lists["wav.scp"].append(f"{recording} {shlex.join(map(str, command))} |")
        for part in range(8):
            lists["segments"].append(f"{recording}-{part} {recording} {part / 2} {part / 2 + 0.5}")
            lists["text"].append(f"{recording}-{part} WORD")
    for name, lines in lists.items():
        (tmp_path / name).write_text("".join(line + "\n" for line in lines))
    return tmp_path


def runs(directory: Path) -> list[str]:
    return [Path(line).stem for line in (directory / "log").read_text().splitlines()]


def check(corpus: Corpus, parts: list[np.ndarray], scale: float = 0.75) -> None:
    for utterance, samples in zip(corpus, parts, strict=True):
        number, part = "abc".index(utterance.id[0]) + 1, int(utterance.id[-1])
        whole = np.linspace(0, 0.1 * number, 64000) * scale
        np.testing.assert_allclose(samples, whole[part * 8000 :][:8000], atol=1e-6)


def test_one_run_for_all_segments(directory: Path) -> None:
    corpus = read_corpus(directory, allow_pipes=True)
    assert [utterance.duration for utterance in corpus] == [0.5] * 24
    check(corpus, [utterance.samples() for utterance in corpus])
    check(corpus, [pickle.loads(pickle.dumps(utterance)).samples() for utterance in corpus])
    assert runs(directory) == ["a", "b", "c"]
    # Another channel is another recording.
    left = corpus.of_channel(1)
    check(left, [utterance.samples() for utterance in left], scale=1.0)
    assert runs(directory) == ["a", "b", "c"] * 2


def test_threads_share_it(directory: Path) -> None:
    corpus = read_corpus(directory, allow_pipes=True)
    with ThreadPoolExecutor(4) as pool:
        check(corpus, list(pool.map(lambda utterance: utterance.samples(), corpus)))
    assert sorted(runs(directory)) == ["a", "b", "c"]


def test_samples_and_duration_of_a_whole_recording(directory: Path) -> None:
    (directory / "segments").unlink()
    (directory / "text").write_text("a ONE\nb TWO\nc THREE\n")
    corpus = read_corpus(directory, allow_pipes=True)
    assert [len(utterance.samples()) for utterance in corpus] == [64000] * 3
    assert [utterance.duration for utterance in corpus] == [4.0] * 3
    assert runs(directory) == ["a", "b", "c"]


def test_a_corpus_that_is_read_again_is_decoded_again(directory: Path) -> None:
    first = next(iter(read_corpus(directory, allow_pipes=True))).samples()
    soundfile.write(directory / "a.wav", np.full((64000, 2), 0.5), 16000, subtype="FLOAT")
    second = next(iter(read_corpus(directory, allow_pipes=True))).samples()
    assert first.max() < 0.1
    np.testing.assert_array_equal(second, np.full(8000, 0.5, np.float32))


def test_only_a_few_recordings_are_kept(directory: Path) -> None:
    copies = [f"cat {directory / 'a.wav'} | head -c {10**6 + n}" for n in range(KEPT_RECORDINGS)]
    first = f"{shlex.join([sys.executable, '-S', str(directory / 'printer.py')])} "
    first += f"{directory / 'log'} {directory / 'b.wav'}"
    for _ in range(2):
        whole_recording(first)
    assert runs(directory) == ["b"]
    for command in copies:
        whole_recording(command)
    whole_recording(first)
    assert runs(directory) == ["b", "b"]


def test_a_part_may_be_changed_without_harm(directory: Path) -> None:
    one, two, *_ = read_corpus(directory, allow_pipes=True)
    samples = one.samples()
    samples[:] = 7.0
    assert one.samples().max() < 0.1 > two.samples().max()


def test_a_command_that_fails_is_tried_again(directory: Path) -> None:
    (directory / "a.wav").rename(directory / "away.wav")
    first = next(iter(read_corpus(directory, allow_pipes=True)))
    with pytest.raises(SpeechError, match="failed"):
        first.samples()
    (directory / "away.wav").rename(directory / "a.wav")
    assert len(first.samples()) == 8000


@pytest.mark.parametrize("kind", ["mp3", "m4a"])
def test_segments_of_compressed_files_share_one_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    wave = tone(seconds=4.0)
    path = tmp_path / f"a.{kind}"
    path.write_bytes(
        encode(wave, kind="MP3") if kind == "mp3" else encode_media(wave, "ipod", "aac")
    )
    (tmp_path / "wav.scp").write_text(f"a {path}\n")
    (tmp_path / "segments").write_text(
        "".join(f"a-{i} a {i / 2} {i / 2 + 0.5}\n" for i in range(8))
    )
    (tmp_path / "text").write_text("".join(f"a-{i} WORD\n" for i in range(8)))
    whole = read_audio(path)
    calls = []

    def counted(*arguments: Any, **options: Any) -> Samples:
        calls.append(arguments)
        return read_audio(*arguments, **options)

    monkeypatch.setattr(recordings, "read_audio", counted)
    for number, utterance in enumerate(read_corpus(tmp_path)):
        expected = whole[number * 8000 : (number + 1) * 8000]
        np.testing.assert_array_equal(utterance.samples(), expected)
    assert len(calls) == 1
