"""Options of the commands that recognise with a neural language model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def neural_options(command: Command) -> Command:
    """--neural-lm and --neural-weight."""
    options = (
        click.option(
            "--neural-lm",
            metavar="FILE",
            type=click.Path(),
            help="A neural language model (recognizer lm neural train), which rescores lattices.",
        ),
        click.option(
            "--neural-weight",
            metavar="X",
            type=click.FloatRange(0, 1),
            help="Of it, beside the n-gram model [default: what recognizer tune has chosen, or "
            "0.5].",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def check_neural_options(neural_lm: str | None, neural_weight: float | None) -> None:
    """Refuse a weight without a model."""
    if neural_weight is not None and neural_lm is None:
        raise click.UsageError("--neural-weight goes with --neural-lm")
