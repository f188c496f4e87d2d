"""``recognizer model``: what a model directory holds, and whether it is whole."""

from __future__ import annotations

import click


@click.group()
def model() -> None:
    """Show or check a model directory.

    \b
    Examples:
      recognizer model show
      recognizer model check exp/english/model
    """


@model.command()
@click.argument("directory", required=False, type=click.Path())
def show(directory: str | None) -> None:
    """Print what is known of the model in DIRECTORY [default: English].

    \b
    Example:
      recognizer model show
    """
    from recognizer.bundle import ModelBundle
    from recognizer.options import to_toml

    click.echo(to_toml(ModelBundle(directory).config), nl=False)


@model.command()
@click.argument("directory", required=False, type=click.Path())
def check(directory: str | None) -> None:
    """Read every part of the model in DIRECTORY [default: English] and compare hashes and parts.

    \b
    Example:
      recognizer model check exp/english/model
    """
    from recognizer.bundle import ModelBundle

    bundle = ModelBundle(directory)
    bundle.check()
    size = sum(record.size for record in bundle.config.files.values())
    click.echo(f"{bundle.path}: {bundle.config.name}, {size / 1e6:.1f} MB, all parts are good")
