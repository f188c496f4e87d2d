"""Corpora in MFA's layout aligned: files by recording, what is skipped, quality, words."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer import Tolerance, align_corpus, align_one, read_aligner, read_corpus
from recognizer.data.alignments.alignment import Segment
from recognizer.data.alignments.ctm import read_ctm
from recognizer.data.alignments.textgrid import read_grid_tiers, read_textgrid, write_grid_tiers
from recognizer.data.errors import SpeechError, UsageError

Command = Callable[..., object]

TOY_PHONES = ("G", "OW", "R", "AY", "T", "N", "AW")  # go right now

SENTENCES = {
    "anna/a1": "go right now",
    "anna/a2": "left now",
    "bert/b1": "stop left write",
    "bert/b2": "now go stop",
}


def write(path: Path, text: str, said: str | None = None) -> None:
    """A recording and its transcript, which may be of something else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path.with_suffix(".wav"), toy.whistle(said or text), 16000)
    path.with_suffix(".lab").write_text(f"{text.capitalize()}.\n")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    root = tmp_path / "field"
    for name, text in SENTENCES.items():
        write(root / name, text)
    return root


@pytest.fixture
def conversation(tmp_path: Path) -> Path:
    """Two speakers take turns in one recording, which has a TextGrid of utterances."""
    root = tmp_path / "talks"
    root.mkdir()
    parts = [toy.whistle(text) for text in ("go left", "stop now", "write")]
    soundfile.write(root / "talk.wav", np.concatenate(parts), 16000)
    bounds = np.cumsum([0, *map(len, parts)]) / 16000
    spans = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
    write_grid_tiers(
        {
            "anna": (Segment("first", *spans[0]), Segment("write", *spans[2])),
            "bert": (Segment("second", *spans[1]),),
        },
        root / "talk.TextGrid",
        "talk",
    )
    text = (root / "talk.TextGrid").read_text()
    text = text.replace('"first"', '"go left"').replace('"second"', '"Stop now!"')
    (root / "talk.TextGrid").write_text(text)
    return root


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def aligned(command: Command, data: Path, model: Path, out: Path, *options: object) -> object:
    return command(
        "recognizer", "align", data, "--model", model, "--output-dir", out, "--jobs", 1, *options
    )


def test_files_lie_in_the_folders_of_their_recordings(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "out"
    ran = aligned(command, folders, toy_model, out, "--format", "textgrid", "--format", "json")
    assert ran.code == 0, ran.err
    assert "4 of 4 utterances aligned; 0 words outside the lexicon" in ran.err
    for name, text in SENTENCES.items():
        found = read_textgrid(out / f"{name}.TextGrid")
        assert [one.label for one in found.words] == text.split()
        assert [one.start for one in found.words] == pytest.approx(toy.word_starts(text), abs=0.02)
        made = json.loads((out / f"{name}.json").read_text())
        assert made["recording"] == name
        assert made["duration"] == pytest.approx(len(toy.whistle(text)) / 16000, abs=1e-3)
        (utterance,) = made["utterances"]
        assert (utterance["speaker"], utterance["suspicious"]) == (name[:4], False)
        assert [one["word"] for one in utterance["words"]] == text.split()
        assert [one["start"] for one in utterance["phones"]] == pytest.approx(
            [one.start for one in found.phones], abs=1e-3
        )


def test_a_conversation_has_tiers_by_speaker_in_its_own_time(
    conversation: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "out"
    ran = aligned(command, conversation, toy_model, out)
    assert ran.code == 0, ran.err
    tiers = {one.name: one.intervals for one in read_grid_tiers(out / "talk.TextGrid")}
    assert list(tiers) == ["anna - words", "anna - phones", "bert - words", "bert - phones"]
    said = {name: [one for one in some or () if one[2]] for name, some in tiers.items()}
    assert [label for _, _, label in said["anna - words"]] == ["go", "left", "write"]
    assert [label for _, _, label in said["bert - words"]] == ["stop", "now"]
    first, second = len(toy.whistle("go left")) / 16000, len(toy.whistle("stop now")) / 16000
    starts = [start for start, _, _ in said["anna - words"]]
    expected = [*toy.word_starts("go left"), first + second + toy.word_starts("write")[0]]
    assert starts == pytest.approx(expected, abs=0.02)
    assert said["bert - words"][0][0] == pytest.approx(
        first + toy.word_starts("stop now")[0], abs=0.02
    )
    whole = soundfile.info(conversation / "talk.wav").duration
    assert max(end for some in tiers.values() for _, end, _ in some or ()) == pytest.approx(whole)
    # In CTM speakers are channels, which may speak at once, and names have no white space.
    spoken = read_ctm(out / "words.ctm", out / "phones.ctm")
    assert [one.label for one in spoken["talk-anna"].words] == ["go", "left", "write"]
    assert [one.label for one in spoken["talk-bert"].words] == ["stop", "now"]


def test_utterances_may_have_files_of_their_own(
    conversation: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "out"
    assert aligned(command, conversation, toy_model, out, "--by", "utterance").code == 0
    ids = [one.id for one in read_corpus(conversation)]
    assert sorted(one.stem for one in out.glob("*.TextGrid")) == ids
    for name, text in zip(ids, ["go left", "write", "stop now"], strict=True):
        found = read_textgrid(out / f"{name}.TextGrid")
        assert [one.start for one in found.words] == pytest.approx(toy.word_starts(text), abs=0.02)


def test_faulty_recordings_are_skipped_and_named(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    (folders / "anna" / "a1.wav").write_bytes(b"no audio")
    (folders / "bert" / "b1.lab").unlink()
    out = tmp_path / "out"
    ran = aligned(command, folders, toy_model, out)
    assert ran.code == 1
    assert "bert/b1: skipped: " in ran.err and "expected a transcript beside it" in ran.err
    assert f"a1: {folders / 'anna' / 'a1.wav'}: expected a recording" in ran.err
    assert "2 of 3 utterances aligned" in ran.err and "1 recordings skipped" in ran.err
    assert sorted(str(one.relative_to(out)) for one in out.rglob("*.TextGrid")) == [
        "anna/a2.TextGrid",
        "bert/b2.TextGrid",
    ]
    failed = [row for row in rows(out / "quality.csv") if row["failed"]]
    assert [(row["utterance"], row["recording"]) for row in failed] == [
        ("a1", "anna/a1"),
        ("", "bert/b1"),
    ]


def test_wrong_transcripts_are_the_most_suspicious(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    write(folders / "bert" / "b3", "stop left right", said="go now right go")
    write(folders / "anna" / "a3", "now go stop left", said="write left go right")
    out = tmp_path / "out"
    ran = aligned(command, folders, toy_model, out)
    assert ran.code == 0, ran.err  # nothing failed, and people are told
    table = rows(out / "quality.csv")
    assert {row["utterance"] for row in table[:2]} == {"a3", "b3"}
    assert [row["suspicious"] for row in table] == ["yes", "yes", "no", "no", "no", "no"]
    suspicions = [float(row["suspicion"]) for row in table]
    assert suspicions == sorted(suspicions, reverse=True)
    assert "2 utterances do not sound like their transcripts: " in ran.err
    assert max(float(row["log_likelihood"]) for row in table[:2]) < min(
        float(row["log_likelihood"]) for row in table[2:]
    )


def test_garbage_makes_an_utterance_suspicious(toy_model: Path, folders: Path) -> None:
    write(folders / "anna" / "a3", "now", said="now go stop left go right")
    aligner, corpus = read_aligner(toy_model, read_corpus(folders))
    found = align_corpus(corpus, aligner, tolerance=Tolerance(), jobs=1)
    assert found.quality["a3"].garbage > 0.5
    assert found.quality["a1"].garbage == 0.0
    assert found.suspicious[0] == "a3"


def test_unusually_long_phones_are_named(folders: Path, toy_model: Path) -> None:
    longer = toy.whistle("go left")
    at = round(16000 * (toy.word_starts("go left")[0] + 0.1))
    vowel = np.tile(longer[at : at + 1600], 12)
    path = folders / "anna" / "a9"
    soundfile.write(
        path.with_suffix(".wav"), np.concatenate((longer[:at], vowel, longer[at:])), 16000
    )
    path.with_suffix(".lab").write_text("go left")
    aligner, corpus = read_aligner(toy_model, read_corpus(folders))
    found = align_corpus(corpus, aligner, jobs=1)
    assert found.quality["a9"].outliers[0].label == "OW"
    assert found.quality["a9"].outliers[0].duration > 1.0
    assert not found.quality["a1"].outliers


def test_a_lexicon_is_added_to_the_models(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    write(folders / "anna" / "a1", "go wright nau", said="go right now")
    out = tmp_path / "out"
    ran = aligned(command, folders, toy_model, out, "--no-derive")
    assert ran.code == 1
    assert "expected pronunciations for at least 95 % of the words, found none for 2 of 11" in (
        ran.err
    )
    assert "would be aligned as noise: wright (1), nau (1)" in ran.err
    # The toy model never hears noise, so that only a search without a beam finds a path.
    noisy = "--no-derive", "--max-noise", 30
    ran = aligned(command, folders, toy_model, out, *noisy)
    assert ran.code == 1
    assert "a1: no path through the transcript within the beam" in ran.err
    ran = aligned(command, folders, toy_model, out, *noisy, "--retry-beam", 10_000)
    assert ran.code == 0, ran.err
    assert "2 words outside the lexicon, 18.2 % of all, are noise: wright (1), nau (1)" in ran.err
    added = tmp_path / "mfa.dict"
    added.write_text("WRIGHT 0.9 0.1 1.0 1.0 R AY1 T\nNAU 0.5 0.2 1.1 0.9 N AW\n")
    ran = aligned(command, folders, toy_model, out, "--no-derive", "--add-lexicon", added)
    assert ran.code == 0, ran.err
    assert "0 words outside the lexicon" in ran.err
    found = read_textgrid(out / "anna" / "a1.TextGrid")
    assert [one.label for one in found.phones if one.label != "SIL"] == list(TOY_PHONES)


def test_phones_that_a_model_lacks_are_named_with_near_ones(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    added = tmp_path / "more.dict"
    added.write_text("wright R AYY T\nnau N Q\n")
    ran = aligned(command, folders, toy_model, tmp_path / "out", "--add-lexicon", added)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert f"{added}: expected phones of the model (" in ran.err
    assert "found 2 others: AYY (AY?), Q; the first is in the word 'wright'" in ran.err


def test_vowels_may_carry_stress_digits(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command
) -> None:
    out = tmp_path / "out"
    assert aligned(command, folders, toy_model, out, "--stress").code == 0
    found = read_textgrid(out / "anna" / "a1.TextGrid")
    spoken = [one.label for one in found.phones if one.label != "SIL"]
    assert spoken == ["G", "OW1", "R", "AY1", "T", "N", "AW1"]
    added = tmp_path / "own.dict"
    added.write_text("go G OW2\n")
    ran = aligned(command, folders, toy_model, out, "--stress", "--add-lexicon", added)
    assert ran.code == 0
    found = read_textgrid(out / "anna" / "a1.TextGrid")
    assert [one.label for one in found.phones if one.label != "SIL"][:2] == ["G", "OW2"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--retry-beam", 50, "--tolerant"), "with --tolerant the second attempt has no beam"),
        (("--beam", 0), "beam: expected a number > 0, found 0.0"),
        (("--train", "--add-lexicon", "x"), "--add-lexicon goes with a model"),
        (("--adapt",), "expected an aligner of Gaussian mixtures (--train), found a network"),
        (("--train", "--lexicon", "graphemes", "--stress"), "stress digits: expected the text ru"),
        (("--speaker-characters", 0), "Invalid value for '--speaker-characters'"),
        (("--max-noise", 101), "Invalid value for '--max-noise'"),
    ],
)
def test_wrong_options(
    folders: Path, toy_model: Path, tmp_path: Path, command: Command, options, expected: str
) -> None:
    model = () if "--train" in options else ("--model", toy_model)
    ran = command(
        "recognizer", "align", folders, "--output-dir", tmp_path / "out", *model, *options
    )
    assert ran.code == 2
    assert ran.err.count("\n") == 1 and expected in ran.err


def test_overlapping_utterances_of_one_speaker_have_files_by_utterance_only(
    whistled: Callable[..., Path], toy_model: Path, tmp_path: Path, command: Command
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text(f"rec {whistled('go left now')}\n")
    (data / "segments").write_text("a rec 0.0 1.4\nb rec 0.7 1.9\n")
    (data / "text").write_text("a go left\nb left now\n")
    (data / "utt2spk").write_text("a s\nb s\n")
    out = tmp_path / "out"
    ran = aligned(command, data, toy_model, out)
    assert ran.code == 1
    assert "recording rec: expected utterances of s that do not overlap, found a and b" in ran.err
    assert not out.exists()
    assert aligned(command, data, toy_model, out, "--by", "utterance").code == 0
    assert (out / "a.TextGrid").exists() and (out / "b.TextGrid").exists()


def test_one_recording(
    whistled: Callable[..., Path], toy_model: Path, tmp_path: Path, command: Command
) -> None:
    audio = whistled("go right now")
    found = align_one(audio, "Go right, now!", model=toy_model)
    assert found.utterance == audio.stem
    assert [one.start for one in found.words] == pytest.approx(
        toy.word_starts("go right now"), abs=0.02
    )
    transcript = tmp_path / "said.txt"
    transcript.write_text("go right now")
    for name in ("said.TextGrid", "said.json"):
        ran = command(
            "recognizer", "align-one", audio, transcript, tmp_path / name, "--model", toy_model
        )
        assert ran.code == 0, ran.err
    assert read_textgrid(tmp_path / "said.TextGrid").words == found.words
    made = json.loads((tmp_path / "said.json").read_text())
    assert made["utterances"][0]["suspicion"] < 1.0


def test_beams_of_one_recording(
    whistled: Callable[..., Path], toy_model: Path, tmp_path: Path, command: Command
) -> None:
    """The toy model never hears noise, so that only a wide beam finds a path."""
    audio = whistled("go right now")
    transcript = tmp_path / "said.txt"
    transcript.write_text("go [noise] now")
    arguments = "align-one", audio, transcript, tmp_path / "a.json", "--model", toy_model
    for beams, code in (
        ((), 1),
        (("--retry-beam", 10_000), 0),
        (("--beam", 10_000, "--retry-beam", 0), 0),
    ):
        ran = command("recognizer", *arguments, *beams)
        assert ran.code == code, ran.err
        assert ("no path through the transcript within the beam" in ran.err) == (code == 1)
    with pytest.raises(SpeechError, match="no path through the transcript within the beam"):
        align_one(audio, "go [noise] now", model=toy_model)
    found = align_one(audio, "go [noise] now", model=toy_model, beam=10_000, retry_beam=0)
    assert [one.label for one in found.words] == ["go", "[noise]", "now"]
    with pytest.raises(UsageError, match="expected none beside a tolerance"):
        align_one(audio, "go", model=toy_model, tolerance=Tolerance(), beam=20.0)
    ran = command("recognizer", *arguments, "--tolerant", "--retry-beam", 40)
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_wrong_input_of_one_recording(
    whistled: Callable[..., Path], toy_model: Path, tmp_path: Path, command: Command
) -> None:
    transcript = tmp_path / "said.txt"
    transcript.write_text("go right now")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    with pytest.raises(SpeechError, match=r"broken\.wav: expected a recording"):
        align_one(broken, "go", model=toy_model)
    for arguments, code, expected in (
        ((broken, transcript, tmp_path / "a.TextGrid"), 1, "broken.wav: expected a recording"),
        ((whistled("go"), tmp_path / "no.txt", tmp_path / "a.json"), 1, "no.txt: no such file"),
        ((whistled("go"), transcript, tmp_path / "a.csv"), 2, "ends in .TextGrid or .json"),
        ((whistled("go"), transcript, tmp_path / "no" / "a.json"), 2, "a directory that exists"),
    ):
        ran = command("recognizer", "align-one", *arguments, "--model", toy_model)
        assert (ran.code, ran.err.count("\n")) == (code, 1)
        assert expected in ran.err
    assert not list(tmp_path.glob("a.*"))
