"""Comparing two systems: exact tables, speakers, and what does not go together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recognizer.data.errors import SpeechError
from recognizer.evaluation.compare import SystemErrors, compare
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.transcript_files import write_trn


def system(name: str, errors: list[int]) -> SystemErrors:
    utterances = tuple(f"u{number:03d}" for number in range(len(errors)))
    return SystemErrors(name, utterances, tuple(ErrorCounts(10, 0, 0, count) for count in errors))


def test_a_gain_of_one_speaker_is_sure_over_utterances_and_not_over_speakers():
    generator = np.random.default_rng(4)
    before = generator.integers(1, 4, size=120)
    gain = np.where(np.arange(120) < 40, 1, 0)
    speakers = {f"u{number:03d}": f"s{number // 40}" for number in range(120)}
    found = compare(system("a", before.tolist()), system("b", (before - gain).tolist()), speakers)
    assert found.over_utterances.units == 120
    assert found.over_utterances.difference == pytest.approx(-100 * 40 / 1200)
    assert found.over_utterances.high < 0
    assert found.over_utterances.improvement_probability == 1.0
    assert found.over_speakers is not None
    assert found.over_speakers.units == 3
    assert found.over_speakers.difference == found.over_utterances.difference
    # The speaker with the gain is in no sample of three with probability (2/3)^3.
    assert found.over_speakers.improvement_probability == pytest.approx(1 - 8 / 27, abs=0.02)
    assert found.over_speakers.high == 0.0


def test_one_speaker_or_none_has_no_bootstrap_over_speakers():
    one, other = system("a", [1, 2]), system("b", [2, 1])
    assert compare(one, other).over_speakers is None
    assert compare(one, other, {"u000": "s", "u001": "s"}).over_speakers is None
    with pytest.raises(SpeechError, match="utterance 'u001': expected a speaker, found none"):
        compare(one, other, {"u000": "s"})


def test_other_utterances_are_refused():
    with pytest.raises(SpeechError, match=r"b: expected the utterances of a, found no 'u001' \(2"):
        compare(system("a", [1, 2, 3]), system("b", [1]))


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, Path]:
    """Directories as ``recognizer evaluate --out`` writes them."""
    words = {"u1": ["one", "two"], "u2": ["three"], "u3": ["four", "five", "six"]}
    for name, right in (("a", {"u2"}), ("b", {"u1", "u2"})):
        directory = tmp_path / name
        directory.mkdir()
        write_trn(directory / "ref.trn", words.items())
        heard = {u: said if u in right else ["x", *said[1:]] for u, said in words.items()}
        write_trn(directory / "hyp.trn", heard.items())
        (directory / "utt2spk").write_text("u1 ann\nu2 bob\nu3 bob\n")
    return tmp_path / "a", tmp_path / "b"


def test_the_command_prints_tables(command, results):
    ran = command("recognizer", "compare", *results)
    assert (ran.code, ran.err) == (0, "")
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in ran.out.splitlines()]
    assert rows[2][:4] == [str(results[0]), "3", "6", "33.33"]
    assert rows[3][:4] == [str(results[1]), "3", "6", "16.67"]
    assert rows[5] == ["bootstrap over", "number", "difference", "95 %", "second is better"]
    assert rows[7][:3] == ["utterances", "3", "-16.67"]
    assert rows[8][:3] == ["speakers", "2", "-16.67"]
    # u1 is in no sample of three with probability (2/3)^3; ann in no sample of two with 1/4.
    assert float(rows[7][4]) == pytest.approx(1 - 8 / 27, abs=0.02)
    assert float(rows[8][4]) == pytest.approx(3 / 4, abs=0.02)


def test_a_system_does_not_differ_from_itself(command, results):
    ran = command("recognizer", "compare", results[0], results[0])
    rows = ran.out.splitlines()
    assert rows[2] == rows[3]
    assert rows[2].startswith(f"| {results[0]} | 3 | 6 | 33.33 |")
    assert rows[7] == "| utterances | 3 | +0.00 | +0.00 to +0.00 | 0.0000 |"


def test_files_with_a_reference_as_json(command, results):
    one, other = (directory / "hyp.trn" for directory in results)
    reference = results[0] / "ref.trn"
    ran = command("recognizer", "compare", one, other, "--reference", reference, "--json")
    found = json.loads(ran.out)
    assert [round(system["wer"], 2) for system in found["systems"]] == [33.33, 16.67]
    assert [system["substitutions"] for system in found["systems"]] == [2, 1]
    assert found["over_utterances"]["difference"] == pytest.approx(-16.6667)
    assert "over_speakers" not in found
    arguments = [one, other, "--reference", reference, "--utt2spk", results[0] / "utt2spk"]
    found = json.loads(command("recognizer", "compare", *arguments, "--json").out)
    assert found["over_speakers"]["units"] == 2


def test_ctm_files_against_segments_know_the_speakers(command, tmp_path):
    (tmp_path / "ref.stm").write_text("f 1 ann 0 1 one\nf 1 bob 1 2 two\n")
    (tmp_path / "a.ctm").write_text("f 1 0 0.5 x\nf 1 1.5 0.1 two\n")
    (tmp_path / "b.ctm").write_text("f 1 0 0.5 one\nf 1 1.5 0.1 two\n")
    arguments = [tmp_path / "a.ctm", tmp_path / "b.ctm", "--reference", tmp_path / "ref.stm"]
    found = json.loads(command("recognizer", "compare", *arguments, "--json").out)
    assert found["over_speakers"]["units"] == 2
    assert found["over_speakers"]["difference"] == -50.0


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        ("option", 2, "--case-sensitive and --optional-words go with --reference"),
        ("file", 2, "ref.trn: expected a directory that recognizer evaluate --out wrote, found a"),
        ("missing", 1, "hyp.trn: no such file"),
        ("fewer", 1, "hyp.trn: nothing for 1 utterances of the reference, the first 'u1'"),
        ("reference", 1, "expected the reference of"),
        ("speakers", 1, "utt2spk:1: expected utterance and speaker, found 'u1'"),
    ],
)
def test_faults_are_one_line(command, results, spoil, code, message):
    one, other = results
    arguments = []
    if spoil == "option":
        arguments = ["--optional-words"]
    elif spoil == "file":
        one = one / "ref.trn"
    elif spoil == "missing":
        (other / "hyp.trn").unlink()
    elif spoil == "fewer":
        write_trn(other / "hyp.trn", [("u2", ["a"]), ("u3", ["b"])])
    elif spoil == "reference":
        write_trn(other / "ref.trn", [("u1", ["a"]), ("u2", ["three"]), ("u3", ["b"])])
    elif spoil == "speakers":
        (one / "utt2spk").write_text("u1\n")
    ran = command("recognizer", "compare", one, other, *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1
