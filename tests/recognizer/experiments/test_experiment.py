"""Networks compared as in the paper's tables: shapes, a whole small experiment, its report."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands_run import Ran
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.training.engine.errors import DivergedError
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table, read_toml
from recognizer.decoding.search.search import SearchOptions
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.experiments.learning_rates import best_rate, search_rates
from recognizer.experiments.options import TablesExperiment, make_candidate
from recognizer.experiments.results import CandidateResult
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.recipe import TrainingSet, find_recipe

KINDS = ("dnn", "lstm", "lstmp")

EXPERIMENT = """
model = "{model}"
dev = ["dev"]
kinds = ["dnn", "lstmp"]
sizes = [6000]
depths = [1, 2]
learning_rates = [3e-3, 1e-2]
search_frames = 6000
accuracy_utterances = 20
[[training]]
data = "train"
licence = "CC0-1.0"
[acoustic.training]
streams = 8
decay_frames = 60000
evaluate_frames = 12000
patience = 2
initial_range = 0.1
learning_rate = 1e-2
final_learning_rate = 1e-3
held_out_fraction = 0.1
threads = 1
tensorboard = false
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [600_000, 1_500_000])
def test_shapes_have_the_size_asked_for(kind: str, layers: int, size: int) -> None:
    candidate = make_candidate(kind, layers, size, 2400, 40)  # type: ignore[arg-type]
    network = NetworkOptions.of(candidate.shape, 2400, 40)
    assert network.parameter_count() == candidate.parameters
    assert abs(candidate.parameters - size) < 0.01 * size
    assert network.layers == layers
    assert network.kind == ("dnn" if kind == "dnn" else "lstm")
    assert bool(network.projection) == (kind == "lstmp")
    if kind == "lstmp":
        assert network.cells == 2 * network.projection


def test_too_small_a_size_is_refused() -> None:
    with pytest.raises(UsageError, match="sizes: expected at least"):
        make_candidate("lstm", 2, 1000, 2400, 40)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": (5, 5)}, "sizes: expected distinct values"),
        ({"depths": (0,)}, "depths: expected numbers above 0"),
        ({"learning_rates": ()}, "learning_rates: expected distinct values, at least one"),
        ({"search_frames": 0}, "search_frames: expected a number above 0"),
        ({"learning_rates": (float("nan"),)}, "learning_rates: expected numbers above 0"),
        ({"dev": ("train",)}, "expected sets of distinct names, found 'train' twice"),
        ({"acoustic": AcousticOptions()}, "patience: expected a number above 0"),
        ({"search": SearchOptions(acoustic_scale=0.2)}, "search.acoustic_scale: expected nothing"),
    ],
)
def test_impossible_experiments(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TablesExperiment(
            **{"training": (TrainingSet("train", ""),), "dev": ("dev",), **change}  # type: ignore[arg-type]
        )


def test_the_built_in_experiment_is_the_papers() -> None:
    path = find_recipe("paper_tables")
    experiment = from_table(TablesExperiment, read_toml(path), str(path))
    candidates = experiment.candidates(2400, 40)
    assert len(candidates) == len({candidate.name for candidate in candidates}) == 24
    assert experiment.acoustic.training.patience == 2


@pytest.fixture(scope="module")
def tables(
    made: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[object], Path, Path]:
    """The command's arguments, the work directory and the document of a finished experiment."""
    from recognizer.experiments.report import write_report
    from recognizer.experiments.run import TablesRun

    pytest.importorskip("torch", reason="training needs torch")
    root = tmp_path_factory.mktemp("tables")
    (root / "plan.toml").write_text(EXPERIMENT.format(model=made[1] / "model"))
    work, document = root / "work", root / "doc.md"
    document.write_text("# Mine\n\nWords before.\n")
    plan = from_table(TablesExperiment, read_toml(root / "plan.toml"), "plan")
    run = TablesRun(plan, made[0], work)
    run.prepare()
    for candidate in run.candidates:
        run.run(candidate)
    write_report(list(run.results()), run.candidates, document)
    arguments = ["experiment", "tables", root / "plan.toml", "--corpora", made[0], "--work", work]
    return arguments, work, document


def test_a_whole_experiment(tables: tuple[list[object], Path, Path]) -> None:
    _, work, document = tables
    text = document.read_text()
    assert text.startswith("# Mine\n\nWords before.\n\n<!-- recognizer experiment tables: begin")
    rows = [
        line.split(" | ") for line in text.splitlines() if line.startswith(("| DNN", "| LSTMP"))
    ]
    assert [(row[0], row[1]) for row in rows] == [
        ("| DNN", "1"), ("| DNN", "2"), ("| LSTMP", "1"), ("| LSTMP", "2"),
    ]  # fmt: skip
    for row in rows:
        assert abs(int(row[4].replace(",", "")) - 6000) < 400
        assert float(row[5]) > 0
        training, held_out, dev = map(float, row[7:10])
        assert min(training, held_out, dev) > 30
        assert float(row[11].split()[0]) < 60
    assert "LSTMP better than DNN of the same depth: at depth 1 " in text
    assert "LSTMP deeper better than one layer: at depth 2 " in text
    figure = document.with_name("doc-6000.svg")
    assert figure.name in text
    assert "lstmp-2x" in figure.read_text()
    rates = json.loads(next(work.glob("lstmp-2x*.rates")).joinpath("rates.json").read_text())
    assert set(rates) >= {"0.003", "0.01"}


def test_the_best_rate_has_worse_ones_beside_it(tables: tuple[list[object], Path, Path]) -> None:
    _, work, document = tables
    searched = list(work.glob("*.rates/rates.json"))
    assert len(searched) == 4
    for path in searched:
        found = {float(rate): accuracy for rate, accuracy in json.loads(path.read_text()).items()}
        best = max(found, key=lambda rate: found[rate])
        assert len(found) == 5 or min(found) < best < max(found)
        assert f"| {best:g} |" in document.read_text()


def test_training_ends_when_it_has_failed_twice(tables: tuple[list[object], Path, Path]) -> None:
    from recognizer.am.training.engine.curves import read_curve

    _, work, _ = tables
    directories = [path for path in work.glob("lstmp-?x*") if "." not in path.name]
    assert len(directories) == 2
    for directory in directories:
        accuracies = [entry["held_out_accuracy"] for entry in read_curve(directory)]
        # Two failures after the best.
        assert accuracies.index(max(accuracies)) == len(accuracies) - 3


def test_what_is_done_is_skipped_and_the_tables_are_renewed(
    tables: tuple[list[object], Path, Path], command: Callable[..., Ran]
) -> None:
    arguments, work, document = tables
    text = document.read_text()
    document.write_text(text.replace("LSTMP", "nothing").rstrip("\n") + "\n\nWords behind.\n")
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.safetensors")}
    ran = command("recognizer", *arguments, "--output", document)
    assert ran.code == 0, ran.err
    assert before == {path: path.stat().st_mtime_ns for path in work.rglob("*.safetensors")}
    assert document.read_text() == text.rstrip("\n") + "\n\nWords behind.\n"
    document.write_text(text)


def test_wrong_use_is_told_in_a_line(
    tables: tuple[list[object], Path, Path], command: Callable[..., Ran], tmp_path: Path
) -> None:
    arguments, _, document = tables
    ran = command("recognizer", *arguments, "--output", document, "--size", 7)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "--size: expected one of [6000], found 7" in ran.err
    ran = command("recognizer", *arguments, "--output", document, "--kind", "lstm")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "--kind: expected one of ['dnn', 'lstmp'], found 'lstm'" in ran.err
    begin, end = (f"<!-- recognizer experiment tables: {mark} -->\n" for mark in ("begin", "end"))
    torn = tmp_path / "torn.md"
    for text in (begin, f"{end}words\n{begin}", 2 * (begin + end)):
        torn.write_text(text)
        ran = command("recognizer", *arguments, "--output", torn)
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert "once each or not at all" in ran.err
        assert torn.read_text() == text


def test_results_of_other_options_are_not_shown(
    tables: tuple[list[object], Path, Path], made: tuple[Path, Path]
) -> None:
    from dataclasses import replace

    from recognizer.experiments.run import TablesRun

    _, work, document = tables
    path = document.with_name("plan.toml")
    plan = from_table(TablesExperiment, read_toml(path), str(path))
    assert len(list(TablesRun(plan, made[0], work).results())) == 4
    for other in (
        replace(plan, accuracy_utterances=21),
        replace(plan, search_frames=6001),
        replace(plan, search=SearchOptions(beam=9.0)),
    ):
        assert list(TablesRun(other, made[0], work).results()) == []


def test_a_damaged_result_is_told_in_a_line(
    tables: tuple[list[object], Path, Path], command: Callable[..., Ran], tmp_path: Path
) -> None:
    arguments, work, _ = tables
    path = next(work.glob("lstmp-1x*.dev")) / "result.json"
    whole = path.read_text()
    try:
        for damaged in ("{", "[]", "{}", whole.replace('"rescored": [[', '"rescored": [["x", ')):
            path.write_text(damaged)
            ran = command("recognizer", *arguments, "--output", tmp_path / "tables.md")
            assert ran.code == 1
            last = ran.err.splitlines()[-1]
            assert last.startswith(f"recognizer: {path}")
            assert ": expected" in last
            assert not (tmp_path / "tables.md").exists()
    finally:
        path.write_text(whole)


@pytest.mark.parametrize(
    ("peak", "given", "tried"),
    [
        (2.0, (1.0, 2.0, 4.0), [1.0, 2.0, 4.0]),
        (8.0, (1.0, 2.0, 4.0), [1.0, 2.0, 4.0, 8.0, 16.0]),
        (1e9, (4.0, 1.0), [1.0, 4.0, 16.0, 64.0, 256.0]),
        (0.25, (1.0, 2.0), [1.0, 2.0, 0.5, 0.25, 0.125]),
        (3.0, (3.0,), [3.0, 1.5, 6.0]),
    ],
)
def test_rates_are_tried_beyond_the_best(
    peak: float, given: tuple[float, ...], tried: list[float]
) -> None:
    found = search_rates(given, lambda rate: -abs(math.log(rate / peak)))
    assert list(found) == tried
    assert best_rate(found) == min(tried, key=lambda rate: abs(math.log(rate / peak)))


def test_rates_are_lowered_until_training_does_not_diverge() -> None:
    found = search_rates((1.0, 2.0), lambda rate: 0.5 if rate < 0.2 else None)
    assert found == {1.0: None, 2.0: None, 0.5: None, 0.25: None, 0.125: 0.5}
    assert best_rate(found) == 0.125


def test_a_rate_that_diverges_in_the_end_gives_way(
    tables: tuple[list[object], Path, Path],
    made: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from click.testing import CliRunner

    from recognizer.cli.training.experiment import tables as run_tables
    from recognizer.experiments import run as experiment_run

    _, done, document = tables
    work, plan_file = tmp_path / "work", document.with_name("plan.toml")
    shutil.copytree(done, work, symlinks=True)
    plan = from_table(TablesExperiment, read_toml(plan_file), str(plan_file))
    run = experiment_run.TablesRun(plan, made[0], work)
    candidate = run.candidates[2]
    rates = json.loads((work / f"{candidate.name}.rates" / "rates.json").read_text())
    first, second = sorted(rates, key=lambda rate: -rates[rate])[:2]
    (work / candidate.name / "stage.json").unlink()
    real, lasting = experiment_run.train_on_labels, False

    def diverging(*arguments: Any) -> None:
        options, directory = arguments[3], arguments[5]
        checkpoint = directory / "checkpoint.safetensors"
        assert not checkpoint.exists()
        if lasting or repr(options.training.learning_rate) == first:
            checkpoint.write_text("of this rate")
            raise DivergedError("training: the loss is not finite")
        real(*arguments)

    monkeypatch.setattr(experiment_run, "train_on_labels", diverging)
    assert run.run(candidate)
    found = {one.candidate.name: one for one in run.results()}
    assert len(found) == 4
    assert found[candidate.name].learning_rate == float(second)
    # One that always diverges does not keep the others from the tables.
    lasting = True
    (work / candidate.name / "stage.json").unlink()
    (work / f"{run.candidates[3].name}.dev" / "stage.json").unlink()
    output = tmp_path / "tables.md"
    where = ["--corpora", str(made[0]), "--work", str(work), "--output", str(output)]
    ran = CliRunner().invoke(run_tables, [str(plan_file), *where])
    assert isinstance(ran.exception, SpeechError)
    assert str(ran.exception) == f"networks whose training diverges: {candidate.name}"
    assert "3 of 4 networks are done" in output.read_text()
    assert candidate.name not in output.read_text()


def test_labels_of_another_experiment_are_refused(
    tables: tuple[list[object], Path, Path], made: tuple[Path, Path], tmp_path: Path
) -> None:
    from dataclasses import replace

    from recognizer.experiments.run import TablesRun

    _, done, document = tables
    path = document.with_name("plan.toml")
    plan = from_table(TablesExperiment, read_toml(path), str(path))
    other = replace(plan, acoustic=replace(plan.acoustic, speeds=(1.0, 0.9)))
    run = TablesRun(other, made[0], done)
    with pytest.raises(SpeechError, match="another experiment has made its labels or features"):
        run.run(run.candidates[0])


def test_equal_networks_are_not_told_apart() -> None:
    from recognizer.experiments.report import _claims

    counts = (ErrorCounts(10, 1, 1, 1), ErrorCounts(10, 0, 2, 0)) * 20
    worse = (ErrorCounts(10, 3, 3, 3), ErrorCounts(10, 2, 2, 2)) * 20
    of = {
        kind: CandidateResult(
            make_candidate(kind, 1, 600_000, 2400, 40),  # type: ignore[arg-type]
            1e-3, 2, 1, 0.5, 0.5, 0.5, errors, errors, Path(),
        )
        for kind, errors in (("dnn", counts), ("lstm", counts), ("lstmp", worse))
    }  # fmt: skip
    text = "\n".join(_claims(list(of.values())))
    assert "LSTM better than DNN of the same depth: at depth 1 not clear (25.00 " in text
    assert "LSTMP better than LSTM of the same depth: at depth 1 no (75.00 against 25.00" in text


def test_a_network_that_another_process_is_at_is_left(
    tables: tuple[list[object], Path, Path], command: Callable[..., Ran]
) -> None:
    import fcntl

    arguments, work, document = tables
    name = next(work.glob("lstmp-1x*.dev")).name.removesuffix(".dev")
    with (work / f"{name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        ran = command("recognizer", *arguments, "--output", document)
    assert ran.code == 0
    assert f"{name}: left to the process that is at it" in ran.err


def test_an_experiment_makes_its_own_shapes(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(EXPERIMENT.format(model="english") + "[acoustic.network]\ncells = 32\n")
    with pytest.raises(SpeechError, match=r"acoustic\.network: expected nothing"):
        from_table(TablesExperiment, read_toml(path), str(path))
