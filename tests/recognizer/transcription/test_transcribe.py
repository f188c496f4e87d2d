"""Sets transcribed by a model, by whoever left transcripts, and by a teacher that stands in."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import soundfile

import toy
import transcribing
from descendants import wait_until
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.transcription import teachers
from recognizer.transcription.teachers import TeacherOptions
from recognizer.transcription.transcribe import transcribe
from recognizer.transcription.transcript import Transcript

SAID = {"u1": "go left", "u2": "stop", "u3": "now write", "u4": "right go stop", "u5": "left"}


@pytest.fixture
def untranscribed(tmp_path: Path) -> Path:
    """A Kaldi data directory of whistled sentences, without text."""
    directory = tmp_path / "radio"
    directory.mkdir()
    for name, said in SAID.items():
        soundfile.write(directory / f"{name}.flac", toy.whistle(said), 16000)
    (directory / "wav.scp").write_text("".join(f"{name} {name}.flac\n" for name in SAID))
    (directory / "utt2spk").write_text("".join(f"{name} someone\n" for name in SAID))
    return directory


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """What another program made of the same sentences."""
    directory = tmp_path / "other"
    directory.mkdir()
    (directory / "text").write_text("u1 Go left.\nu2 Stop!\nu3\nu4 Right, go 2.\nu5 Left\n")
    (directory / "utt2conf").write_text("u5 0.5\nu1 0.9\nu2 0.8\nu3 0\nu4 1\n")
    return directory


def test_a_model_transcribes(untranscribed: Path, toy_model: Path, tmp_path: Path) -> None:
    corpus = read_corpus(untranscribed, transcripts=False)
    path = tmp_path / "made.jsonl"
    made = transcribe(corpus, TeacherOptions("model", str(toy_model)), path)
    assert {name: one.text for name, one in made.items()} == SAID
    for name, one in made.items():
        assert len(one.confidences) == len(SAID[name].split())
        assert all(0.5 < value <= 1.0 for value in one.confidences)
        assert one.seconds == len(toy.whistle(SAID[name])) / 16000
    assert transcribe(corpus, TeacherOptions("model", str(toy_model)), path, jobs=2) == made


def test_several_processes_find_the_same(
    untranscribed: Path, toy_model: Path, tmp_path: Path
) -> None:
    corpus = read_corpus(untranscribed, transcripts=False)
    teacher = TeacherOptions("model", str(toy_model))
    one, two = (
        transcribe(corpus, teacher, tmp_path / f"{jobs}.jsonl", jobs=jobs) for jobs in (1, 2)
    )
    assert one == two
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_transcripts_that_are_there(untranscribed: Path, written: Path, tmp_path: Path) -> None:
    corpus = read_corpus(untranscribed, transcripts=False)
    teacher = TeacherOptions("transcripts", "other")
    made = transcribe(corpus, teacher, tmp_path / "made.jsonl", root=tmp_path)
    assert [(one.text, one.confidences) for one in made.values()] == [
        ("Go left.", (0.9,)),
        ("Stop!", (0.8,)),
        ("", (0.0,)),
        ("Right, go 2.", (1.0,)),
        ("Left", (0.5,)),
    ]
    (written / "utt2conf").unlink()
    (written / "text").write_text("u1 Go left.\n")
    made = transcribe(corpus, teacher, tmp_path / "again.jsonl", root=tmp_path)
    assert made["u1"].confidence is None
    assert made["u2"].error == f"{written}/text: has no such utterance"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("text", "u1 a\n\n", "text:2: expected ids, each once, found an empty line"),
        ("text", "u1 a\nu1 b\n", "text:2: expected ids, each once, found u1 again"),
        ("text", None, "text: no such file"),
        ("utt2conf", "u1 high\n", r"utt2conf:1: expected a confidence in \[0, 1\], found 'high'"),
        ("utt2conf", "u1 1.5\n", r"utt2conf:1: expected a confidence in \[0, 1\], found '1.5'"),
        ("utt2conf", "u1 nan\n", r"utt2conf:1: expected a confidence in \[0, 1\], found 'nan'"),
        ("utt2conf", "u1 1\n", "expected the utterances of text, found 4 that are in one of them"),
    ],
)
def test_damaged_transcripts(
    untranscribed: Path,
    written: Path,
    tmp_path: Path,
    name: str,
    content: str | None,
    expected: str,
) -> None:
    if content is None:
        (written / name).unlink()
    else:
        (written / name).write_text(content)
    corpus = read_corpus(untranscribed, transcripts=False)
    with pytest.raises(SpeechError, match=expected):
        transcribe(corpus, TeacherOptions("transcripts", str(written)), tmp_path / "made.jsonl")


class Shouting:
    """A teacher that keeps a record of its batches, and cannot bear one utterance."""

    batch = 2

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def transcribe(self, utterances: Sequence[Utterance]) -> list[Transcript]:
        self.batches.append([one.id for one in utterances])
        if "u4" in self.batches[-1]:
            raise SpeechError("out of breath")
        return [Transcript(one.id, one.id.upper(), (1.0,), one.duration) for one in utterances]


def test_batches_are_of_one_length_and_nothing_is_done_twice(
    untranscribed: Path, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = Shouting()
    monkeypatch.setattr(teachers, "WrittenTranscripts", lambda directory: teacher)
    corpus = read_corpus(untranscribed, transcripts=False)
    options, path = TeacherOptions("transcripts", str(written)), tmp_path / "made.jsonl"
    with pytest.raises(SpeechError, match="out of breath"):
        transcribe(corpus, options, path)
    by_length = sorted(SAID, key=lambda name: len(toy.whistle(SAID[name])))
    assert teacher.batches == [by_length[:2], by_length[2:4], by_length[4:]]
    assert by_length[4:] == ["u4"]
    monkeypatch.setattr(Shouting, "transcribe", lambda self, batch: [Transcript("u4", "x")])
    told: list[int] = []
    made = transcribe(corpus, options, path, progress=lambda: told.append(1))
    assert list(made) == list(SAID)
    assert [one.text for one in made.values()] == ["U1", "U2", "U3", "x", "U5"]
    assert len(told) == len(SAID)


def lines_written(path: Path, count: int) -> bool:
    return path.exists() and path.read_bytes().count(b"\n") >= count


def test_a_killed_run_goes_on_to_the_same_bits(
    untranscribed: Path, toy_model: Path, tmp_path: Path
) -> None:
    corpus = read_corpus(untranscribed, transcripts=False)
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    expected = transcribe(corpus, TeacherOptions("model", str(toy_model)), whole)
    arguments = [sys.executable, transcribing.__file__, untranscribed, toy_model, killed]
    for lines in (2, 4):
        process = subprocess.Popen(arguments)
        assert wait_until(partial(lines_written, killed, lines))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with killed.open("ab") as stream:  # as if it had been writing just then
            stream.write(b'{"utterance": "u')
    assert transcribe(corpus, TeacherOptions("model", str(toy_model)), killed) == expected
    assert killed.read_bytes() == whole.read_bytes()


def test_one_file_that_cannot_be_read(untranscribed: Path, toy_model: Path, tmp_path: Path) -> None:
    (untranscribed / "u2.flac").write_bytes(b"no audio at all")
    corpus = read_corpus(untranscribed, transcripts=False)
    made = transcribe(corpus, TeacherOptions("model", str(toy_model)), tmp_path / "made.jsonl")
    assert [one.text for one in made.values()] == ["go left", "", *list(SAID.values())[2:]]
    assert made["u2"].error is not None
    assert str(untranscribed / "u2.flac") in made["u2"].error
    for name in SAID:
        (untranscribed / f"{name}.flac").write_bytes(b"no audio at all")
    with pytest.raises(SpeechError, match="radio: none of 5 utterances could be transcribed, the"):
        transcribe(corpus, TeacherOptions("model", str(toy_model)), tmp_path / "none.jsonl")


def test_transcripts_of_others_are_not_mixed(
    untranscribed: Path, toy_model: Path, written: Path, tmp_path: Path
) -> None:
    corpus = read_corpus(untranscribed, transcripts=False)
    path = tmp_path / "made.jsonl"
    transcribe(corpus, TeacherOptions("transcripts", str(written)), path)
    with pytest.raises(SpeechError, match=r"made\.jsonl:1: expected transcripts of"):
        transcribe(corpus, TeacherOptions("model", str(toy_model)), path)
    (untranscribed / "wav.scp").write_text("u1 u1.flac\n")
    (untranscribed / "utt2spk").write_text("u1 someone\n")
    fewer = read_corpus(untranscribed, transcripts=False)
    with pytest.raises(SpeechError, match="expected utterances of radio, found 4 others, the fir"):
        transcribe(fewer, TeacherOptions("transcripts", str(written)), path)


def test_teachers_that_cannot_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpeechError, match="none: expected the directory of a teacher, found none"):
        TeacherOptions("model", "none").check(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpeechError, match=r"model\.toml"):
        TeacherOptions("model", "empty").check(tmp_path)
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(SpeechError, match=r"pip install 'recognizer\[teacher\]'"):
        TeacherOptions("whisper", "empty").check(tmp_path)
    with pytest.raises(UsageError, match="licence: expected nothing: a model has its own"):
        TeacherOptions("model", "english", licence="MIT")
    with pytest.raises(SpeechError, match=r"expected its name and licence.*'Whisper' and None"):
        TeacherOptions("whisper", "empty", "Whisper").described(tmp_path)


def test_the_command(command, untranscribed: Path, toy_model: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (untranscribed / "u2.flac").write_bytes(b"no audio at all")
    arguments = ["transcribe", untranscribed, "--output-dir", new, "--model", toy_model]
    ran = command("recognizer", *arguments, "--min-rate", "0")
    assert ran.code == 1
    assert ran.err.startswith("recognizer transcribe: u2: ")
    assert ran.err.count("\n") == 1
    assert ran.out.splitlines()[1:] == ["1 dropped: not transcribed"]
    assert [(one.id, one.text) for one in read_corpus(new)] == [
        (name, said) for name, said in SAID.items() if name != "u2"
    ]
    assert (new / "utt2conf").read_text().count("\n") == 4
    made = (new / "transcripts.jsonl").stat().st_mtime_ns
    ran = command("recognizer", *arguments, "--min-rate", "0", "--max-rate", "0.5")
    assert ran.code == 1
    assert "0 of 5 transcripts kept" in ran.err
    assert (new / "transcripts.jsonl").stat().st_mtime_ns == made


def test_many_failures_are_not_all_told(
    command, untranscribed: Path, written: Path, tmp_path: Path
) -> None:
    names = [f"x{number:02d}" for number in range(12)]
    for file, value in (("wav.scp", "u1.flac"), ("utt2spk", "someone")):
        with (untranscribed / file).open("a") as stream:
            stream.writelines(f"{name} {value}\n" for name in names)
    new = tmp_path / "new"
    ran = command(
        *("recognizer", "transcribe", untranscribed, "--output-dir", new),
        *("--transcripts", written, "--min-confidence", "0.6", "--min-rate", "0"),
    )
    assert ran.code == 1
    lines = ran.err.splitlines()
    assert len(lines) == 11
    assert lines[0] == f"recognizer transcribe: x00: {written}/text: has no such utterance"
    assert lines[-1] == (
        f"recognizer transcribe: 2 more not transcribed; {new}/transcripts.jsonl says why"
    )
    assert "12 dropped: not transcribed" in ran.out.splitlines()
    assert [(one.id, one.text) for one in read_corpus(new)] == [
        ("u1", "go left"),
        ("u2", "stop"),
        ("u4", "right go two"),
    ]


def test_wrong_use_of_the_command(command, untranscribed: Path, toy_model: Path) -> None:
    start = ("recognizer", "transcribe", untranscribed, "--model", toy_model, "--output-dir")
    ran = command(*start, untranscribed)
    assert ran.code == 2
    assert "--output-dir: expected another directory than" in ran.err
    ran = command(*start, untranscribed.parent / "new", "--whisper", "x")
    assert ran.code == 2
    assert "--whisper: expected one teacher, found --model too" in ran.err
    ran = command(*start, untranscribed.parent / "new", "--language", "fr")
    assert ran.code == 2
    assert "--language goes with --whisper" in ran.err
    ran = command(*start, untranscribed.parent / "new", "--min-confidence", "2")
    assert ran.code == 2
    assert "min_confidence: expected 0 to 1, found 2.0" in ran.err
