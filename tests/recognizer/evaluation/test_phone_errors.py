"""Phone error rates of the toy language, whose phones are known to be said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

import toy
from recognizer import read_corpus
from recognizer.data.errors import SpeechError
from recognizer.evaluation.phone_errors import evaluate_phones

SAID = {**toy.WORDS, "raight": "R OW T"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirteen phones, one of which is said otherwise than the dictionary has it."""
    root = tmp_path / "said"
    root.mkdir()
    for name, text in {"good": "go stop", "bad": "raight stop"}.items():
        soundfile.write(root / f"{name}.wav", toy.whistle(text, words=SAID), 16000)
        (root / f"{name}.lab").write_text(text.replace("raight", "right"))
    return root


def test_what_is_heard_otherwise_is_an_error(toy_model: Path, folder: Path) -> None:
    found = evaluate_phones(read_corpus(folder), toy_model, jobs=1)
    assert found.references == {
        "good": ("G", "OW", "S", "T", "AA", "P"),
        "bad": ("R", "AY", "T", "S", "T", "AA", "P"),
    }
    assert found.heard["good"] == found.references["good"]
    assert found.heard["bad"] == ("R", "OW", "T", "S", "T", "AA", "P")
    assert (found.errors.words, found.errors.substitutions, found.errors.errors) == (13, 1, 1)
    assert found.confusions == {("AY", "OW"): 1}


def test_the_command(
    toy_model: Path, folder: Path, tmp_path: Path, command: Callable[..., object]
) -> None:
    (folder / "broken.wav").write_bytes(b"no audio")
    (folder / "broken.lab").write_text("go")
    arguments = "recognizer", "evaluate", folder, "--model", toy_model, "--phones"
    ran = command(*arguments, "--out", tmp_path / "out")
    assert getattr(ran, "code", None) == 1
    assert "recognizer evaluate: broken: " in getattr(ran, "err", "")
    assert getattr(ran, "out", "").splitlines() == [
        "most often heard as another phone: AY as OW (1)",
        "%PER 7.69 [ 1 / 13, 0 ins, 0 del, 1 sub ]",
    ]
    score = command("recognizer", "score", tmp_path / "out" / "ref.trn", tmp_path / "out/hyp.trn")
    assert "%WER 7.69 [ 1 / 13, 0 ins, 0 del, 1 sub ]" in getattr(score, "out", "")
    wrong = command(*arguments, "--speakers")
    assert getattr(wrong, "code", None) == 2


def test_nothing_to_evaluate(toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no audio")
    (tmp_path / "a.lab").write_text("go")
    with pytest.raises(SpeechError, match=r"expected utterances to evaluate, found none: .*a\.wav"):
        evaluate_phones(read_corpus(tmp_path), toy_model, jobs=1)
