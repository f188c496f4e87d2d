"""Networks compared as in the paper's tables: shapes, a whole small experiment, its report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from am.network_options import NetworkOptions
from conftest import Ran
from data.errors import SpeechError, UsageError
from decoding.search import SearchOptions
from recognizer.acoustic_training import AcousticOptions
from recognizer.experiment import TablesExperiment, make_entrant
from recognizer.experiment_run import Finding
from recognizer.options import from_table, read_toml
from recognizer.recipe import TrainingSet, find_recipe
from recognizer.scoring import ErrorCounts

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
    entrant = make_entrant(kind, layers, size, 2400, 40)  # type: ignore[arg-type]
    network = NetworkOptions.of(entrant.shape, 2400, 40)
    assert network.parameter_count() == entrant.parameters
    assert abs(entrant.parameters - size) < 0.01 * size
    assert network.layers == layers
    assert network.kind == ("dnn" if kind == "dnn" else "lstm")
    assert bool(network.projection) == (kind == "lstmp")
    if kind == "lstmp":
        assert network.cells == 2 * network.projection


def test_too_small_a_size_is_refused() -> None:
    with pytest.raises(UsageError, match="sizes: expected at least"):
        make_entrant("lstm", 2, 1000, 2400, 40)


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
    entrants = experiment.entrants(2400, 40)
    assert len(entrants) == len({entrant.name for entrant in entrants}) == 24
    assert experiment.acoustic.training.patience == 2


@pytest.fixture(scope="module")
def tables(
    made: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[object], Path, Path]:
    """The command's arguments, the work directory and the document of a finished experiment."""
    from recognizer.experiment_report import write_report
    from recognizer.experiment_run import TablesRun

    pytest.importorskip("torch", reason="training needs torch")
    root = tmp_path_factory.mktemp("tables")
    (root / "plan.toml").write_text(EXPERIMENT.format(model=made[1] / "model"))
    work, document = root / "work", root / "doc.md"
    document.write_text("# Mine\n\nWords before.\n")
    plan = from_table(TablesExperiment, read_toml(root / "plan.toml"), "plan")
    run = TablesRun(plan, made[0], work)
    run.prepare()
    for entrant in run.entrants:
        run.run(entrant)
    write_report(list(run.findings()), run.entrants, document)
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
    from am.training_curves import read_curve

    _, work, _ = tables
    for directory in work.glob("lstmp-?x*"):
        if "." in directory.name:
            continue
        accuracies = [entry["held_out_accuracy"] for entry in read_curve(directory)]
        # Two failures after the best, and the measurement that every training ends with.
        *judged, _ = accuracies
        assert judged.index(max(judged)) == len(judged) - 3


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
    torn = tmp_path / "torn.md"
    torn.write_text("<!-- recognizer experiment tables: begin -->\n")
    ran = command("recognizer", *arguments, "--output", torn)
    assert ran.code == 1
    assert "expected both" in ran.err
    assert torn.read_text() == "<!-- recognizer experiment tables: begin -->\n"


def test_results_of_other_options_are_not_shown(
    tables: tuple[list[object], Path, Path], made: tuple[Path, Path]
) -> None:
    from dataclasses import replace

    from recognizer.experiment_run import TablesRun

    _, work, document = tables
    path = document.with_name("plan.toml")
    plan = from_table(TablesExperiment, read_toml(path), str(path))
    assert len(list(TablesRun(plan, made[0], work).findings())) == 4
    for other in (
        replace(plan, accuracy_utterances=21),
        replace(plan, search_frames=6001),
        replace(plan, search=SearchOptions(beam=9.0)),
    ):
        assert list(TablesRun(other, made[0], work).findings()) == []


def test_a_damaged_result_is_told_in_a_line(
    tables: tuple[list[object], Path, Path], command: Callable[..., Ran], tmp_path: Path
) -> None:
    arguments, work, _ = tables
    path = next(work.glob("lstmp-1x*.dev")) / "result.json"
    whole = path.read_text()
    for damaged in ("{", "[]", "{}", whole.replace('"rescored": [[', '"rescored": [["x", ')):
        path.write_text(damaged)
        ran = command("recognizer", *arguments, "--output", tmp_path / "tables.md")
        assert ran.code == 1
        last = ran.err.splitlines()[-1]
        assert last.startswith(f"recognizer: {path}: expected")
        assert not (tmp_path / "tables.md").exists()
    path.write_text(whole)


def test_equal_networks_are_not_told_apart() -> None:
    from recognizer.experiment_report import _claims

    counts = (ErrorCounts(10, 1, 1, 1), ErrorCounts(10, 0, 2, 0)) * 20
    worse = (ErrorCounts(10, 3, 3, 3), ErrorCounts(10, 2, 2, 2)) * 20
    of = {
        kind: Finding(
            make_entrant(kind, 1, 600_000, 2400, 40),  # type: ignore[arg-type]
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
