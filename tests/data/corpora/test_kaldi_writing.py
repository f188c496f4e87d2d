"""Kaldi data directories that are written are read as what they were made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.corpora.corpus import Corpus, Utterance, read_corpus
from recognizer.data.corpora.kaldi_writing import write_kaldi_dir
from recognizer.data.errors import SpeechError
from sounds import tone


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    directory = tmp_path_factory.mktemp("audio")
    paths = [directory / name for name in ("a.wav", "with space.wav", "c.wav")]
    for path in paths:
        soundfile.write(path, tone(), 16000)
    return paths


words = st.lists(st.sampled_from(["one", "Two", "3", "it's", "Ünder"]), max_size=4).map(" ".join)
parts = st.one_of(
    st.just((0.0, None)),
    st.tuples(st.floats(0.0, 0.4), st.one_of(st.none(), st.floats(0.5, 1.0))),
)


@given(
    utterances=st.lists(st.tuples(st.integers(0, 3), words, parts), min_size=1, max_size=6),
    whole=st.booleans(),
)
def test_what_is_written_is_read(
    audio: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
    utterances: list[tuple[int, str, tuple[float, float | None]]],
    whole: bool,
) -> None:
    made = []
    for number, (source, text, (start, end)) in enumerate(utterances):
        if whole:
            start, end = 0.0, None
        command = f"cat {audio[0]}" if source == 3 else None
        path = audio[source] if source < 3 else Path("unknown")
        speaker = f"s{number % 2}"
        made.append(Utterance(f"u{9 - number}", path, speaker, text, start, end, command))
    directory = tmp_path_factory.mktemp("set") / "new"
    confidences = {one.id: 0.5 for one in made}
    write_kaldi_dir(Corpus("made", tuple(made)), directory, confidences=confidences)
    read = read_corpus(directory, allow_pipes=True)
    expected = sorted(made, key=lambda one: one.id)
    for one, other in zip(read, expected, strict=True):
        scp = directory / "wav.scp"
        one = replace(one, part_of="")  # recordings without a name are numbered
        assert one == replace(other, audio=other.audio if other.command is None else scp)
    ids = [line.split()[0] for line in (directory / "utt2conf").read_text().splitlines()]
    assert ids == [one.id for one in expected]
    assert (directory / "segments").exists() == any(u.start or u.end is not None for u in made)


def test_writing_again_leaves_nothing_of_what_was_there(audio: list[Path], tmp_path: Path) -> None:
    part = Utterance("u", audio[0], "s", "some words", 0.1, 0.5)
    write_kaldi_dir(Corpus("made", (part,)), tmp_path, confidences={"u": 1.0})
    whole = replace(part, start=0.0, end=None)
    write_kaldi_dir(Corpus("made", (whole,)), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"wav.scp", "text", "utt2spk"}
    assert next(iter(read_corpus(tmp_path))) == whole


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": "a b"}, "expected ids and speakers without white space, found 'a b' of 's'"),
        ({"speaker": "jane doe"}, "without white space, found 'u' of 'jane doe'"),
        ({"channel": 2}, "u: expected no choice of a channel"),
    ],
)
def test_what_kaldi_cannot_express(
    audio: list[Path], tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    one = replace(Utterance("u", audio[0], "s", "words"), **change)  # type: ignore[arg-type]
    with pytest.raises(SpeechError, match=expected):
        write_kaldi_dir(Corpus("made", (one,)), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_to_write(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="made: expected utterances to write, found none"):
        write_kaldi_dir(Corpus("made", ()), tmp_path / "new")
