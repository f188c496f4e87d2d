"""Tables for people and files of figures, the same for all benchmarks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from recognizer.data.io.files import replace_text

Row = dict[str, Any]

FILE_WIDTH = 240  # columns of tables that go to a file or a pipe


def output() -> Console:
    """Standard output; wide where it is not a terminal, so that no cell is cut."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH, highlight=False)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--json FILE``."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")


def print_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows as a table whose columns are the rows' fields in the order they first occur."""
    table = Table(title=title)
    fields = list(dict.fromkeys(field for row in rows for field in row))
    for field in fields:
        numbers = all(isinstance(row.get(field, 0), (int, float)) for row in rows)
        table.add_column(field.replace("_", " "), justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(_cell(row[field]) if field in row else "" for field in fields))
    output().print(table)


def write_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Replaces a file by the figures; does nothing where no file was asked for."""
    if path is None:
        return
    with replace_text(path) as stream:
        json.dump(result, stream, indent=1)
        stream.write("\n")


def _cell(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
