"""Recipes that are written for the speech in some directories."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from commands_run import Ran
from recognizer.alignment.flat_start_options import FlatStartOptions
from recognizer.data.alignments.alignment import Segment
from recognizer.data.alignments.textgrid import write_grid_tiers
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.pipelines.recipe import Recipe, read_recipe
from recognizer.pipelines.recipe_init.sizes import RecipeSizes
from recognizer.pipelines.recipe_init.survey import survey
from recognizer.pipelines.recipe_init.writing import InitOptions, write_recipe

SPEAKERS, EACH = 6, 2
SENTENCES = ["wir gehen", "das haus", "eins", "zwei", "ein tag", "nacht", "vier", "am see"]


def said(speaker: int, number: int) -> str:
    return SENTENCES[(speaker * EACH + number) % len(SENTENCES)]


def sound(path: Path, seconds: float = 0.2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(16000 * seconds), np.float32), 16000)
    return path


def kaldi(root: Path, speakers: int = SPEAKERS, each: int = EACH) -> Path:
    lines: dict[str, list[str]] = {"wav.scp": [], "text": [], "utt2spk": []}
    for speaker in range(speakers):
        for number in range(each):
            name = f"s{speaker}-{number}"
            sound(root / f"{name}.wav")
            lines["wav.scp"].append(f"{name} {name}.wav")
            lines["text"].append(f"{name} {said(speaker, number).upper()}")
            lines["utt2spk"].append(f"{name} s{speaker}")
    for file, some in lines.items():
        (root / file).write_text("".join(f"{line}\n" for line in some))
    return root


def mfa(root: Path) -> Path:
    """Folders of speakers with .lab, one of them with white space; a long recording of two more."""
    for speaker in range(SPEAKERS):
        for number in range(EACH):
            audio = sound(root / f"speaker {speaker}" / f"take {speaker}{number}.wav")
            audio.with_suffix(".lab").write_text(said(speaker, number))
    sound(root / "talk.wav", 1.0)
    tiers = {
        name: (Segment("eins", start, start + 0.2), Segment("zwei", start + 0.3, start + 0.5))
        for name, start in (("anna", 0.0), ("otto", 0.5))
    }
    write_grid_tiers(tiers, root / "talk.TextGrid", "test")
    return root


def lhotse(root: Path) -> Path:
    recordings, supervisions = [], []
    for speaker in range(SPEAKERS):
        for number in range(EACH):
            name = f"s{speaker}-{number}"
            sound(root / f"{name}.wav")
            source = {"type": "file", "channels": [0], "source": f"{name}.wav"}
            recordings.append(
                {
                    "id": name,
                    "sources": [source],
                    "sampling_rate": 16000,
                    "num_samples": 3200,
                    "duration": 0.2,
                    "channel_ids": [0],
                }
            )
            supervisions.append(
                {
                    "id": name,
                    "recording_id": name,
                    "start": 0,
                    "duration": 0.2,
                    "channel": 0,
                    "text": said(speaker, number),
                    "speaker": f"s{speaker}",
                }
            )
    for file, some in (("recordings", recordings), ("supervisions", supervisions)):
        (root / f"{file}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in some))
    return root


def checked(path: Path, corpora: Path) -> Recipe:
    """The recipe, after all checks that come before its first stage."""
    from recognizer.pipelines.recipe_stages import recipe_stages

    recipe = read_recipe(str(path))
    for stage in recipe_stages(recipe, corpora, path.parent / "work"):
        stage.check()
    return recipe


@pytest.mark.parametrize("layout", [kaldi, mfa, lhotse])
def test_a_recipe_passes_all_checks(
    layout: Callable[[Path], Path], tmp_path: Path, command: Callable[..., Ran]
) -> None:
    pytest.importorskip("torch", reason="checks of networks need torch")
    data, output = layout(tmp_path / "speech"), tmp_path / "exp" / "mine"
    ran = command(
        "recognizer", "recipe", "init", data, "--language", "de", "--output", output,
        "--corpora", tmp_path,
    )  # fmt: skip
    assert (ran.code, ran.out) == (0, f"{output / 'recipe.toml'}\n"), ran.err
    assert f"--corpora {tmp_path} --work {output / 'work'}" in ran.err
    recipe = checked(output / "recipe.toml", tmp_path)
    assert (recipe.name, recipe.language, recipe.rules) == ("speech", "de", "unicode")
    assert recipe.lexicon == "graphemes"
    (training,), (dev,) = recipe.training, recipe.tuning.data
    assert (training.data, dev) == ("exp/mine/speech/train", "exp/mine/speech/dev")
    parts = [read_corpus(tmp_path / name) for name in (training.data, dev)]
    assert sum(map(len, parts)) == len(read_corpus(data))
    assert not set(parts[0].speakers) & set(parts[1].speakers)
    measured = {utterance.text.lower() for utterance in parts[1]}
    assert measured
    assert recipe.lm.text == ("exp/mine/transcripts.txt",)
    lines = (output / "transcripts.txt").read_text().splitlines()
    assert lines and not measured.intersection(lines)
    sizes = RecipeSizes.of(sum(u.duration for u in parts[0]) / 3600, len(parts[0]))
    assert recipe.acoustic.tree.num_leaves == sizes.leaves
    assert recipe.acoustic.network.cells == sizes.cells
    assert recipe.acoustic.training.epochs == sizes.epochs
    assert [one.gaussians for one in recipe.flat_start.triphone] == [
        one.gaussians for one in sizes.triphones
    ]


def test_with_one_speaker_sentences_are_held_out(tmp_path: Path) -> None:
    data = kaldi(tmp_path / "speech", speakers=1, each=24)  # every sentence three times
    found = survey([data], [], "unicode")
    (one,) = found.sets
    assert found.by_sentence
    training, dev = ({u.words for u in part} for part in (one.training, one.held_out))
    assert training and dev and not training & dev
    assert len(one.held_out) == 3
    assert found.shared == 0


def test_a_named_development_set_leaves_the_data_as_they_are(tmp_path: Path) -> None:
    data, dev = kaldi(tmp_path / "speech"), kaldi(tmp_path / "dev", speakers=1)
    options = InitOptions((data,), "de", "mine", tmp_path / "out", tmp_path, dev=(dev,))
    found = write_recipe(options).survey
    recipe = checked(tmp_path / "out" / "recipe.toml", tmp_path)
    assert [one.data for one in recipe.training] == ["speech"]
    assert recipe.tuning.data == ("dev",)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "recipe.toml",
        "transcripts.txt",
    ]
    assert found.shared == 2
    assert "wir gehen" not in found.sentences


def test_text_beside_transcripts(tmp_path: Path) -> None:
    data, text = kaldi(tmp_path / "speech"), tmp_path / "news [1].txt"
    options = InitOptions((data,), "de", "mine", tmp_path / "a", tmp_path, text=(text,))
    text.write_text("ein satz\n")
    write_recipe(options)
    pooled = checked(tmp_path / "a" / "recipe.toml", tmp_path)
    assert pooled.lm.text == ("a/transcripts.txt", "news [[]1].txt")
    assert (pooled.lm.mixed, pooled.lm.order, pooled.lm.min_count) == ((), 3, 1)
    text.write_text("ein langer satz\n" * 100)
    write_recipe(replace(options, output=tmp_path / "b"))
    mixed = checked(tmp_path / "b" / "recipe.toml", tmp_path)
    assert mixed.lm.text == ("news [[]1].txt",)
    assert [one.text for one in mixed.lm.mixed] == [("b/transcripts.txt",)]


def test_lexicons(tmp_path: Path) -> None:
    data = kaldi(tmp_path / "speech")
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("".join(f"{word} A B\n" for one in SENTENCES for word in one.split()))
    options = InitOptions((data,), "en-GB", "mine", tmp_path / "a", tmp_path)
    write_recipe(replace(options, lexicon="english"))
    english = checked(tmp_path / "a" / "recipe.toml", tmp_path)
    assert (english.lexicon, english.rules) == (None, "english")
    write_recipe(replace(options, output=tmp_path / "b", lexicon=str(lexicon)))
    own = checked(tmp_path / "b" / "recipe.toml", tmp_path)
    assert (own.lexicon, own.rules) == ("lexicon.txt", "english")
    with pytest.raises(UsageError, match=r"lexicon: expected a file or 'graphemes' for .* de"):
        replace(options, language="de", lexicon="english")
    with pytest.raises(SpeechError, match=r"none\.txt"):
        write_recipe(replace(options, output=tmp_path / "c", lexicon=str(tmp_path / "none.txt")))
    assert not (tmp_path / "c").exists()


def test_what_cannot_be_written(tmp_path: Path, command: Callable[..., Ran]) -> None:
    data = kaldi(tmp_path / "speech")
    init = ("recognizer", "recipe", "init")
    for arguments, code, expected in (
        ((data,), 2, "Missing --language"),
        ((), 2, "Missing DATA"),
        ((data, "--language", "the German one"), 2, "language: expected a tag such as de"),
        ((data, data, "--language", "de"), 2, "expected each directory once"),
        ((tmp_path / "none", "--language", "de"), 1, "no such file or directory"),
    ):
        ran = command(*init, *arguments, "--output", tmp_path / "out")
        assert (ran.code, ran.err.count("\n")) == (code, 1), ran.err
        assert expected in ran.err
        assert not (tmp_path / "out").exists()
    assert command(*init, data, "--language", "de", "--output", tmp_path / "out").code == 0
    ran = command(*init, data, "--language", "de", "--output", tmp_path / "out")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "expected no recipe there, found one" in ran.err


def test_nothing_to_hold_out_or_to_learn_from(tmp_path: Path) -> None:
    data = kaldi(tmp_path / "speech", speakers=1, each=1)
    with pytest.raises(SpeechError, match="expected speech of several speakers or sentences"):
        survey([data], [], "unicode")
    options = InitOptions((data,), "de", "mine", tmp_path / "out", dev=(data,))
    with pytest.raises(SpeechError, match=r"in no development set, found none: .* --text"):
        write_recipe(options)


def test_a_terminal_is_asked_for_what_is_missing(
    tmp_path: Path, command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, output = kaldi(tmp_path / "speech"), tmp_path / "out"
    answers = {"Directories": str(data), "Language": "de", "Directory": str(output)}

    def prompt(question: str, default: str | None = None, err: bool = False) -> str:
        return answers.get(question.split()[0], default or "")

    monkeypatch.setattr(click, "prompt", prompt)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    ran = command("recognizer", "recipe", "init")
    assert ran.code == 0, ran.err
    assert read_recipe(str(output / "recipe.toml")).name == "speech"


def test_sizes_go_through_what_shipped_recipes_use() -> None:
    shipped = read_recipe("mini_librispeech")
    sizes = RecipeSizes.of(10.5, 5000)
    assert sizes.leaves == shipped.acoustic.tree.num_leaves
    network = shipped.acoustic.network
    assert (sizes.layers, sizes.cells, sizes.projection) == (
        network.layers, network.cells, network.projection,
    )  # fmt: skip
    training = shipped.acoustic.training
    assert sizes.epochs == round(training.max_frames / (10.5 * 360_000)) == 15
    assert sizes.streams == training.streams
    usual, flat = FlatStartOptions(), RecipeSizes.of(5.6, 1600)
    assert flat.monophones.gaussians == usual.mono.gaussians
    assert [(one.gaussians, one.leaves) for one in flat.triphones] == [
        (one.gaussians, one.leaves) for one in usual.triphone
    ]
    assert 280 <= RecipeSizes.of(0.5, 600).leaves <= 330  # docs/results/experiments.md


@given(st.floats(0.01, 5000), st.floats(1, 3))
def test_more_speech_makes_larger_models_and_fewer_passes(hours: float, times: float) -> None:
    few, many = RecipeSizes.of(hours, 1000), RecipeSizes.of(hours * times, round(1000 * times))
    assert few.leaves <= many.leaves
    assert few.layers * few.cells * few.projection <= many.layers * many.cells * many.projection
    assert few.epochs >= many.epochs
    assert few.streams <= many.streams
    assert few.held_out_fraction >= many.held_out_fraction
    for one, other in zip(few.triphones, many.triphones, strict=True):
        assert one.gaussians <= other.gaussians
        assert one.leaves <= other.leaves < other.gaussians
