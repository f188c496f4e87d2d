"""Folders of recordings with transcripts beside them: who speaks what, and every fault by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from recognizer.data.alignments.alignment import Segment
from recognizer.data.alignments.textgrid import write_grid_tiers
from recognizer.data.corpora.corpus import read_corpus, read_one
from recognizer.data.errors import SpeechError, UsageError


def sound(path: Path, seconds: float = 2.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(16000 * seconds), 0.1, np.float32), 16000)
    return path


def grid(path: Path, **tiers: list[tuple[float, float, str]]) -> Path:
    """A TextGrid of intervals, whose texts may have several words."""
    labels = {f"text{index}": text for index, text in enumerate(texts(tiers))}
    names = {text: label for label, text in labels.items()}
    segments = {
        name: tuple(Segment(names[text], start, end) for start, end, text in some)
        for name, some in tiers.items()
    }
    write_grid_tiers(segments, path, "test")
    written = path.read_text(encoding="utf-8")
    for label, text in reversed(labels.items()):
        written = written.replace(f'"{label}"', f'"{text}"')
    path.write_text(written, encoding="utf-8")
    return path


def texts(tiers: dict[str, list[tuple[float, float, str]]]) -> list[str]:
    return sorted({text for some in tiers.values() for _, _, text in some})


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two speakers' folders with a transcript each, and a conversation."""
    root = tmp_path / "fieldwork"
    sound(root / "anna" / "one.wav")
    (root / "anna" / "one.lab").write_text("good\nmorning\n")
    sound(root / "bert" / "two.flac")
    (root / "bert" / "two.txt").write_text("Good evening", encoding="utf-8-sig")
    sound(root / "talk.wav", 4.0)
    grid(
        root / "talk.TextGrid",
        anna=[(0.5, 1.0, "how are you"), (2.5, 3.0, " ")],
        bert=[(0.75, 2.0, "fine")],
    )
    return root


def test_recordings_and_intervals_are_utterances(folders: Path) -> None:
    corpus = read_corpus(folders)
    assert [(one.id, one.recording, one.speaker, one.text) for one in corpus] == [
        ("one", "anna/one", "anna", "good morning"),
        ("talk-anna-0000500-0001000", "talk", "anna", "how are you"),
        ("talk-bert-0000750-0002000", "talk", "bert", "fine"),
        ("two", "bert/two", "bert", "Good evening"),
    ]
    interval = corpus.utterances[2]
    assert (interval.start, interval.end) == (0.75, 2.0)
    assert len(interval.samples()) == 20_000
    assert not corpus.skipped


def test_the_speaker_may_be_what_names_begin_with(folders: Path) -> None:
    corpus = read_corpus(folders, speaker_characters=2)
    assert {one.id: one.speaker for one in corpus} == {
        "one": "on",
        "talk-ta-0000500-0001000": "ta",
        "talk-ta-0000750-0002000": "ta",
        "two": "tw",
    }


def test_two_files_of_one_name_are_called_after_their_folders_too(folders: Path) -> None:
    sound(folders / "bert" / "one.wav")
    (folders / "bert" / "one.lab").write_text("yes")
    ids = [one.id for one in read_corpus(folders)]
    assert {"anna_one", "bert_one", "two"} < set(ids)


def test_audio_alone_is_read_where_no_transcripts_are_wanted(folders: Path) -> None:
    (folders / "anna" / "one.lab").unlink()
    corpus = read_corpus(folders, transcripts=False)
    assert [(one.id, one.text) for one in corpus] == [("one", ""), ("talk", ""), ("two", "")]


def longer(folders: Path) -> None:
    grid(folders / "talk.TextGrid", anna=[(0.5, 5.0, "how are you")])


def aligned(folders: Path) -> None:
    grid(folders / "talk.TextGrid", **{"anna - words": [(0.5, 1.0, "how")]})


def cut_short(folders: Path) -> None:
    text = (folders / "talk.TextGrid").read_text()
    (folders / "talk.TextGrid").write_text(text[: len(text) // 2])


def empty(folders: Path) -> None:
    grid(folders / "talk.TextGrid", anna=[(0.5, 1.0, " ")])


def silent_grid(folders: Path) -> None:
    (folders / "talk.wav").unlink()


def no_audio_but_a_grid(folders: Path) -> None:
    (folders / "talk.wav").write_text("no audio")


def no_transcript(folders: Path) -> None:
    (folders / "talk.TextGrid").unlink()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (longer, "tier 'anna': expected intervals within the 4.000 s of talk.wav, found one from"),
        (aligned, "expected a tier of utterances for each speaker, found the tier 'anna - words'"),
        (cut_short, "talk.TextGrid:"),
        (empty, "expected intervals with a text, found none"),
        (silent_grid, "talk.TextGrid: expected a recording beside it (.flac, .wav"),
        (no_audio_but_a_grid, "talk.wav: expected a recording"),
        (no_transcript, "talk.wav: expected a transcript beside it (.lab, .txt or .TextGrid)"),
    ],
)
def test_a_faulty_recording_is_an_error_or_skipped(folders: Path, spoil, expected: str) -> None:
    spoil(folders)
    with pytest.raises(SpeechError) as caught:
        read_corpus(folders)
    assert expected in str(caught.value)
    assert "found 1 at fault, the first talk: " in str(caught.value)
    assert "\n" not in str(caught.value)
    corpus = read_corpus(folders, skip_faulty=True)
    assert [one.id for one in corpus] == ["one", "two"]
    assert list(corpus.skipped) == ["talk"]
    assert expected in corpus.skipped["talk"]


def test_a_little_overshoot_is_cut(folders: Path) -> None:
    grid(folders / "talk.TextGrid", anna=[(3.5, 4.05, "good bye")])
    (interval,) = (one for one in read_corpus(folders) if one.recording == "talk")
    assert (interval.start, interval.end) == (3.5, 4.0)


def test_a_text_without_a_recording_is_no_part_of_the_corpus(folders: Path) -> None:
    (folders / "README.txt").write_text("Recorded in 2019.\n")
    assert not read_corpus(folders).skipped
    (folders / "lost.lab").write_text("words\n")
    assert list(read_corpus(folders, skip_faulty=True).skipped) == ["lost"]


def test_speakers_of_other_corpora_have_names(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "wav.scp").write_text(f"a {folders / 'talk.wav'}\n")
    (tmp_path / "text").write_text("a WORDS\n")
    with pytest.raises(UsageError, match="found a corpus that names its speakers"):
        read_corpus(tmp_path, speaker_characters=3)
    with pytest.raises(UsageError, match="speaker_characters: expected at least 1, found 0"):
        read_corpus(folders, speaker_characters=0)


def test_lists_of_kaldi_that_differ_skip_utterances(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "wav.scp").write_text(
        f"a {folders / 'talk.wav'}\nb {folders / 'gone.wav'}\nc {folders / 'talk.wav'}\n"
    )
    (tmp_path / "text").write_text("a WORDS\nb WORDS\nd WORDS\n")
    corpus = read_corpus(tmp_path, skip_faulty=True)
    assert [one.id for one in corpus] == ["a", "b"]
    assert set(corpus.skipped) == {"c", "d"}
    assert "text: expected the same utterances as wav.scp" in corpus.skipped["c"]
    with pytest.raises(SpeechError, match=r"gone\.wav"):
        corpus.utterances[1].samples()


def test_one_recording_with_its_transcript(folders: Path) -> None:
    (whole,) = read_one(folders / "anna" / "one.wav", folders / "anna" / "one.lab")
    assert (whole.id, whole.recording, whole.text) == ("one", "one", "good morning")
    parts = read_one(folders / "talk.wav", folders / "talk.TextGrid")
    assert [(one.speaker, one.start) for one in parts] == [("anna", 0.5), ("bert", 0.75)]
