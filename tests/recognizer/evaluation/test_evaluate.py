"""Evaluation: exact rates on the toy model, its files, and what goes wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.evaluation import evaluate as module
from recognizer.evaluation.evaluate import each_utterance, evaluate
from recognizer.evaluation.transcript_files import read_trn


def test_the_last_lines_are_the_rates_of_both_passes(command, toy_model, whistled_set):
    ran = command("recognizer", "evaluate", whistled_set, "--model", toy_model)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-2:] == [
        "%WER 45.45 [ 5 / 11, 1 ins, 1 del, 3 sub ] first-pass",
        "%WER 36.36 [ 4 / 11, 1 ins, 1 del, 2 sub ] rescored",
    ]


def test_the_output_directory(command, toy_model, whistled_set, tmp_path):
    out = tmp_path / "exp" / "toyset"
    command("recognizer", "evaluate", whistled_set, "--model", toy_model, "--out", out)
    result = json.loads((out / "result.json").read_text())
    assert result["data"] == str(whistled_set)
    assert result["model"] == "whistled"
    assert (result["utterances"], result["failed"]) == (6, 0)
    assert result["wer"] == pytest.approx(100 * 4 / 11, abs=1e-3)
    assert result["wer_low"] < result["wer"] < result["wer_high"]
    counts = [result[name] for name in ("errors", "words", "insertions", "deletions")]
    assert counts == [4, 11, 1, 1]
    assert result["first_pass"]["errors"] == 5
    assert 0 < result["improvement_probability"] < 1
    assert result["rtf"] > 0
    # The factor is rounded to four decimals, which for so fast a toy is a few percent.
    assert result["frames_per_second"] == pytest.approx(100 / result["rtf"], rel=0.1)
    assert read_trn(out / "hyp.trn")["u4"] == ("now", "write")
    assert read_trn(out / "hyp-first-pass.trn")["u4"] == ("now", "right")
    assert read_trn(out / "ref.trn")["u4"] == ("now", "write")
    ran = command("recognizer", "score", out / "ref.trn", out / "hyp.trn")
    assert ran.out.splitlines()[-1] == "%WER 36.36 [ 4 / 11, 1 ins, 1 del, 2 sub ]"
    alignments = (out / "alignments.txt").read_text()
    assert "u5 %WER 50.00 [ 1 / 2, 0 ins, 0 del, 1 sub ]\nref right stop\n" in alignments


def test_manifests_of_lhotse_are_a_test_set_too(command, toy_model, whistled_set, tmp_path):
    """The same recordings behind manifests, found from another working directory."""
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    recordings, supervisions = [], []
    for name, (said, claimed) in toy.SAID.items():
        duration = len(toy.whistle(said)) / 16000
        path = str(whistled_set / f"{name}.flac")
        sources = [{"type": "file", "channels": [0], "source": path}]
        recordings.append({"id": f"r-{name}", "sources": sources, "duration": duration})
        supervision = {"id": name, "recording_id": f"r-{name}", "start": 0.0, "channel": 0}
        supervisions.append({**supervision, "duration": duration, "text": claimed})
    for name, values in (("recordings", recordings), ("supervisions", supervisions)):
        lines = "".join(f"{json.dumps(value)}\n" for value in values)
        (manifests / f"{name}.jsonl").write_text(lines)
    ran = command("recognizer", "evaluate", manifests, "--model", toy_model)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "%WER 36.36 [ 4 / 11, 1 ins, 1 del, 2 sub ] rescored"
    options = ["--model", toy_model, "--output-dir", tmp_path / "ali"]
    ran = command("recognizer", "align", manifests / "supervisions.jsonl", *options)
    assert (tmp_path / "ali" / "r-u2.TextGrid").exists()


def test_processes_give_what_one_gives(toy_model, whistled_set):
    corpus = read_corpus(whistled_set)
    told: list[str] = []
    alone = evaluate(corpus, toy_model, progress=lambda score: told.append(score.utterance))
    assert told == list(toy.SAID)
    several = evaluate(corpus, toy_model, jobs=2)
    assert [s.rescored for s in several.scores] == [s.rescored for s in alone.scores]
    assert several.first_pass == alone.first_pass


def test_lists_that_differ_are_one_line_and_exit_1(command, toy_model, whistled_set):
    with (whistled_set / "text").open("a") as stream:
        stream.write("u9 GO\n")
    ran = command("recognizer", "evaluate", whistled_set, "--model", toy_model)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert "u9" in ran.err


def test_audio_that_cannot_be_read_counts_as_deleted(command, toy_model, whistled_set):
    soundfile.write(whistled_set / "u1.flac", np.zeros(0), 16000)
    ran = command("recognizer", "evaluate", whistled_set, "--model", toy_model)
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == "%WER 54.55 [ 6 / 11, 1 ins, 3 del, 2 sub ] rescored"
    first, last = ran.err.splitlines()
    assert first.startswith(f"recognizer evaluate: u1: {whistled_set / 'u1.flac'}: ")
    assert last == "recognizer evaluate: could not be read: 1 of 6 utterances"


@pytest.mark.parametrize("part", ["count_errors", "right_words"])
def test_whatever_fails_in_one_utterance_the_others_are_scored(
    command, toy_model, whistled_set, monkeypatch, part
):
    right = getattr(module, part)

    def failing(reference, words):
        if "stop" in words:
            raise MemoryError
        return right(reference, words)

    monkeypatch.setattr(module, part, failing)
    ran = command("recognizer", "evaluate", whistled_set, "--model", toy_model)
    assert ran.code == 1
    assert "%WER" in ran.out.splitlines()[-1]
    *named, last = ran.err.splitlines()
    assert named
    assert all(line.endswith("not enough memory") for line in named)
    assert last == f"recognizer evaluate: could not be read: {len(named)} of 6 utterances"


@pytest.mark.parametrize(("rules", "word"), [("unicode", "\u00e9t\u00e9"), ("english", "ete")])
def test_references_are_written_by_the_rules_of_the_model(
    command, toy_model, whistled_set, tmp_path, rules, word
):
    config = toy_model / "model.toml"
    config.write_text(re.sub(r'text_rules = "\w+"', f'text_rules = "{rules}"', config.read_text()))
    assert f'text_rules = "{rules}"' in config.read_text()
    text = whistled_set / "text"
    text.write_text(re.sub(r"^u1 .*$", "u1 \u00c9T\u00c9", text.read_text(), flags=re.MULTILINE))
    command("recognizer", "evaluate", whistled_set, "--model", toy_model, "--out", tmp_path / "out")
    assert read_trn(tmp_path / "out" / "ref.trn")["u1"] == (word,)


def test_no_audio_that_can_be_read_is_one_line_and_no_table(
    command, toy_model, whistled_set, tmp_path
):
    for name in toy.SAID:
        soundfile.write(whistled_set / f"{name}.flac", np.zeros(0), 16000)
    ran = command(
        "recognizer", "evaluate", whistled_set, "--model", toy_model, "--out", tmp_path / "out"
    )
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    start = f"recognizer: {whistled_set}: none of 6 utterances could be recognised, the first u1: "
    assert ran.err.startswith(start)
    assert not (tmp_path / "out").exists()


def test_failures_before_the_first_success_are_told_too(command, toy_model, whistled_set):
    for name in ("u1", "u2", "u5"):
        soundfile.write(whistled_set / f"{name}.flac", np.zeros(0), 16000)
    ran = command("recognizer", "evaluate", whistled_set, "--model", toy_model)
    assert [line.split(": ")[1] for line in ran.err.splitlines()[:3]] == ["u1", "u2", "u5"]
    assert ran.code == 1


def test_speakers_and_confidences(command, toy_model, whistled_set, tmp_path):
    speakers = {"u1": "bob", "u2": "ann", "u3": "bob", "u4": "ann", "u5": "ann", "u6": "cy"}
    lines = [f"{name} {speaker}\n" for name, speaker in speakers.items()]
    (whistled_set / "utt2spk").write_text("".join(lines))
    out = tmp_path / "out"
    arguments = [whistled_set, "--model", toy_model, "--out", out, "--speakers"]
    ran = command("recognizer", "evaluate", *arguments)
    table = (out / "speakers.md").read_text()
    assert table in ran.out
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
    assert rows[0] == ["speaker", "utterances", "words", "WER %", "95 %", "ins", "del", "sub"]
    assert [row[0] for row in rows[2:]] == ["ann", "bob", "cy", "all 3"]
    assert rows[2] == ["ann", "3", "5", "40.00", rows[2][4], "1", "0", "1"]
    assert rows[5][1:4] == ["6", "11", "36.36"]
    assert (out / "utt2spk").read_text() == "".join(lines)
    result = json.loads((out / "result.json").read_text())
    assert result["speakers"]["number"] == 3
    assert result["speakers"]["wer_low"] <= result["wer"] <= result["speakers"]["wer_high"]
    confidence = result["confidence"]
    assert confidence["words"] == 11
    assert sum(one["words"] for one in confidence["bins"]) == 11
    gaps = [one["words"] * abs(one["accuracy"] - one["confidence"]) for one in confidence["bins"]]
    assert confidence["expected_calibration_error"] == pytest.approx(sum(gaps) / 11, abs=2e-4)
    assert 0 < confidence["expected_calibration_error"] < 1


@pytest.mark.parametrize(
    ("spoil", "code"),
    [("missing", 1), ("file", 1), ("model", 2), ("jobs", 2), ("out", 1)],
)
def test_other_faults_are_one_line(command, toy_model, whistled_set, tmp_path, spoil, code):
    (tmp_path / "file").write_text("x")
    arguments = {
        "missing": [tmp_path / "none", "--model", toy_model],
        "file": [tmp_path / "file", "--model", toy_model],
        "model": [whistled_set, "--model", tmp_path / "none"],
        "jobs": [whistled_set, "--model", toy_model, "--jobs", "0"],
        "out": [whistled_set, "--model", toy_model, "--out", tmp_path / "file" / "out"],
    }[spoil]
    ran = command("recognizer", "evaluate", *arguments)
    assert ran.code == code
    assert ran.err.count("\n") == 1


def end(utterance: Utterance) -> None:
    os._exit(3)


def test_a_process_that_dies_is_an_error(whistled_set):
    with pytest.raises(SpeechError, match="toyset: a process has died"):
        list(each_utterance(read_corpus(whistled_set), end, jobs=2))


def let_reader_go(path: Path) -> bool:
    """End the wait of whoever opens a FIFO for reading; False if nobody waits."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_an_interrupt_ends_all_processes_with_one_line(toy_model, whistled_set):
    """Whoever reads a FIFO waits for its writer, so that the interrupt meets work in progress."""
    paths = [whistled_set / f"{name}.flac" for name in toy.SAID]
    for path in paths:
        path.unlink()
        os.mkfifo(path)
    arguments = ["evaluate", str(whistled_set), "--model", str(toy_model), "--jobs", "2"]
    script = f"import sys; sys.argv[1:] = {arguments!r}\n" + (
        "from recognizer.cli.main import main\nif __name__ == '__main__': main()\n"
    )
    program = whistled_set / "program.py"
    program.write_text(script)
    with subprocess.Popen(
        [sys.executable, program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        while process.poll() is None and not let_reader_go(paths[0]):
            time.sleep(0.01)
        if process.poll() is None:  # it is at work: it has opened the first file
            os.killpg(process.pid, signal.SIGINT)
        while process.poll() is None:
            for path in paths:
                let_reader_go(path)
            time.sleep(0.01)
        out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    *before, last = err.strip().splitlines()
    assert last == "recognizer: interrupted"
    # The FIFOs' reader may be told of the end of its file before of the interrupt.
    assert [line for line in before if line and not line.startswith("recognizer evaluate: ")] == []


def test_an_empty_corpus_and_no_jobs(toy_model, whistled_set):
    corpus = read_corpus(whistled_set)
    empty = type(corpus)(name="none", utterances=())
    with pytest.raises(SpeechError, match="none: expected utterances, found none"):
        evaluate(empty, toy_model)
    with pytest.raises(UsageError, match="jobs: expected at least 1"):
        evaluate(corpus, toy_model, jobs=0)
