"""``recognizer lattice``: what it writes, read back."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

import toy
from recognizer import Recognizer
from recognizer.decoding.lattice.kaldi import read_kaldi_lattices
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.lattice.paths import best_path, n_best
from recognizer.decoding.lattice.slf import read_slf

SAID = {"u1": "go left", "u2": "now write", "u3": "stop"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    for name, text in SAID.items():
        soundfile.write(directory / f"{name}.flac", toy.whistle(text), 16000)
    for file, column in (("wav.scp", "{0}.flac"), ("text", "{1}"), ("utt2spk", "s")):
        lines = [f"{name} {column.format(name, text.upper())}\n" for name, text in SAID.items()]
        (directory / file).write_text("".join(lines))
    return directory


@pytest.fixture(scope="module")
def recogniser(toy_model: Path) -> Recognizer:
    return Recognizer(toy_model)


def words_of(lattice: CompactLattice, recogniser: Recognizer) -> list[tuple[str, ...]]:
    return [path.words for path in n_best(lattice, recogniser.search.acoustic_scale)]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_archive_of_kaldi(command, toy_model, recogniser, data, tmp_path, threads):
    out = tmp_path / "lattices"
    options = ["--output-dir", out, "--model", toy_model, "--threads", threads]
    ran = command("recognizer", "lattice", data, *options)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    names = ["lattices.json", "lattices.txt.gz", "words.txt"]
    assert sorted(path.name for path in out.iterdir()) == names
    pairs = [line.split() for line in (out / "words.txt").read_text().splitlines()]
    symbols = tuple(word for word, _ in pairs)
    assert [int(index) for _, index in pairs] == list(range(len(symbols)))
    assert symbols == recogniser.bundle.graph.words
    found = dict(read_kaldi_lattices(out / "lattices.txt.gz", symbols))
    assert list(found) == list(SAID)
    for name, text in SAID.items():
        lattice = found[name]
        assert isinstance(lattice, CompactLattice)
        expected = recogniser.recognize(data / f"{name}.flac").lattice
        assert words_of(lattice, recogniser) == words_of(expected, recogniser)
        assert best_path(lattice, recogniser.search.acoustic_scale).words == tuple(text.split())


def test_slf_of_the_first_pass(command, toy_model, recogniser, data, tmp_path):
    out = tmp_path / "lattices"
    options = ["--output-dir", out, "--model", toy_model, "--format", "slf", "--first-pass"]
    ran = command("recognizer", "lattice", data, *options)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert sorted(path.name for path in out.iterdir()) == [f"{name}.slf.gz" for name in SAID]
    read = read_slf(out / "u2.slf.gz", 0.01)
    assert (read.utterance, read.acoustic_scale) == ("u2", recogniser.search.acoustic_scale)
    assert isinstance(read.lattice, CompactLattice)
    # Only rescoring knows that one writes now.
    assert words_of(read.lattice, recogniser)[:2] == [("now", "right"), ("now", "write")]


def test_audio_that_cannot_be_read_is_reported(command, toy_model, data, tmp_path):
    (data / "u2.flac").write_bytes(b"no audio")
    out = tmp_path / "lattices"
    ran = command("recognizer", "lattice", data, "--output-dir", out, "--model", toy_model)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("recognizer lattice: u2: ")
    assert ran.err.count("\n") == 1
    symbols = Recognizer(toy_model).bundle.graph.words
    assert [name for name, _ in read_kaldi_lattices(out / "lattices.txt.gz", symbols)] == [
        "u1",
        "u3",
    ]


@pytest.mark.parametrize("option", [["--format", "htk"], ["--threads", "0"], ["--model", "none"]])
def test_wrong_use_of_lattice_is_one_line(command, data, tmp_path, option):
    ran = command("recognizer", "lattice", data, "--output-dir", tmp_path / "out", *option)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "out").exists()
