"""Training, resuming and testing of one network, and the report of the whole experiment."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from recognizer.cli.training.experiment import experiment
from recognizer.data.errors import SpeechError, UsageError
from recognizer.experiments.ntm import settings
from recognizer.experiments.ntm.report import as_json, check_report, write_ntm_report
from recognizer.experiments.ntm.run import SequenceExperiment, SequenceResult
from recognizer.experiments.ntm.settings import MODELS, SequenceRun, planned_runs
from recognizer.experiments.ntm.statements import statements
from recognizer.experiments.ntm.tasks import TASKS
from recognizer.experiments.ntm.training import CHECKPOINT, SequenceTraining

TINY = SequenceRun("copy", "ntm-feed-forward", 48, batch=4, window=16, test_sequences=3, small=True)


def test_all_networks_learn_all_tasks_in_the_order_of_the_paper_s_need() -> None:
    runs = planned_runs()
    assert [run.name for run in runs] == [f"{task}.{model}" for task in TASKS for model in MODELS]
    assert len({run.name for run in planned_runs(small=True)}) == len(runs)
    for run in runs:
        with torch.device("meta"):
            assert run.network.inputs == run.sequence_task.inputs


def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = SequenceTraining(TINY, tmp_path / "whole")
    whole.train()
    assert len(whole.curve.costs) == 3
    SequenceTraining(replace(TINY, sequences=16), tmp_path / "parts").train()
    resumed = SequenceTraining(TINY, tmp_path / "parts")
    assert resumed.curve.updates == 4
    assert not resumed.curve.done
    resumed.train()
    assert resumed.curve == whole.curve
    expected = load_file(tmp_path / "whole" / CHECKPOINT)
    found = load_file(tmp_path / "parts" / CHECKPOINT)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    assert resumed.test() == whole.test()


def test_a_training_ends_when_it_is_good_enough(tmp_path: Path) -> None:
    training = SequenceTraining(replace(TINY, enough=1e6), tmp_path)
    training.train()
    assert training.curve.done
    assert training.curve.updates == 4
    assert SequenceTraining(replace(TINY, enough=1e6), tmp_path).curve.done


def test_tests_use_the_weights_of_the_best_window(tmp_path: Path) -> None:
    training = SequenceTraining(TINY, tmp_path)
    training.train()
    with training.best_weights():
        best = {name: value.clone() for name, value in training.network.named_parameters()}
    stored = load_file(tmp_path / CHECKPOINT)
    for name, value in best.items():
        assert torch.equal(value, stored[f"best.{name}"])
        assert torch.equal(training.network.get_parameter(name), stored[f"network.{name}"])


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    SequenceTraining(replace(TINY, sequences=16), tmp_path).train()
    with pytest.raises(SpeechError, match="expected a training with seed 2, found 1"):
        SequenceTraining(replace(TINY, seed=2), tmp_path)
    path = tmp_path / CHECKPOINT
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors["network.initial_memory"] = torch.zeros(4, 12)
    save_file(tensors, path, metadata=metadata)
    expected = (
        r"network.initial_memory: expected \[32, 12\], found \[4, 12\]; "
        "is the checkpoint of a network of another shape"
    )
    with pytest.raises(SpeechError, match=expected):
        SequenceTraining(TINY, tmp_path)


def test_an_impossible_run_is_refused() -> None:
    with pytest.raises(UsageError, match=r"task: expected one of copy, .*, found 'sort'"):
        SequenceRun("sort", "lstm", 1)
    with pytest.raises(UsageError, match=r"model: expected one of ntm-lstm, .*, found 'gru'"):
        SequenceRun("copy", "gru", 1)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="window: expected a multiple of batch, 4, found 10"):
        replace(TINY, window=10)


def test_a_device_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="--device nowhere: torch cannot use it"):
        SequenceTraining(TINY, tmp_path, "nowhere")


def made_result(
    task: str, model: settings.Model, costs: list[float], level: float
) -> SequenceResult:
    """A result whose tests all cost about so many bits."""
    run = SequenceRun(task, model, 1600 * len(costs))
    noise = np.random.default_rng(0).normal(scale=0.01, size=100)
    tests = {name: (level + noise).tolist() for name in run.sequence_task.tests()}
    return SequenceResult(run, 1000, costs, True, int(np.argmin(costs)), tests)


def test_statements_are_held_by_results_like_the_paper_s() -> None:
    results = [
        made_result("copy", "ntm-lstm", [50.0, 0.05], 0.1),
        made_result("copy", "ntm-feed-forward", [40.0, 0.01], 0.1),
        made_result("copy", "lstm", [80.0, 60.0, 70.0, 55.0], 60.0),
        made_result("associative-recall", "ntm-lstm", [18.0, 9.0, 0.05], 0.3),
        made_result("associative-recall", "ntm-feed-forward", [18.0, 0.05], 0.2),
        made_result("associative-recall", "lstm", [18.0, 17.0, 16.0, 15.0, 14.0], 17.0),
    ]
    found = list(statements(results))
    assert len(found) == 4 + 7
    assert [one.text for one in found if not one.held] == []
    # With the LSTM's results in the machines' stead, those that compare them fail.
    swapped = [
        replace(one, run=replace(one.run, model=model))
        for one, model in zip(results, ("lstm", "ntm-lstm", "ntm-feed-forward") * 2, strict=True)
    ]
    assert sum(one.held for one in statements(swapped)) <= 3


def test_the_optimum_of_ngrams_bounds_the_machines() -> None:
    models = zip(MODELS, (129.0, 129.5, 132.0), strict=True)
    results = [made_result("dynamic-ngrams", model, [level], level) for model, level in models]
    held = [one.held for one in statements(results)]
    optimum = float(np.mean(results[0].optimum))
    assert held == [True, optimum < 129.0]


@pytest.mark.parametrize("option", ["--task", "--network"])
def test_an_unknown_name_is_refused(option: str, tmp_path: Path) -> None:
    arguments = ["ntm", "--work", str(tmp_path), "--output", str(tmp_path / "a.md"), option, "sum"]
    done = CliRunner().invoke(experiment, arguments)
    assert isinstance(done.exception, UsageError)
    assert str(done.exception).startswith(f"{option}: expected one of ")
    assert str(done.exception).endswith("found sum")


def test_the_command_trains_what_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = (replace(TINY, sequences=16), replace(TINY, sequences=16, model="lstm"))
    monkeypatch.setattr(settings, "planned_runs", lambda *, small: runs)
    arguments = ["ntm", "--work", str(tmp_path / "work"), "--output", str(tmp_path / "ntm.md")]
    first = CliRunner().invoke(experiment, [*arguments, "--network", "lstm", "--json"])
    assert first.exception is None
    (found,) = json.loads(first.stdout)
    assert (found["task"], found["model"], found["sequences"]) == ("copy", "lstm", 16)
    reported = CliRunner().invoke(experiment, [*arguments, "--report"])
    assert reported.stdout == f"{tmp_path / 'ntm.md'}\n"
    assert "1 of 2 trainings have ended" in (tmp_path / "ntm.md").read_text()
    assert CliRunner().invoke(experiment, arguments).exception is None
    text = (tmp_path / "ntm.md").read_text()
    assert "trainings have ended" not in text
    assert "| copy | NTM, feed-forward controller |" in text
    assert str(tmp_path) not in text


def test_another_document_is_not_overwritten(tmp_path: Path) -> None:
    document = tmp_path / "notes.md"
    document.write_text("# Notes\n")
    with pytest.raises(SpeechError, match="expected a document that begins"):
        check_report(document)


def test_the_report_says_what_there_is(tmp_path: Path) -> None:
    runs = [replace(TINY, model=model, sequences=16) for model in MODELS]
    work = SequenceExperiment(runs, tmp_path / "work")
    for run in runs[:2]:
        assert work.train(run)
        assert not work.train(run)
    results = list(work.results())
    document = tmp_path / "ntm.md"
    write_ntm_report(work, results, document, "recognizer experiment ntm")
    text = document.read_text()
    assert "2 of 3 trainings have ended" in text
    assert "| 120 vectors |" in text
    for line in text.splitlines():
        if line.startswith("!["):
            picture = tmp_path / line.partition("(")[2].rstrip(")")
            assert picture.stat().st_size > 1000, line
    written = json.loads(json.dumps(as_json(results)))
    assert written[0]["tests"].keys() == results[0].tests.keys()
    assert written[1]["costs"] == results[1].costs
    # Nothing is tested twice.
    before = (tmp_path / "work" / runs[0].name / "result.json").stat().st_mtime_ns
    assert [one.tests for one in work.results()] == [one.tests for one in results]
    assert (tmp_path / "work" / runs[0].name / "result.json").stat().st_mtime_ns == before
