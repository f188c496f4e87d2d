"""The commands with a model that spells: what it has is used, what it lacks is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

import babble
import toy_ctc
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.evaluation.greedy_errors import GreedyEvaluation, evaluate_greedy
from recognizer.model.bundle import ModelBundle
from recognizer.recognizer import Recognizer
from running_server import running

TEXTS = ("go left", "right now go stop")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelBundle, Path]:
    """The toy model, and a data directory."""
    root = tmp_path_factory.mktemp("ctc_commands")
    bundle = toy_ctc.build(root / "model")
    utterances = []
    for index, text in enumerate(TEXTS):
        path = root / f"u{index}.wav"
        soundfile.write(path, toy_ctc.whistle(text), 16000)
        utterances.append(Utterance(path.stem, path, "whistler", text))
    return bundle, babble.write_data(utterances, root / "data")


def test_it_recognises_and_is_evaluated(command, made, tmp_path: Path) -> None:
    bundle, data = made
    ran = command("recognize", "--model", bundle.path, data.parent / "u1.wav")
    assert (ran.code, ran.out.split()) == (0, TEXTS[1].split())
    ran = command("recognizer", "evaluate", data, "--model", bundle.path, "--jobs", "1")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "%WER 0.00 [ 0 / 6, 0 ins, 0 del, 0 sub ] rescored"
    ran = command(
        "recognizer", "evaluate", data, "--model", bundle.path, "--greedy", "--out", tmp_path / "o"
    )
    characters = sum(map(len, TEXTS))
    assert ran.out.splitlines() == [
        f"%CER 0.00 [ 0 / {characters}, 0 ins, 0 del, 0 sub ] greedy",
        "%WER 0.00 [ 0 / 6, 0 ins, 0 del, 0 sub ] greedy",
    ]
    assert (tmp_path / "o" / "hyp.trn").read_text() == (tmp_path / "o" / "ref.trn").read_text()


def test_it_says_that_it_has_no_tree(command, made) -> None:
    bundle, data = made
    ran = command("recognizer", "model", "show", bundle.path)
    assert ran.code == 0
    assert "# no tree, no phones, no transitions: trained with CTC" in ran.out
    assert command("recognizer", "model", "check", bundle.path).code == 0
    found = "found one of kind 'ctc'\n"
    for arguments in (
        ("evaluate", data, "--model", bundle.path, "--phones"),
        ("align", data, "--model", bundle.path, "--output-dir", data.parent / "aligned"),
    ):
        ran = command("recognizer", *arguments)
        assert ran.code in (1, 2) and ran.err.count("\n") == 1
        assert "expected a model of acoustic kind 'hybrid', which has " in ran.err
        assert ran.err.endswith(found)


def test_only_a_network_that_spells_is_greedy(command, made, toy_model: Path) -> None:
    _, data = made
    ran = command("recognizer", "evaluate", data, "--model", toy_model, "--greedy")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "expected a model of acoustic kind 'ctc', which has characters" in ran.err
    for other in ("--phones", "--speakers"):
        ran = command("recognizer", "evaluate", data, "--greedy", other)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert "--greedy" in ran.err


def test_what_cannot_be_read_is_deleted(made, tmp_path: Path) -> None:
    bundle, data = made
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    good = Utterance("good", data.parent / "u0.wav", "whistler", TEXTS[0])
    bad = Utterance("bad", tmp_path / "bad.wav", "whistler", "stop now")
    corpus = read_corpus(babble.write_data([bad, good], tmp_path / "data"))
    found = evaluate_greedy(corpus, bundle.path)
    assert set(found.failed) == {"bad"} and found.words.deletions == 2 == found.words.errors
    assert found.characters.words == len(TEXTS[0]) + len("stop now")


def test_errors_of_characters_and_words() -> None:
    """Of Mandarin both are the same, and spaces between ideographs are none."""
    found = GreedyEvaluation({"a": ("你", "好", "ab", "c")}, {"a": ("你", "们", "ab", "c")}, {})
    assert (found.characters.words, found.characters.errors) == (6, 1)
    assert (found.words.words, found.words.errors) == (4, 1)


def test_it_is_served(made) -> None:
    bundle, data = made
    audio = (data.parent / "u0.wav").read_bytes()
    with running(Recognizer(bundle)) as server:
        answer = server.http.post(
            "/v1/audio/transcriptions", files={"file": ("a.wav", audio)}, data={"model": "spelled"}
        )
    assert answer.json()["text"] == TEXTS[0]
