"""Options of the commands that make something in stages, below a directory of results."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

_Command = Callable[..., Any]


def work_options(command: _Command) -> _Command:
    """Options ``--corpora``, ``--work`` and ``--jobs``."""
    corpora = click.option(
        "--corpora", type=click.Path(), required=True, help="Directory of the sets that it names."
    )
    work = click.option(
        "--work", type=click.Path(), required=True, help="Directory of all results."
    )
    jobs = click.option(
        "--jobs", type=click.IntRange(min=1), default=1, help="Processes.  [default: 1]"
    )
    return corpora(work(jobs(command)))


def stage_range(command: _Command) -> _Command:
    """Options ``--from`` (argument ``first``) and ``--until`` (``last``)."""
    first = click.option(
        "--from", "first", metavar="STAGE", help="Run this stage and the later ones anew."
    )
    last = click.option("--until", "last", metavar="STAGE", help="Stop after this stage.")
    return first(last(command))


def numpy_on_one_thread() -> None:
    """Before numpy is first imported: utterances, not its products, are what runs in parallel."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
