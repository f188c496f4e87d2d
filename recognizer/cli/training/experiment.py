"""``recognizer experiment``: comparisons of networks."""

from __future__ import annotations

import json

import click

from recognizer.cli.training.stage_options import numpy_on_one_thread, work_options


@click.group()
def experiment() -> None:
    """Compare networks that are trained alike.

    \b
    Examples:
      recognizer experiment tables --corpora corpora --work exp/tables --output tables.md
      recognizer experiment ntm --small --work exp/ntm --output ntm.md
    """


@experiment.command()
@click.argument("experiment", default="paper_tables")
@work_options
@click.option(
    "--output",
    type=click.Path(),
    required=True,
    help="Markdown file in which the tables are written or renewed, figures beside it.",
)
@click.option("--size", "sizes", type=int, multiple=True, help="Only networks of this size.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="Only networks of this kind: dnn, lstm or lstmp.",
)
def tables(
    experiment: str,
    corpora: str,
    work: str,
    output: str,
    sizes: tuple[int, ...],
    kinds: tuple[str, ...],
    jobs: int,
) -> None:
    """Train the networks of the paper's tables at a smaller scale, and write the tables.

    DNNs, LSTMs and LSTMPs of the same numbers of parameters and of several depths learn the same
    labels, each with the best of several learning rates, until the held-out accuracy fails to
    improve as often as the experiment says (twice). Frame accuracies and word error rates go into
    the file --output, renewed whenever another network is done. EXPERIMENT is a built-in
    recipe's name or a TOML file.

    Networks that are done are skipped and an interrupted training goes on: run the same command
    again. Several processes may share a directory WORK: each takes what no other is at. Needs
    torch: pip install 'recognizer[train]'.

    \b
    Example:
      recognizer experiment tables --corpora corpora --work exp/tables --output tables.md
    """
    numpy_on_one_thread()

    from pathlib import Path

    from recognizer.am.training.engine.errors import DivergedError
    from recognizer.data.errors import SpeechError, UsageError
    from recognizer.data.io.console import console
    from recognizer.data.io.options import from_table, read_toml
    from recognizer.experiments.options import TablesExperiment
    from recognizer.experiments.report import check_document, write_report
    from recognizer.experiments.run import TablesRun
    from recognizer.pipelines.recipe import find_recipe

    path = find_recipe(experiment)
    plan = from_table(TablesExperiment, read_toml(path), str(path))
    for option, asked, known in (("size", sizes, plan.sizes), ("kind", kinds, plan.kinds)):
        for value in asked:
            if value not in known:
                raise UsageError(f"--{option}: expected one of {list(known)}, found {value!r}")
    document = Path(output)
    check_document(document)
    run = TablesRun(plan, Path(corpora), Path(work), jobs)
    run.prepare()

    def report() -> None:
        with run.latest_results() as results:
            write_report(results, run.candidates, document)

    diverged = []
    for candidate in run.candidates:
        if (sizes and candidate.size not in sizes) or (kinds and candidate.kind not in kinds):
            continue
        try:
            if run.run(candidate):
                report()
        except DivergedError as error:  # the others can still be compared
            console.print(str(error), markup=False)
            diverged.append(candidate.name)
    report()
    if diverged:
        raise SpeechError(f"networks whose training diverges: {', '.join(diverged)}")
    click.echo(output)


@experiment.command()
@click.option("--work", type=click.Path(), required=True, help="Directory of all results.")
@click.option(
    "--output",
    type=click.Path(),
    required=True,
    help="Markdown file that is written or replaced, pictures beside it.",
)
@click.option("--task", "tasks", multiple=True, help="Only this task; may be repeated.")
@click.option("--network", "networks", multiple=True, help="Only this network; may be repeated.")
@click.option("--small", is_flag=True, help="Small tasks and networks: minutes, not hours.")
@click.option("--report", "only_report", is_flag=True, help="Train nothing; report what there is.")
@click.option("--json", "as_json_lines", is_flag=True, help="Print the results as JSON.")
@click.option("--device", default="cpu", show_default=True, help="Of torch, such as cuda.")
def ntm(
    work: str,
    output: str,
    tasks: tuple[str, ...],
    networks: tuple[str, ...],
    small: bool,
    only_report: bool,
    as_json_lines: bool,
    device: str,
) -> None:
    """Train Neural Turing Machines and LSTM networks on the five tasks of the paper.

    Tasks: copy, associative-recall, dynamic-ngrams, repeat-copy, priority-sort. Networks: ntm-lstm,
    ntm-feed-forward, lstm. Learning curves, tests beyond the training lengths, the statements of
    the paper and pictures go into the file --output, renewed whenever another network is done.

    Networks that are done are skipped and an interrupted training goes on: run the same command
    again. Several processes may share a directory WORK: each takes what no other is at. Needs
    torch: pip install 'recognizer[train]'.

    \b
    Examples:
      recognizer experiment ntm --small --work exp/ntm-small --output ntm-small.md
      recognizer experiment ntm --work exp/ntm --output ntm.md --task copy
    """
    numpy_on_one_thread()

    from importlib.util import find_spec
    from pathlib import Path

    from recognizer.data.errors import SpeechError, UsageError
    from recognizer.experiments.ntm.report import as_json, check_report, write_ntm_report
    from recognizer.experiments.ntm.run import SequenceExperiment, SequenceResult
    from recognizer.experiments.ntm.settings import MODELS, planned_runs
    from recognizer.experiments.ntm.tasks import TASKS
    from recognizer.experiments.results import locked

    asked = (("task", tasks, tuple(TASKS)), ("network", networks, MODELS))
    for option, values, known in asked:
        for value in values:
            if value not in known:
                raise UsageError(f"--{option}: expected one of {', '.join(known)}, found {value}")
    if find_spec("torch") is None:
        raise SpeechError("networks need torch: pip install 'recognizer[train]'")
    document = Path(output)
    check_report(document)
    experiment = SequenceExperiment(planned_runs(small=small), Path(work), device)
    setting = " --small" if small else ""
    # The directories of one machine would tell a reader of the document nothing.
    command = f"recognizer experiment ntm{setting} --work exp/ntm --output {document.name}"

    def report() -> list[SequenceResult]:
        with locked(Path(work) / "report.lock", wait=True):
            results = list(experiment.results())
            write_ntm_report(experiment, results, document, command)
        return results

    for run in experiment.runs:
        chosen = (not tasks or run.task in tasks) and (not networks or run.model in networks)
        if chosen and not only_report and experiment.train(run):
            report()
    results = report()
    click.echo(json.dumps(as_json(results)) if as_json_lines else output)
