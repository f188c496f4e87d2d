"""Options that the commands of ``recognizer lm`` share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from recognizer.lm.model.model_files import WriteOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def output_options(command: Command) -> Command:
    """The options of all commands that write a model."""
    options = (
        click.option(
            "--output",
            metavar="FILE",
            type=click.Path(),
            required=True,
            help="The model to write: .arpa, .arpa.gz or .ngram.",
        ),
        click.option(
            "--decimals",
            metavar="N",
            type=click.IntRange(1, 9),
            help="Of numbers in an ARPA file [default: 6; `convert`: as many as it takes].",
        ),
        click.option(
            "--layout",
            type=click.Choice(("fast", "compact")),
            help="Of a .ngram file: compact takes half the memory or less [default: fast].",
        ),
        click.option(
            "--bits",
            metavar="N",
            type=click.IntRange(8, 16),
            help="Quantise the numbers of a compact .ngram file [default: exact].",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


class _Bytes(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """An amount such as 500M or 4G, in bytes."""

    name = "size"

    def convert(self, value: Any, param: Any, context: Any) -> int:
        match = re.fullmatch(r"(\d+)([KMGT]?)", str(value), re.IGNORECASE)
        if match is None:
            self.fail(f"expected a size such as 500M or 4G, found {value!r}", param, context)
        return int(match[1]) << 10 * " KMGT".index(match[2].upper() or " ")


def work_options(command: Command) -> Command:
    """The options of commands that sort on disk what memory does not hold."""
    options = (
        click.option(
            "--memory",
            metavar="SIZE",
            type=_Bytes(),
            default="4G",
            show_default=True,
            help="For sorting; the vocabulary and some buffers come on top.",
        ),
        click.option(
            "--temporary",
            metavar="DIR",
            type=click.Path(),
            help="Where temporary files go [default: beside the output].",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def write_options_of(
    output: str, decimals: int | None, layout: str | None, bits: int | None
) -> WriteOptions:
    """The options of `output_options`, checked before any work is done."""
    from recognizer.lm.automaton.automaton import COMPACT, FAST
    from recognizer.lm.model.model_files import BINARY_SUFFIX, WriteOptions, check_output

    check_output(output)
    if output.endswith(BINARY_SUFFIX):
        wrong = ["--decimals"] if decimals is not None else []
    else:
        given = (("--layout", layout), ("--bits", bits))
        wrong = [name for name, value in given if value is not None]
    if wrong:
        raise click.UsageError(f"{wrong[0]} does not go with the output {output}")
    return WriteOptions(
        decimals=decimals,
        layout=layout or (FAST if bits is None else COMPACT),
        bits=bits,
    )


_Number = TypeVar("_Number", int, float)


def number_list(text: str | None, kind: type[_Number], option: str) -> list[_Number] | None:
    """Numbers separated by commas, of an option."""
    if text is None:
        return None
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"expected numbers separated by commas, found {text!r}", param_hint=option
        ) from None
