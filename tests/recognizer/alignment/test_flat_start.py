# ruff: noqa: RUF001
from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

import babble
from places import ROOT
from recognizer.alignment.alignment_file import read_paths, write_paths
from recognizer.alignment.flat_start import flat_start
from recognizer.alignment.flat_start_options import FlatStartOptions, PassOptions
from recognizer.alignment.gmm_aligner import FlatStartModel
from recognizer.am.features.fbank import MfccOptions, mfcc
from recognizer.am.hmm.fmllr import FmllrOptions
from recognizer.data.alignments.alignment import Segment
from recognizer.data.alignments.ctm import read_ctm
from recognizer.data.alignments.textgrid import read_textgrid
from recognizer.data.corpora.corpus import Corpus, Utterance, read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.data.text.english.dictionary import english_lexicon

SMALL = FlatStartOptions(
    mono=PassOptions(passes=8, realign=(1, 2, 3, 4, 6), gaussians=60, growing=5),
    triphone=(PassOptions(passes=4, realign=(2,), gaussians=100, growing=3, leaves=50),),
)

Spoken = tuple[list[Utterance], dict[str, list[Segment]]]


@pytest.fixture(scope="module")
def babbled(tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    directory = tmp_path_factory.mktemp("babble")
    rng = np.random.default_rng(7)
    pairs = [babble.utterance(rng, f"u{i:02d}", directory) for i in range(40)]
    return [u for u, _ in pairs], {u.id: segments for u, segments in pairs}


@pytest.fixture(scope="module")
def model(babbled: Spoken) -> FlatStartModel:
    return flat_start(babbled[0], babble.LEXICON, SMALL, jobs=1)


def test_a_flat_start_finds_the_boundaries_of_a_made_up_language(
    babbled: Spoken, model: FlatStartModel
) -> None:
    utterances, truth = babbled
    aligned = model.align(utterances, jobs=2)
    assert not aligned.failed and not aligned.unknown
    assert aligned.frames == sum(map(len, aligned.paths.values()))
    errors, right = [], 0
    for utterance in utterances:
        found = model.segments(utterance, aligned.found[utterance.id])
        assert [s.label for s in found.words] == list(utterance.words)
        expected = truth[utterance.id]
        if [s.label for s in found.phones] == [s.label for s in expected]:
            right += 1  # also each optional silence and each variant of "she"
            errors += [a.end - b.end for a, b in zip(found.phones[:-1], expected, strict=False)]
    assert right >= 36
    assert np.median(np.abs(errors)) <= 0.010


def test_adaptation_makes_a_voice_of_other_colour_likelier(
    babbled: Spoken, model: FlatStartModel, tmp_path: Path
) -> None:
    """The recordings of two speakers; one of them speaks into a dull microphone in a room."""
    chosen, bad = [], np.array([0.5, 0.3, 0.15, 0.05])
    for index, utterance in enumerate(babbled[0][:16]):
        samples = utterance.samples()
        if index % 2:
            samples = np.convolve(samples, bad)[: len(samples)].astype(np.float32)
        path = tmp_path / f"{utterance.id}.wav"
        soundfile.write(path, samples, 16000)
        one = dataclasses.replace(utterance, audio=path, speaker="ab"[index % 2])
        chosen.append(one)
    options = dataclasses.replace(model.options, fmllr=FmllrOptions(min_frames=100))
    adapting = dataclasses.replace(model, options=options)
    plain, adapted = (one.align(chosen, jobs=1) for one in (model, adapting))
    assert not adapted.failed and set(adapted.found) == set(plain.found)
    assert adapted.log_prob > plain.log_prob
    errors = []
    for utterance in chosen:
        found = adapting.segments(utterance, adapted.found[utterance.id]).phones
        expected = babbled[1][utterance.id]
        if [s.label for s in found] == [s.label for s in expected]:
            errors += [a.end - b.end for a, b in zip(found[:-1], expected, strict=False)]
    assert np.median(np.abs(errors)) <= 0.015
    adapting.write(tmp_path / "model")
    assert FlatStartModel.read(tmp_path / "model").options.fmllr == options.fmllr


def test_a_speaker_who_says_little_is_not_adapted_to(
    babbled: Spoken, model: FlatStartModel
) -> None:
    few = babbled[0][:1]
    options = dataclasses.replace(model.options, fmllr=FmllrOptions(min_frames=100_000))
    adapting = dataclasses.replace(model, options=options)
    plain, adapted = (one.align(few, jobs=1) for one in (model, adapting))
    np.testing.assert_array_equal(adapted.paths[few[0].id], plain.paths[few[0].id])


def test_a_saved_model_aligns_alike(babbled: Spoken, model: FlatStartModel, tmp_path: Path) -> None:
    model.write(tmp_path / "model")
    back = FlatStartModel.read(tmp_path / "model")
    assert back.options == model.options
    expected, found = (m.align(babbled[0][:5], jobs=1) for m in (model, back))
    assert found.log_prob == pytest.approx(expected.log_prob, rel=1e-4)
    for key, tids in expected.paths.items():
        assert np.mean(found.paths[key] == tids) > 0.95  # the file holds float32


def test_a_damaged_model_is_named(model: FlatStartModel, tmp_path: Path) -> None:
    model.write(tmp_path)
    whole = (tmp_path / "gmm.safetensors").read_bytes()
    (tmp_path / "gmm.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SpeechError, match=r"gmm\.safetensors"):
        FlatStartModel.read(tmp_path)
    (tmp_path / "gmm.safetensors").write_bytes(whole)
    (tmp_path / "tree.json").unlink()
    with pytest.raises(SpeechError, match=r"tree\.json"):
        FlatStartModel.read(tmp_path)


def test_training_goes_on_where_it_was_broken_off(babbled: Spoken, tmp_path: Path) -> None:
    utterances = babbled[0][:12]
    lines: list[str] = []
    first = flat_start(utterances, babble.LEXICON, SMALL, tmp_path, jobs=1, report=lines.append)
    assert not any("done before" in line for line in lines)
    shutil.rmtree(tmp_path / "tri1")
    lines.clear()
    again = flat_start(utterances, babble.LEXICON, SMALL, tmp_path, jobs=1, report=lines.append)
    assert [line for line in lines if "done before" in line] == ["mono: done before"]
    np.testing.assert_allclose(again.gmm.means, first.gmm.means, atol=1.0)
    lines.clear()
    flat_start(utterances[1:], babble.LEXICON, SMALL, tmp_path, jobs=1, report=lines.append)
    assert not any("done before" in line for line in lines)  # other data


def test_training_is_repeatable(babbled: Spoken, model: FlatStartModel) -> None:
    again = flat_start(babbled[0], babble.LEXICON, SMALL, jobs=2)
    assert again.tree == model.tree
    np.testing.assert_array_equal(again.gmm.means, model.gmm.means)


def test_unknown_words_bad_audio_and_bad_transcripts_are_counted(
    babbled: Spoken, tmp_path: Path
) -> None:
    utterances = list(babbled[0][:12])
    utterances[0] = dataclasses.replace(utterances[0], text=utterances[0].text + " xyzzy")
    utterances[1] = dataclasses.replace(utterances[1], audio=tmp_path / "none.wav")
    utterances[2] = dataclasses.replace(utterances[2], text="sam " * 200)
    utterances[3] = dataclasses.replace(utterances[3], text="")
    lines: list[str] = []
    trained = flat_start(utterances, babble.LEXICON, SMALL, jobs=1, report=lines.append)
    assert any("1 words (1 different) are outside the lexicon" in line for line in lines)
    assert any("u01: not used" in line for line in lines)
    aligned = trained.align(utterances, jobs=1)
    assert aligned.unknown == {"xyzzy": 1}
    assert sorted(aligned.failed) == ["u01", "u02", "u03"]
    assert (
        "frames that the transcript takes" in aligned.failed["u02"]
        and "no words" in aligned.failed["u03"]
    )
    found = trained.segments(utterances[0], aligned.found["u00"])
    assert found.words[-1].label == "xyzzy"
    assert "SPN" in [segment.label for segment in found.phones]


def test_nothing_to_train_on_is_an_error(babbled: Spoken, tmp_path: Path) -> None:
    missing = [dataclasses.replace(u, audio=tmp_path / "none.wav") for u in babbled[0][:2]]
    with pytest.raises(SpeechError, match="at least one utterance"):
        flat_start(missing, babble.LEXICON, SMALL, jobs=1)
    foreign = [dataclasses.replace(u, text="nothing known here") for u in babbled[0][:2]]
    with pytest.raises(SpeechError, match="transcripts of the lexicon's words"):
        flat_start(foreign, babble.LEXICON, SMALL, jobs=1)
    wordless = [dataclasses.replace(u, text="") for u in babbled[0][:2]]
    with pytest.raises(SpeechError, match="transcripts with words, found none"):
        flat_start(wordless, babble.LEXICON, SMALL, jobs=1)


@pytest.mark.parametrize("name", ["passes", "gaussians", "growing", "leaves", "utterances"])
def test_impossible_options_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        dataclasses.replace(SMALL.mono, **{name: -1})


def test_paths_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "set.safetensors"
    paths = {"b": np.array([3, 4, 4], np.int32), "a": np.array([1], np.int32)}
    write_paths(path, paths, {"model": "m"})
    found = read_paths(path)
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["b"], [3, 4, 4])
    with pytest.raises(SpeechError, match="no such file"):
        read_paths(tmp_path / "none")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(SpeechError, match=r"set\.safetensors"):
        read_paths(path)


def test_the_command_trains_aligns_and_uses_what_it_trained(
    babbled: Spoken, tmp_path: Path, command: object
) -> None:
    assert callable(command)
    data = babble.write_data(babbled[0][:15], tmp_path / "data")
    babble.LEXICON.write(tmp_path / "lexicon.txt")
    out = tmp_path / "out"
    ran = command(
        "recognizer", "align", data, "--train", "--lexicon", tmp_path / "lexicon.txt",
        "--output-dir", out, "--jobs", 1,
    )  # fmt: skip
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert "15 of 15 utterances aligned; 0 words outside the lexicon" in ran.err
    written = read_ctm(out / "words.ctm", out / "phones.ctm")
    assert sorted(written) == [u.id for u in babbled[0][:15]]
    grid = read_textgrid(out / "u00.TextGrid")
    assert [s.label for s in grid.words] == [s.label for s in written["u00"].words]
    assert [s.start for s in grid.phones] == pytest.approx(
        [s.start for s in written["u00"].phones], abs=1e-3
    )
    ran = command(
        "recognizer", "align", data, "--model", out / "aligner",
        "--output-dir", tmp_path / "again", "--format", "ctm", "--jobs", 1, "--adapt",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == [
        "phones.ctm",
        "quality.csv",
        "words.ctm",
    ]


def test_the_command_lists_what_failed(babbled: Spoken, tmp_path: Path, command: object) -> None:
    assert callable(command)
    data = babble.write_data(babbled[0][:12], tmp_path / "data")
    (tmp_path / "broken.wav").write_bytes(b"not audio")
    scp = (data / "wav.scp").read_text().splitlines()
    scp[0] = f"u00 {tmp_path / 'broken.wav'}"
    (data / "wav.scp").write_text("\n".join(scp) + "\n")
    babble.LEXICON.write(tmp_path / "lexicon.txt")
    ran = command(
        "recognizer", "align", data, "--train", "--lexicon", tmp_path / "lexicon.txt",
        "--output-dir", tmp_path / "out", "--jobs", 1,
    )  # fmt: skip
    assert ran.code == 1
    assert "11 of 12 utterances aligned" in ran.err
    assert "broken.wav" in ran.err


FRENCH = {
    "sam": "L\u2019été", "shoe": "naïve-là", "me": "cœur", "moose": "GARÇON", "ash": "ÉTÉ",
    "see": "où", "she": "A\u0300",
}  # fmt: skip
RUSSIAN = {
    "sam": "Мир", "shoe": "ёлка", "me": "кто\u2011то", "moose": "объём", "ash": "чай",
    "see": "ЩИ", "she": "и\u0306од",
}  # fmt: skip


@pytest.mark.parametrize("language", [FRENCH, RUSSIAN], ids=["french", "russian"])
def test_the_command_finds_every_word_of_any_script(
    babbled: Spoken, tmp_path: Path, command: object, language: dict[str, str]
) -> None:
    """Transcripts and an MFA dictionary that write letters, accents and signs differently."""
    assert callable(command)
    foreign = [
        dataclasses.replace(u, text=" ".join(language[word] for word in u.words) + ".")
        for u in babbled[0][:12]
    ]
    data = babble.write_data(foreign, tmp_path / "data")
    dictionary = "".join(
        f"{unicodedata.normalize('NFD', language[e.word].lower())}\t0.99\t0.1\t1.0\t1.1\t"
        f"{' '.join(e.phones)}\n"
        for e in babble.LEXICON
    )
    (tmp_path / "mfa.dict").write_text(dictionary, encoding="utf-8")
    out = tmp_path / "out"
    ran = command(
        "recognizer", "align", data, "--train", "--lexicon", tmp_path / "mfa.dict",
        "--text-rules", "unicode", "--output-dir", out, "--jobs", 1,
    )  # fmt: skip
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert "7 words, 6 phones, each entry read as a word, a probability, three numbers" in ran.err
    assert "12 of 12 utterances aligned; 0 words outside the lexicon" in ran.err
    written = read_ctm(out / "words.ctm", out / "phones.ctm")
    for one in foreign:
        plain = one.text.rstrip(".").replace("\u2019", "'").replace("\u2011", "-").lower()
        expected = unicodedata.normalize("NFC", plain).split()
        assert [segment.label for segment in written[one.id].words] == expected
        assert "SPN" not in {segment.label for segment in written[one.id].phones}
        grid = read_textgrid(out / f"{one.id}.TextGrid")
        assert [segment.label for segment in grid.words] == expected
    again = command(
        "recognizer", "align", data, "--model", out / "aligner", "--output-dir", tmp_path / "again",
        "--format", "ctm", "--jobs", 1,
    )  # fmt: skip
    assert "12 of 12 utterances aligned; 0 words outside the lexicon" in again.err
    assert FlatStartModel.read(out / "aligner").text_rules == "unicode"


def test_tags_are_aligned_as_noise_and_are_no_words(babbled: Spoken, model: FlatStartModel) -> None:
    said = babbled[0][0]
    words = said.words
    text = f"<sil> {words[0]} [NOISE] {' '.join(words[1:])} (cough)"
    tagged = dataclasses.replace(said, text=text)
    assert tagged.words == words
    aligned = model.align([tagged], jobs=1)
    assert not aligned.failed and not aligned.unknown
    found = model.segments(tagged, aligned.found[said.id])
    expected = [words[0], "[noise]", *words[1:], "(cough)"]
    assert [segment.label for segment in found.words] == expected
    assert [segment.label for segment in found.phones].count("SPN") == 2
    known = dataclasses.replace(
        model, lexicon=model.lexicon.merged_with(Lexicon([Pronunciation("[noise]", ("S",))]))
    )
    phones = known.segments(tagged, known.align([tagged], jobs=1).found[said.id]).phones
    assert [segment.label for segment in phones].count("SPN") == 1


def test_a_corpus_without_words_is_refused(
    babbled: Spoken, tmp_path: Path, command: object
) -> None:
    """Cyrillic has no letter that the rules of English keep."""
    assert callable(command)
    cyrillic = [dataclasses.replace(u, text="мир") for u in babbled[0][:2]]
    data = babble.write_data(cyrillic, tmp_path / "data")
    ran = command("recognizer", "align", data, "--train", "--output-dir", tmp_path / "out")
    assert ran.code == 1
    assert "expected transcripts with words, found none in any" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train", "--model", "m"], "no --model"),
        (["--lexicon", "l"], "goes with --train"),
        (["--text-rules", "unicode"], "goes with --train"),
        (["--train", "--text-rules", "unicode"], "lexicon: expected a file or 'graphemes'"),
        (["--train", "--text-rules", "latin"], "'latin' is not one of"),
        (["--model", "no-such-model"], "no-such-model"),
    ],
)
def test_the_command_refuses_wrong_use(
    babbled: Spoken, tmp_path: Path, command: object, arguments: list[str], message: str
) -> None:
    assert callable(command)
    data = babble.write_data(babbled[0][:1], tmp_path / "data")
    ran = command("recognizer", "align", data, "--output-dir", tmp_path / "out", *arguments)
    assert ran.code == 2
    assert message in ran.err and len(ran.err.strip().splitlines()) == 1


def test_real_speech_is_louder_than_what_is_aligned_as_silence(corpora: Path) -> None:
    """Read prompts of one speaker: flat start, then look where the aligner hears silence."""
    corpus = read_corpus(corpora / "kathleen" / "train")
    utterances = corpus.utterances[:120]
    options = FlatStartOptions(
        mono=PassOptions(passes=12, realign=(1, 2, 3, 4, 5, 7, 9), gaussians=300, growing=9),
        triphone=(),
    )
    model = flat_start(utterances, english_lexicon(), options, jobs=1)
    aligned = model.align(utterances, jobs=1)
    assert not aligned.failed
    quiet, loud, durations = [], [], []
    for utterance in utterances:
        tids = aligned.paths[utterance.id]
        energy = mfcc(utterance.samples(), MfccOptions())[:, 0]
        silent = model.transitions.phone[tids] == model.phones.optional_silence
        quiet += energy[silent].tolist()
        loud += energy[~silent].tolist()
        durations += [
            s.duration for s in model.segments(utterance, aligned.found[utterance.id]).words
        ]
    assert np.percentile(quiet, 75) < np.percentile(loud, 25)
    assert 0.02 < len(quiet) / (len(quiet) + len(loud)) < 0.3
    assert 0.2 < np.mean(durations) < 0.45 and max(durations) < 2.0


def test_boundaries_of_200_synthesised_sentences(tmp_path: Path) -> None:
    """flite tells where its phones end; the aligner's median error is at most 20 ms."""
    if shutil.which("flite") is None:
        pytest.skip("no flite on the PATH (Debian's package flite)")
    figures = tmp_path / "boundaries.json"
    options = ("--sentences", "200", "--voices", "slt", "--json", str(figures))
    subprocess.run(
        [sys.executable, "-m", "benchmarks.alignment", *options],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    result = json.loads(figures.read_text())
    assert result["sentences"] == 200 and result["failed"] == 0
    assert result["compared"] > 0.9 * result["boundaries"] > 6000
    assert result["median_ms"] <= 20.0


def test_utterances_of_a_corpus_may_be_given_in_any_order(
    babbled: Spoken, model: FlatStartModel
) -> None:
    few = babbled[0][:4]
    forwards = model.align(Corpus("few", tuple(few)).utterances, jobs=1)
    backwards = model.align(few[::-1], jobs=1)
    for utterance in few:
        np.testing.assert_array_equal(forwards.paths[utterance.id], backwards.paths[utterance.id])
