"""``recognizer keywords``: whistled words found with their times, and scored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

import toy
from recognizer.decoding.keywords.index import KeywordIndex
from recognizer.evaluation.transcript_files import write_trn
from recognizer.keywords.detections import COLUMNS

SAID = {"u1": "go left", "u2": "now write", "u3": "stop", "u4": "go stop now"}


def write_data(directory: Path) -> Path:
    directory.mkdir()
    for name, text in SAID.items():
        soundfile.write(directory / f"{name}.flac", toy.whistle(text), 16000)
    lines = [f"{name} {name}.flac\n" for name in SAID]
    (directory / "wav.scp").write_text("".join(lines))
    return directory


def write_reference(path: Path) -> Path:
    with path.open("w") as stream:
        for name, text in SAID.items():
            for word, start in zip(text.split(), toy.word_starts(text), strict=True):
                length = toy.PHONE_SECONDS * len(toy.WORDS[word].split())
                stream.write(f"{name} 1 {start:.2f} {length:.2f} {word.upper()}\n")
    return path


@pytest.fixture(scope="module")
def made(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An index of recordings, lattices, an index of these, and a reference."""
    import sys
    from unittest.mock import patch

    from recognizer.cli import main

    directory = tmp_path_factory.mktemp("keywords")
    data = write_data(directory / "data")
    (data / "text").write_text("".join(f"{name} {text}\n" for name, text in SAID.items()))
    index, lattices = directory / "index", directory / "lattices"
    for arguments in (
        ["keywords", "index", data, "--output", index, "--model", toy_model],
        ["lattice", data, "--output-dir", lattices, "--model", toy_model],
        ["keywords", "index", lattices, "--output", directory / "second"],
    ):
        given = ["recognizer", *map(str, arguments)]
        with patch.object(sys, "argv", given), pytest.raises(SystemExit) as ended:
            main.main()
        assert not ended.value.code
    return {
        "index": index,
        "data": data,
        "lattices": lattices,
        "second": directory / "second",
        "reference": write_reference(directory / "words.ctm"),
    }


def test_words_and_phrases_are_found_where_they_were_said(command, made):
    ran = command("recognizer", "keywords", "search", made["index"], "GO", "stop now", "left go")
    assert (ran.code, ran.err) == (0, "")
    header, *rows = (line.split("\t") for line in ran.out.splitlines())
    assert header == list(COLUMNS)
    found = {(row[0], row[1]): row for row in rows}
    assert set(found) == {("GO", "u1"), ("GO", "u4"), ("stop now", "u4")}
    starts = toy.word_starts(SAID["u4"])
    for row, start in ((found["GO", "u4"], starts[0]), (found["stop now", "u4"], starts[1])):
        assert float(row[3]) == pytest.approx(start, abs=0.05)
        assert float(row[5]) > 0.9
        assert row[7] == "yes"
    end = starts[2] + toy.PHONE_SECONDS * 2
    assert float(found["stop now", "u4"][4]) == pytest.approx(end, abs=0.05)


def test_lattices_on_disk_make_the_same_index(command, made):
    first, second = (KeywordIndex.open(made[name]) for name in ("index", "second"))
    assert second.settings == first.settings
    assert second.symbols == first.symbols
    for name in ("words", "begins", "ends"):
        assert getattr(second.postings, name).tolist() == getattr(first.postings, name).tolist()
    assert second.postings.posteriors == pytest.approx(first.postings.posteriors, abs=1e-6)
    assert [one.id for one in second.utterances] == list(SAID)


def test_all_detections_as_json_from_a_list(command, made, tmp_path):
    (tmp_path / "list").write_text("right\nwrite\n")
    arguments = ["keywords", "search", made["index"], "--list", tmp_path / "list", "--json"]
    few = command("recognizer", *arguments).out.splitlines()
    every = [
        json.loads(line) for line in command("recognizer", *arguments, "--all").out.splitlines()
    ]
    # They sound the same, but only one follows now.
    assert len(few) == sum(one["decision"] for one in every) < len(every)
    likely = max(every, key=lambda one: one["posterior"])
    assert (likely["keyword"], likely["utterance"], likely["recording"]) == ("write", "u2", "u2")


def test_words_that_cannot_be_found_are_told(command, made):
    ran = command("recognizer", "keywords", "search", made["index"], "halt")
    assert ran.code == 0
    assert ran.out.count("\n") == 1
    assert ran.err == (
        "recognizer keywords search: keyword 'halt': 'halt' is not in the index's vocabulary and "
        "cannot be found\n"
    )


def test_term_weighted_values(command, made):
    arguments = ["keywords", "score", made["index"], made["reference"], "go", "stop", "right"]
    ran = command("recognizer", *arguments, "--each")
    assert (ran.code, ran.err) == (0, "")
    assert "| go | 2 | 2 | 0 | 1.0000 |" in ran.out
    assert "| stop | 2 | 2 | 0 | 1.0000 |" in ran.out
    values = json.loads(command("recognizer", *arguments, "--json").out)
    assert (values["atwv"], values["mtwv"], values["stwv"]) == (1.0, 1.0, 1.0)
    assert values["absent"] == ["right"]
    assert values["seconds"] == pytest.approx(
        sum(len(toy.whistle(text)) for text in SAID.values()) / 16000, abs=0.01
    )
    wrong = made["reference"].with_name("wrong.ctm")
    wrong.write_text(made["reference"].read_text().replace("STOP", "LEFT"))
    arguments[3] = wrong
    values = json.loads(command("recognizer", *arguments[:4], "go", "left", "--json").out)
    assert values["atwv"] == pytest.approx((1.0 + 1.0 / 3.0) / 2.0)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["search", "{index}"], 2, "expected keywords or --list FILE, found neither"),
        (["search", "{index}", "..."], 2, "keyword '...': expected at least one word, found none"),
        (["search", "{index}", "go", "--threshold", "2"], 2, "2.0 is not in the range"),
        (["search", "{tmp}/none", "go"], 2, "expected a directory with an index, found none"),
        (["search", "{data}", "go"], 1, "expected an index"),
        (["search", "{index}", "--list", "{tmp}/none"], 1, "no such file"),
        (["score", "{index}", "{tmp}/none", "go"], 1, "no such file"),
        (["score", "{index}", "{reference}", "halt"], 1, "expected one that occurs"),
        (["score", "{index}", "{data}/text", "go"], 1, "text:1: expected utterance, channel"),
        (["score", "{index}", "{foreign}", "go"], 1, "expected recordings of the index"),
        (["index", "{tmp}/none", "--output", "{tmp}/out"], 1, "none"),
        (["index", "{data}", "--output", "{reference}"], 1, "expected a directory"),
        (["index", "{data}", "--output", "{tmp}/out", "--frame-shift", "0.01"], 2, "lattices"),
        (["index", "{lattices}", "--output", "{tmp}/out", "--model", "m"], 2, "holds lattices"),
        (["index", "{bare}", "--output", "{tmp}/out"], 2, "expected lattices.json"),
    ],
)
def test_wrong_use_is_one_line(command, made, tmp_path, arguments, code, message):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("lattices.txt.gz", "words.txt"):
        (bare / name).write_bytes((made["lattices"] / name).read_bytes())
    (tmp_path / "foreign").write_text("elsewhere 1 0.0 0.1 go\n")
    places = {**made, "tmp": tmp_path, "bare": bare, "foreign": tmp_path / "foreign"}
    ran = command("recognizer", "keywords", *(one.format(**places) for one in arguments))
    said = [line for line in ran.err.splitlines() if "vocabulary" not in line]
    assert (ran.code, len(said)) == (code, 1), ran.err
    assert message in said[0]
    assert not (tmp_path / "out").exists()


def test_a_recording_that_cannot_be_read_is_reported(command, toy_model, tmp_path):
    data = write_data(tmp_path / "data")
    (data / "u2.flac").write_bytes(b"no audio")
    out = tmp_path / "index"
    ran = command("recognizer", "keywords", "index", data, "--output", out, "--model", toy_model)
    assert ran.code == 1
    assert ran.err.startswith("recognizer keywords index: u2: ")
    assert ran.err.count("\n") == 1
    assert [one.id for one in KeywordIndex.open(out).utterances] == ["u1", "u3", "u4"]


def test_systems_are_combined_and_scored(command, made, toy_model, tmp_path):
    slf, out = tmp_path / "slf", tmp_path / "out"
    options = ["--output-dir", slf, "--model", toy_model, "--format", "slf", "--first-pass"]
    assert command("recognizer", "lattice", made["data"], *options).code == 0
    (slf / "u3.slf.gz").unlink()
    write_trn(tmp_path / "ref.trn", [(name, text.split()) for name, text in SAID.items()])
    arguments = ["combine", made["lattices"], slf, "--output-dir", out]
    ran = command("recognizer", *arguments, "--reference", tmp_path / "ref.trn")
    assert ran.code == 0
    assert ran.err == (
        f"recognizer combine: {slf}: no lattice of 1 utterances, the first 'u3': the others decide "
        "there\n"
    )
    # The second system has only the first pass, which does not know that one writes now.
    rows = [[cell.strip() for cell in line.split("|")] for line in ran.out.splitlines()]
    rates = {row[1]: row[4] for row in rows if len(row) > 8}
    assert rates[str(made["lattices"])] == "0.00"
    assert float(rates[str(slf)]) > 0.0
    assert f"| {slf} | -" in ran.out
    assert (out / "text").read_text().startswith("u1 go left\n")
    first = (out / "words.ctm").read_text().split("\n")[0].split()
    assert (first[0], first[4]) == ("u1", "go")
    assert float(first[2]) == pytest.approx(toy.word_starts(SAID["u1"])[0], abs=0.5)
    assert 0.0 < float(first[5]) <= 1.0
    alone = tmp_path / "alone"
    weighted = ["combine", made["lattices"], slf, "--output-dir", alone, "--weights", "1,1e-9"]
    ran = command("recognizer", *weighted)
    assert (ran.code, ran.out) == (0, "4 utterances, 8 words\n")
    assert (alone / "text").read_text() == "".join(f"{n} {t}\n" for n, t in SAID.items())
    starts = toy.word_starts(SAID["u4"])
    times = [line.split()[2] for line in (alone / "words.ctm").read_text().splitlines()[-3:]]
    assert [float(time) for time in times] == pytest.approx(starts, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing argument 'LATTICES...'"),
        (["{lattices}", "--weights", "1,2"], 2, "expected 1 weights, found 2"),
        (["{lattices}", "--weights", "0"], 2, "expected finite weights above 0"),
        (["{lattices}", "--weights", "x"], 2, "expected numbers separated by commas"),
        (["{lattices}", "--acoustic-scales", "1,1"], 2, "expected 1 finite numbers above 0"),
        (["{lattices}", "--text-rules", "english"], 2, "goes with --reference"),
        (["{data}"], 2, "expected a directory with lattices.txt.gz and words.txt"),
        (["{lattices}", "--reference", "{tmp}/none"], 1, "no such file"),
        (["{lattices}", "--reference", "{few}"], 1, "has no reference"),
        (["{damaged}"], 1, "lattices.json: expected a field 'frame_shift', found none"),
    ],
)
def test_wrong_use_of_combine_is_one_line(command, made, tmp_path, arguments, code, message):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in made["lattices"].iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    text = (damaged / "lattices.json").read_text().replace("frame_shift", "shift")
    (damaged / "lattices.json").write_text(text)
    (tmp_path / "few.trn").write_text("go left (u1)\n")
    places = {**made, "tmp": tmp_path, "damaged": damaged, "few": tmp_path / "few.trn"}
    given = [one.format(**places) for one in arguments]
    ran = command("recognizer", "combine", *given, "--output-dir", tmp_path / "out")
    assert (ran.code, ran.err.count("\n")) == (code, 1), ran.err
    assert message in ran.err
    assert not (tmp_path / "out").exists()


def test_long_recordings_are_indexed_in_segments(command, toy_model, tmp_path):
    """The words have the times of the recording, and none comes twice or is lost at a cut."""
    text = " ".join(["go left", "stop", "now write"] * 30)
    assert len(toy.whistle(text)) > 60.0 * 16000
    (tmp_path / "data").mkdir()
    soundfile.write(tmp_path / "data" / "long.flac", toy.whistle(text), 16000)
    (tmp_path / "data" / "wav.scp").write_text("long long.flac\n")
    arguments = ["--output", tmp_path / "index", "--model", toy_model]
    ran = command("recognizer", "keywords", "index", tmp_path / "data", *arguments)
    assert (ran.code, ran.err) == (0, "")
    for keyword in ("stop", "go left"):
        ran = command("recognizer", "keywords", "search", tmp_path / "index", keyword)
        found = sorted(float(line.split("\t")[3]) for line in ran.out.splitlines()[1:])
        starts = zip(text.split(), toy.word_starts(text), strict=True)
        expected = [start for word, start in starts if word == keyword.split()[0]]
        if keyword == "stop":
            assert found == pytest.approx(expected, abs=0.05)
        else:  # a segment may end between the words of a phrase
            assert len(found) >= len(expected) - 8
            assert all(min(abs(one - start) for start in expected) < 0.05 for one in found)


def test_a_folder_of_recordings_whose_names_have_spaces(command, toy_model, tmp_path):
    folder, index = tmp_path / "talks" / "first day", tmp_path / "index"
    folder.mkdir(parents=True)
    soundfile.write(folder / "one two.flac", toy.whistle("go stop"), 16000)
    arguments = ["--output", index, "--model", toy_model]
    ran = command("recognizer", "keywords", "index", tmp_path / "talks", *arguments)
    assert (ran.code, ran.err) == (0, "")
    (_, row) = command("recognizer", "keywords", "search", index, "stop").out.splitlines()
    recording = row.split("\t")[2]
    assert recording.endswith("one two")
    start, name = toy.word_starts("go stop")[1], "_".join(recording.split())
    (tmp_path / "words.ctm").write_text(f"{name} 1 {start} 0.4 stop\n")
    ran = command("recognizer", "keywords", "score", index, tmp_path / "words.ctm", "stop")
    assert (ran.code, ran.err) == (0, "")
    assert "| 1 | 0 | 0.00 | 1.0000 | 1.0000 |" in ran.out
