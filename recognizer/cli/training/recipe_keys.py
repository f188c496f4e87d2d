"""A page of all keys of the TOML files that build, retrain, train and compare models."""

from __future__ import annotations

from collections.abc import Iterator

from recognizer.data.io.option_tables import OptionTable, option_tables
from recognizer.experiments.options import TablesExperiment
from recognizer.pipelines.recipe import Recipe
from recognizer.pipelines.retrain import RetrainRecipe
from recognizer.pipelines.train import TrainRecipe

_FILES: dict[str, type] = {
    "recognizer recipe": Recipe,
    "recognizer retrain": RetrainRecipe,
    "recognizer train": TrainRecipe,
    "recognizer experiment tables": TablesExperiment,
}

_HEAD = """\
# Keys of recipes

Every key of the TOML files that commands take, with what it takes, its default and what it means.
A table `[a.b]` is named a.b; `[[a]]`, which a file may have several times, is named a[]. A key
without a default may be left out, unless it is required. Unknown keys are errors. This page is what
`recognizer recipe --keys` prints.
"""


def keys_page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    described: dict[OptionTable, str] = {}
    for command, cls in _FILES.items():
        yield f"## {command}\n"
        again: dict[str, list[str]] = {}
        for table in option_tables(cls):
            if table in described:
                again.setdefault(described[table], []).append(f"`{table.name}`")
                continue
            described[table] = command
            yield _table(table)
        for other, names in again.items():
            yield f"As of {other}: {', '.join(names)}.\n"


def _table(table: OptionTable) -> str:
    lines = [f"### {table.name}\n"] if table.name else []
    lines += [f"{table.meaning}\n", "| key | takes | default | meaning |", "|---|---|---|---|"]
    for key in table.keys:
        default = f"`{key.default}`" if key.default not in ("", "required") else key.default
        meaning = key.meaning.replace("|", "\\|")
        lines.append(f"| `{key.name}` | {key.type} | {default} | {meaning} |")
    return "\n".join([*lines, ""])
