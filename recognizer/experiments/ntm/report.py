"""The document with the results of the experiment, written anew whenever a network is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import check_directory, replace_text
from recognizer.experiments.ntm.pictures import plot_copy, plot_learning
from recognizer.experiments.ntm.run import SequenceExperiment, SequenceResult
from recognizer.experiments.ntm.settings import MODELS, NAMES, PARAMETERS
from recognizer.experiments.ntm.statements import SOLVED, mean, standard_error, statements

_TITLE = "# Neural Turing Machine"

_PICTURED = (50,)
"""Vectors of the copied sequences of which pictures are drawn, one picture for each."""


def check_report(document: Path) -> None:
    """Refuse a document that the report cannot replace, before long work.

    Raises:
        SpeechError: there is no such directory, the file is another document, or matplotlib is
            missing.
    """
    check_directory(document.parent)
    try:
        text = document.read_text(encoding="utf-8") if document.exists() else _TITLE
    except (OSError, UnicodeDecodeError) as error:
        raise SpeechError(f"{document}: expected Markdown in UTF-8: {error}") from None
    if not text.startswith(_TITLE):
        found = text.splitlines()[0] if text.strip() else "an empty file"
        raise SpeechError(f"{document}: expected a document that begins {_TITLE!r}, found {found}")
    if find_spec("matplotlib") is None:
        raise SpeechError("pictures need matplotlib: pip install 'recognizer[train]'")


def write_ntm_report(
    experiment: SequenceExperiment, results: Sequence[SequenceResult], document: Path, command: str
) -> None:
    """Write tables, the paper's statements and pictures.

    Args:
        experiment: gives what a trained machine does while it copies.
        results: of the networks that have been trained, or are being trained.
        document: a Markdown file; pictures are written beside it.
        command: that makes the document.

    Raises:
        SpeechError: a file cannot be written.
    """
    lines = [*_head(command), ""]
    if results:
        optimum = next((float(np.mean(r.optimum)) for r in results if r.optimum), None)
        curves = document.with_name(f"{document.stem}-curves.svg")
        plot_learning(results, optimum, curves)
        lines += ["## Learning", "", *_learning(results, len(experiment.runs)), ""]
        lines += [f"![Learning curves]({curves.name})", ""]
        lines += ["## The paper's statements", "", *_statements(results), ""]
        lines += ["## Generalisation", "", *_generalisation(results)]
        lines += [*_copying(experiment, results, document)]
        lines += ["## Numbers of parameters", "", *_parameters(results)]
    with replace_text(document) as stream:
        stream.write("\n".join(lines).rstrip() + "\n")


def as_json(results: Sequence[SequenceResult]) -> list[dict[str, Any]]:
    """The results as they are printed for other programs."""
    return [
        {
            "task": result.run.task,
            "model": result.run.model,
            "parameters": result.parameters,
            "sequences": result.sequences,
            "done": result.done,
            "window": result.run.window,
            "costs": list(result.costs),
            "tests": {name: float(np.mean(costs)) for name, costs in result.tests.items()},
            "optimum": float(np.mean(result.optimum)) if result.optimum else None,
        }
        for result in results
    ]


def _head(command: str) -> list[str]:
    return [
        _TITLE,
        "",
        "Written by the command",
        "",
        f"    {command}",
        "",
        "The five tasks of Graves, Wayne and Danihelka 2014 (arXiv 1410.5401), learned by Neural",
        "Turing Machines (NTM) and by LSTM networks. Tasks, sizes, learning rates and RMSProp are",
        "the paper's, except where the tables below say otherwise. A cost is the number of bits",
        "per sequence: minus log2 of the probability that the network gives to all target bits.",
        "[How it is built](../inside/ntm.md).",
    ]


def _learning(results: Sequence[SequenceResult], planned: int) -> Iterator[str]:
    done = sum(result.done for result in results)
    if done < planned:
        yield f"{done} of {planned} trainings have ended; of the others, what there is so far."
        yield ""
    yield "The cost is that of training sequences, each of which is drawn once, so that none has"
    yield "been seen before; it is averaged over windows. Tests below use the weights at the end of"
    yield (
        "the window of the lowest cost. A training ends when a window costs at most "
        f"{results[0].run.enough:g} bits."
    )
    yield ""
    yield (
        "| task | network | learning rate | sequences an update | thousands of sequences | lowest "
        f"cost | cost of the last window | thousands until {SOLVED} bits |"
    )
    yield "|---" * 8 + "|"
    for result in results:
        run = result.run
        solved = result.sequences_until(SOLVED)
        cells = (
            run.task, NAMES[run.model], f"{run.updates.learning_rate:g}", run.batch,
            f"{result.sequences / 1000:g}" + ("" if result.done else ", training"),
            f"{result.costs[result.best]:.3f}", f"{result.costs[-1]:.3f}",
            "" if solved is None else f"{solved / 1000:g}",
        )  # fmt: skip
        yield f"| {' | '.join(map(str, cells))} |"


def _statements(results: Sequence[SequenceResult]) -> Iterator[str]:
    yield "| task | the paper says | here | because |"
    yield "|---|---|---|---|"
    for one in statements(list(results)):
        verdict = ("held" if one.held else "not held") + ("" if one.final else " so far")
        yield f"| {one.task} | {one.text} | {verdict} | {one.reason} |"


def _generalisation(results: Sequence[SequenceResult]) -> Iterator[str]:
    """A table for each task: one row for each test, one column for each network."""
    for task, group in groupby(results, key=lambda result: result.run.task):
        found = list(group)
        yield f"### {task}"
        yield ""
        count = found[0].run.test_sequences
        yield f"Mean bits per sequence of {count} sequences, with the standard error of the mean;"
        yield "in parentheses, how many of the sequences cost more than 1 bit."
        yield ""
        yield f"| test | {' | '.join(NAMES[result.run.model] for result in found)} |"
        yield "|---" * (len(found) + 1) + "|"
        for test in found[0].tests:
            cells = (_test_cell(result, test) for result in found)
            yield f"| {test} | {' | '.join(cells)} |"
        yield ""
        if found[0].optimum:
            costs = found[0].optimum
            yield (
                f"The Bayes-optimal estimator (equation 10) has {np.mean(costs):.3f} ± "
                f"{standard_error(costs):.3f} bits on the same sequences."
            )
            yield ""


def _test_cell(result: SequenceResult, test: str) -> str:
    costs = result.tests[test]
    above = sum(cost > 1.0 for cost in costs)
    return f"{mean(result, test):.3f} ± {standard_error(costs):.3f} ({above})"


def _copying(
    experiment: SequenceExperiment, results: Sequence[SequenceResult], document: Path
) -> Iterator[str]:
    machines = [
        result
        for result in results
        if result.run.task == "copy" and result.run.model != "lstm" and result.done
    ]
    if not machines:
        return
    yield "## A machine that copies"
    yield ""
    yield "Time runs to the right. Slots are those that a head visits, in the memory's order."
    yield ""
    for result in machines:
        model = result.run.model
        for length in _PICTURED:
            path = document.with_name(
                f"{document.stem}-copy-{model.removeprefix('ntm-')}-{length}.svg"
            )
            plot_copy(experiment.copy_trace(result.run, length), path)
            yield f"![{NAMES[model]}, {length} vectors]({path.name})"
            yield ""


def _parameters(results: Sequence[SequenceResult]) -> Iterator[str]:
    yield "Weights, biases and the initial state, beside the paper's tables 1 to 3."
    yield ""
    yield "| task | network | here | paper |"
    yield "|---|---|---|---|"
    for result in results:
        paper = PARAMETERS[result.run.task][MODELS.index(result.run.model)]
        name = NAMES[result.run.model]
        yield f"| {result.run.task} | {name} | {result.parameters:,} | {paper:,} |"
    yield ""
    yield from _PARAMETERS_NOTE.splitlines()


_PARAMETERS_NOTE = """\
The paper's LSTM networks of associative recall, dynamic n-grams and repeat copy come out exactly:
every layer sees the input and every layer reaches the output, cells have no peepholes, and the
initial state is learned. That of copy comes out with one more input and one more output, as if it
had repeat copy's number of copies and end marker, of which the text says nothing. That of priority
sort does not come out with any number of inputs and outputs. The paper leaves open what the
controller sends to the heads, what the output sees and what of the initial state is learned, and
gives no range of shifts. The machines with one head of each kind have 1 to 8 % fewer parameters
than the paper's, those with several heads up to 20 % fewer; why is not known."""
