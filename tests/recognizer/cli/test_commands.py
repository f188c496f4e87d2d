"""What all sub-commands of ``recognizer`` share."""

from __future__ import annotations

import re

import click
import pytest

from recognizer.cli.main import COMMANDS, recognizer
from recognizer.evaluation.transcript_files import write_trn


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_a_real_example(command, name: str):
    ran = command("recognizer", name, "--help")
    assert ran.code == 0
    assert re.search(rf"^ +recognizer {name} \S", ran.out, flags=re.M)


def test_the_list_has_every_command(command):
    ran = command("recognizer", "--help")
    for name, text in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", ran.out, flags=re.M)
    context = click.Context(recognizer)
    for name in COMMANDS:
        found = recognizer.get_command(context, name)
        assert found is not None
        assert found.name == name


def test_wrong_use(command):
    assert command("recognizer").code == 2
    ran = command("recognizer", "sing")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("recognizer: No such command 'sing'.")
    assert ran.err.count("\n") == 1
    ran = command("recognizer", "score", "only-one")
    assert ran.code == 2
    assert ran.err.startswith("recognizer score: Missing argument 'HYPOTHESIS'.")


def test_score_prints_the_line_of_kaldi(command, tmp_path):
    references = {"a": "one two three", "b": "four five", "c": "six"}
    ref, hyp = tmp_path / "text", tmp_path / "hyp.trn"
    ref.write_text("".join(f"{name} {words}\n" for name, words in references.items()))
    write_trn(hyp, [("a", ["one", "too", "three"]), ("b", ["four", "five", "six"])])
    ran = command("recognizer", "score", ref, hyp)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "%WER 50.00 [ 3 / 6, 1 ins, 1 del, 1 sub ]"
    assert ran.err.count("\n") == 1
    assert "nothing for 1 utterances, the first 'c'" in ran.err
    ran = command("recognizer", "score", "--alignments", ref, hyp)
    assert "ref one two three\nhyp one too three\nop  C   S   C\n" in ran.out


def test_score_reads_segments_and_times(command, tmp_path):
    (tmp_path / "ref.stm").write_text("f A s 0 1 ONE (uh)\nf A s 1 2 { two / 2 }\n")
    (tmp_path / "hyp.ctm").write_text("f A 0.1 0.2 one 0.9\nf A 1.1 0.2 2 0.9\n")
    arguments = ["score", tmp_path / "ref.stm", tmp_path / "hyp.ctm"]
    ran = command("recognizer", *arguments, "--optional-words")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "%WER 0.00 [ 0 / 3, 0 ins, 0 del, 0 sub ]"
    ran = command("recognizer", *arguments, "--case-sensitive", "--alignments")
    assert "s-000 %WER 100.00 [ 2 / 2, 0 ins, 1 del, 1 sub ]\n" in ran.out
    (tmp_path / "ref.stm").rename(tmp_path / "segments.txt")
    arguments[1] = tmp_path / "segments.txt"
    ran = command("recognizer", *arguments, "--reference-format", "stm", "--optional-words")
    assert ran.out.splitlines()[-1] == "%WER 0.00 [ 0 / 3, 0 ins, 0 del, 0 sub ]"


def test_score_refuses_hypotheses_without_reference(command, tmp_path):
    ref, hyp = tmp_path / "ref.trn", tmp_path / "hyp.trn"
    write_trn(ref, [("a", ["one"])])
    write_trn(hyp, [("z", ["one"])])
    ran = command("recognizer", "score", ref, hyp)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"recognizer: {hyp}: utterance 'z' has no reference\n"


def test_an_output_that_cannot_be_is_said_before_the_work(command, toy_model, tmp_path):
    """The data does not exist either, but the output is looked at first."""
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    ran = command("recognizer", "evaluate", tmp_path / "none", "--model", toy_model, "--out", out)
    assert (ran.code, ran.out) == (1, "")
    found = f"{tmp_path / 'file'}, which is a file"
    assert ran.err == f"recognizer: {out}: expected a directory, found {found}\n"


def test_a_closed_standard_input_is_one_line(command, toy_model, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    ran = command("recognize", "--model", toy_model, "-")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "recognize: standard input: expected audio, found it closed\n"


def test_scoring_nothing_is_an_error(command, tmp_path):
    (tmp_path / "empty.trn").write_text("")
    ran = command("recognizer", "score", tmp_path / "empty.trn", tmp_path / "empty.trn")
    assert ran.code == 1
    assert ran.err == f"recognizer: {tmp_path / 'empty.trn'}: expected utterances, found none\n"


def test_score_normalises_both_sides_by_text_rules(command, tmp_path):
    ref, hyp = tmp_path / "text", tmp_path / "hyp.trn"
    ref.write_text(
        "a L\u2019\u00c9T\u00c9, c'est beau! [noise]\nb \u041c\u0438\u0440 <unk>\n",
        encoding="utf-8",
    )
    hyp.write_text(
        "l'e\u0301t\u00e9 { c'est / c\u02bcest / @ } Beau. (a)\n\u043c\u0438\u0440 (b)\n",
        encoding="utf-8",
    )
    ran = command("recognizer", "score", ref, hyp, "--text-rules", "unicode")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "%WER 0.00 [ 0 / 4, 0 ins, 0 del, 0 sub ]"
    assert "%WER 0.00" not in command("recognizer", "score", ref, hyp).out
    ran = command("recognizer", "score", ref, hyp, "--text-rules", "unicode", "--case-sensitive")
    assert ran.code == 2
    assert "text_rules: expected neither case_sensitive nor optional_words" in ran.err
    ref.write_text("a 5\nb x\n")
    ran = command("recognizer", "score", ref, hyp, "--text-rules", "unicode-no-digits")
    assert ran.code == 1
    assert ran.err.startswith(f"recognizer: {ref}:1: expected numbers written out")
