"""The command g2p."""

from __future__ import annotations

from pathlib import Path

import pytest

LEXICON = """a AA
ba B AA
ab AA B
aba AA B AA
bab B AA B
shab SH AA B
sha SH AA
ash AA SH
shaba SH AA B AA
"""


@pytest.fixture
def trained(command, tmp_path: Path) -> Path:
    (tmp_path / "lexicon.txt").write_text(LEXICON)
    model = tmp_path / "model.ngram"
    lexicon = tmp_path / "lexicon.txt"
    ran = command(
        "recognizer", "g2p", "--train", lexicon, "--text-rules", "unicode", "--output", model
    )
    assert ran.code == 0, ran.err
    assert "9 entries aligned; 3 graphones" in ran.err
    return model


def test_train_and_pronounce(command, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("bash\nabsha\n")
    ran = command("recognizer", "g2p", "--model", trained, "BAB", "--words", tmp_path / "words.txt")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        "BAB 1 B AA B",
        "bash 1 B AA SH",
        "absha 1 AA B SH AA",
    ]
    ran = command("recognizer", "g2p", "--model", trained, "bab", "--probabilities", "--count", "5")
    fields = [line.split() for line in ran.out.splitlines()]
    assert fields[0][0] == "bab"
    assert fields[0][2:] == ["B", "AA", "B"]
    assert 0.5 < float(fields[0][1]) <= 1.0
    assert sum(float(one[1]) for one in fields) <= 1.001


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "MODEL", "qab"], 1, "word 'qab': found no pronunciation: the model has no l"),
        (["--model", "MODEL", "..."], 1, "word '...': expected letters or digits, found none"),
        (["--model", "MODEL", "--probabilities", "a b"], 1, "expected one word, found 2"),
        (["--model", "LEXICON", "a"], 1, "lexicon.txt"),
        (["--model", "MODEL"], 2, "expected WORD..., or --words FILE"),
        (["--train", "LEXICON"], 2, "expected --train LEXICON --output FILE without words"),
        (["--train", "LEXICON", "--output", "x.arpa"], 2, "a name that ends in .ngram"),
        (["--train", "MISSING", "--output", "x.ngram"], 1, "missing.txt"),
        (["--train", "BAD", "--output", "x.ngram"], 1, "bad.txt:2: expected a word and its phones"),
        (["--output", "x.ngram", "a"], 2, "--output goes with --train"),
        (["--text-rules", "english", "a"], 2, "a model directory has its own"),
    ],
)
def test_wrong_input(command, trained, tmp_path, monkeypatch, arguments, code, message) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_text("a AA\nb\n")
    names = {"MODEL": trained, "LEXICON": "lexicon.txt", "MISSING": "missing.txt", "BAD": "bad.txt"}
    ran = command("recognizer", "g2p", *(names.get(one, one) for one in arguments))
    assert ran.code == code, ran.err
    assert message in ran.err
    assert len(ran.err.splitlines()) <= (1 if code == 1 else 4)
    assert not Path("x.ngram").exists()
