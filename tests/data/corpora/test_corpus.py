"""Corpora: Kaldi data directories with all their faults, and the LibriSpeech tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from recognizer.data.corpora.corpus import read_corpus, read_kaldi_dir, read_librispeech
from recognizer.data.errors import SpeechError


def sound(path: Path, value: float = 0.1, seconds: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(16000 * seconds), value, np.float32), 16000)
    return path


@pytest.fixture
def kaldi(tmp_path: Path) -> Path:
    """Two recordings, two utterances."""
    directory = tmp_path / "set"
    sound(directory / "audio" / "a.wav", 0.1)
    sound(directory / "audio" / "b.flac", 0.2)
    (directory / "wav.scp").write_text("a audio/a.wav\nb audio/b.flac\n")
    (directory / "text").write_text("a HELLO MR JONES\nb IT'S TEN O'CLOCK\n")
    (directory / "utt2spk").write_text("a jane\nb john\n")
    return directory


def message(path: Path, **options: bool) -> str:
    with pytest.raises(SpeechError) as caught:
        read_corpus(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_kaldi_directory(kaldi: Path) -> None:
    corpus = read_corpus(kaldi)
    assert corpus == read_kaldi_dir(kaldi)
    assert corpus.name == "set"
    assert len(corpus) == 2
    assert corpus.speakers == ("jane", "john")
    first, second = corpus
    assert (first.id, first.speaker, first.text) == ("a", "jane", "HELLO MR JONES")
    assert first.words == ("hello", "mister", "jones")
    assert second.words == ("it's", "ten", "o'clock")
    assert (first.start, first.end, first.duration) == (0.0, None, 1.0)
    assert second.samples().mean() == pytest.approx(0.2, abs=1e-3)


def test_paths_relative_to_the_working_directory(
    kaldi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = sound(tmp_path / "elsewhere" / "c.wav", 0.4)
    absolute = sound(tmp_path / "d.wav", 0.5)
    monkeypatch.chdir(tmp_path)
    (kaldi / "wav.scp").write_text(f"a {elsewhere.relative_to(tmp_path)}\nb {absolute}\n")
    means = [utterance.samples().mean() for utterance in read_corpus(kaldi)]
    assert means == pytest.approx([0.4, 0.5], abs=1e-3)
    # The data directory's own file goes first.
    sound(kaldi / "elsewhere" / "c.wav", 0.7)
    assert next(iter(read_corpus(kaldi))).samples().mean() == pytest.approx(0.7, abs=1e-3)


def test_without_utt2spk_every_utterance_is_a_speaker(kaldi: Path) -> None:
    (kaldi / "utt2spk").unlink()
    assert read_corpus(kaldi).speakers == ("a", "b")


def test_segments_cut_recordings(kaldi: Path) -> None:
    ramp = np.linspace(0, 0.5, 16000, dtype=np.float32)
    soundfile.write(kaldi / "audio" / "a.wav", ramp, 16000)
    (kaldi / "segments").write_text("u2 a 0.5 0.75\nu1 b 0.0 -1\nu3 a 0.9 1.3\n")
    (kaldi / "text").write_text("u1 ONE\nu2 TWO\nu3 THREE\n")
    (kaldi / "utt2spk").write_text("u1 s\nu2 s\nu3 s\n")
    one, two, three = read_corpus(kaldi)
    assert (one.id, two.id, three.id) == ("u1", "u2", "u3")
    assert (one.end, one.duration, len(one.samples())) == (None, 1.0, 16000)
    assert (two.start, two.end, two.duration) == (0.5, 0.75, 0.25)
    np.testing.assert_allclose(two.samples(), ramp[8000:12000], atol=1e-4)
    assert len(three.samples()) == 1600


def test_an_empty_transcript_is_allowed(kaldi: Path) -> None:
    (kaldi / "text").write_text("a\nb WORDS\n")
    assert next(iter(read_corpus(kaldi))).words == ()


def test_a_set_read_for_its_audio_alone(kaldi: Path) -> None:
    with_text = read_corpus(kaldi, transcripts=False)
    (kaldi / "text").unlink()
    assert "text: no such file" in message(kaldi)
    without = read_corpus(kaldi, transcripts=False)
    assert without == with_text
    assert [(one.id, one.speaker, one.text) for one in without] == [
        ("a", "jane", ""),
        ("b", "john", ""),
    ]
    (kaldi / "utt2spk").write_text("a s\n")
    assert "utt2spk: expected the same utterances" in message(kaldi, transcripts=False)


def test_pipes_only_where_allowed(kaldi: Path) -> None:
    audio = kaldi / "audio" / "b.flac"
    (kaldi / "wav.scp").write_text(f"a audio/a.wav\nb cat {audio} |\n")
    assert message(kaldi) == (
        f"{kaldi}/wav.scp:2: expected an audio file, found a command for b; "
        "commands run only where pipes are explicitly allowed"
    )
    first, second = read_corpus(kaldi, allow_pipes=True)
    assert first.command is None
    assert second.command == f"cat {audio}"
    assert second.duration == 1.0
    assert second.samples().mean() == pytest.approx(0.2, abs=1e-3)


def test_lists_that_differ(kaldi: Path) -> None:
    (kaldi / "text").write_text("a ONE\nc TWO\nd THREE\ne FOUR\nf FIVE\n")
    assert message(kaldi) == (
        f"{kaldi}/text: expected the same utterances as wav.scp, found 2 in wav.scp and 5 in "
        "text: 1 only in wav.scp and not in text (b); "
        "4 only in text and not in wav.scp (c, d, e, ...)"
    )
    (kaldi / "segments").write_text("a a 0 1\nx a 0 1\n")
    assert "same utterances as segments" in message(kaldi)
    (kaldi / "segments").unlink()
    (kaldi / "text").write_text("a ONE\nb TWO\n")
    (kaldi / "utt2spk").write_text("a s\n")
    assert "utt2spk: expected the same utterances as wav.scp" in message(kaldi)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("text", "a ONE\nb TWO\na AGAIN\n", "text:3: expected ids given once, found a again"),
        ("text", "a ONE\n\nb TWO\n", "text:2: expected an id and a value"),
        ("text", "", "text: expected at least one line, found none"),
        ("wav.scp", "a audio/a.wav\nb\n", "wav.scp:2: expected an id and a value, found 'b'"),
        ("wav.scp", "a audio/a.wav\nb no.wav\n", "found 1 of 2 missing, the first"),
        ("segments", "a c 0 1\nb b 0 1\n", "segments:1: expected a recording of wav.scp, found c"),
        ("segments", "a a 0 1\nb b 1\n", "segments:2: expected utterance, recording, start"),
        ("segments", "a a 0 1\nb b x 2\n", "segments:2: expected utterance, recording, start"),
        ("segments", "a a 1 0.5\nb b 0 1\n", "segments:1: expected 0 <= start < end"),
        ("segments", "a a nan 1\nb b 0 1\n", "segments:1: expected 0 <= start < end"),
        ("segments", "a a -1 1\nb b 0 1\n", "segments:1: expected 0 <= start < end"),
        ("utt2spk", "a s\nb\n", "utt2spk:2: expected an id and a value"),
    ],
)
def test_faulty_lists(kaldi: Path, name: str, content: str, expected: str) -> None:
    (kaldi / name).write_text(content)
    assert expected in message(kaldi)


def test_lists_that_are_no_text(kaldi: Path) -> None:
    (kaldi / "text").write_bytes(b"a ONE\nb \xff\xfe\n")
    assert "text:2: expected UTF-8 text, found byte 0xff" in message(kaldi)
    (kaldi / "text").unlink()
    assert message(kaldi) == f"{kaldi}/text: no such file"
    (kaldi / "text").mkdir()
    assert "expected a file, found a directory" in message(kaldi)


def test_order_does_not_depend_on_the_lists(kaldi: Path) -> None:
    expected = read_corpus(kaldi)
    (kaldi / "wav.scp").write_text("b audio/b.flac\na audio/a.wav\n")
    (kaldi / "text").write_text("b IT'S TEN O'CLOCK\na HELLO MR JONES\n")
    assert read_corpus(kaldi) == expected


def test_no_corpus(tmp_path: Path) -> None:
    assert message(tmp_path / "no") == f"{tmp_path}/no: no such file or directory"
    (tmp_path / "file").write_text("")
    assert "expected a directory of a corpus or a manifest of supervisions" in message(
        tmp_path / "file"
    )
    (tmp_path / "empty").mkdir()
    assert "found none" in message(tmp_path / "empty")
    with pytest.raises(SpeechError, match="found no"):
        read_librispeech(tmp_path / "empty")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    chapter = tmp_path / "LibriSpeech" / "train-clean-5" / "19" / "198"
    sound(chapter / "19-198-0000.flac", 0.1)
    sound(chapter / "19-198-0001.flac", 0.2)
    (chapter / "19-198.trans.txt").write_text("19-198-0000 NORTHANGER ABBEY\n19-198-0001 THIS\n")
    other = chapter.parents[1] / "26" / "495"
    sound(other / "26-495-0000.opus".replace(".opus", ".wav"), 0.3)
    (other / "26-495.trans.txt").write_text("26-495-0000 IN SIXTEEN SIXTY FIVE\n")
    return tmp_path / "LibriSpeech"


def test_a_librispeech_tree(tree: Path) -> None:
    corpus = read_corpus(tree)
    assert [utterance.id for utterance in corpus] == ["19-198-0000", "19-198-0001", "26-495-0000"]
    assert corpus.speakers == ("19", "26")
    assert corpus.utterances[0].words == ("northanger", "abbey")
    assert corpus.utterances[2].samples().mean() == pytest.approx(0.3, abs=1e-3)
    assert read_corpus(tree / "train-clean-5").utterances == corpus.utterances
    assert read_corpus(tree / "train-clean-5").name == "train-clean-5"


def test_faulty_librispeech_trees(tree: Path) -> None:
    chapter = tree / "train-clean-5" / "19" / "198"
    (chapter / "19-198-0001.flac").unlink()
    assert "19-198.trans.txt:2: expected audio 19-198-0001.flac" in message(tree)
    (chapter / "19-198.trans.txt").write_text("19-198-0000 A\n19-198-0000 B\n")
    assert "trans.txt:2: expected ids given once, found 19-198-0000 again" in message(tree)


@pytest.mark.parametrize(
    ("name", "utterances", "speakers"),
    [
        ("mini-librispeech/dev", 118, 1),
        ("excerpts80/dev", 144, 2),
        ("kathleen/train", 1620, 1),
        ("ljspeech-part/train", 385, 1),
        ("speechocean762/dev", 1240, 62),
    ],
)
def test_real_corpora(corpora: Path, name: str, utterances: int, speakers: int) -> None:
    corpus = read_corpus(corpora / name)
    assert (len(corpus), len(corpus.speakers)) == (utterances, speakers)
    for utterance in corpus:
        # Real transcripts are normal already, but for a few edges and abbreviations.
        assert utterance.words
        assert len(utterance.words) >= len(utterance.text.split())
    assert corpus.utterances[0].samples().std() > 1e-3
