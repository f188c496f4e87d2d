"""``recognizer recipe``: a model from corpora and text, stage by stage."""

from __future__ import annotations

import click

from recognizer.cli.training.stage_options import numpy_on_one_thread, stage_range, work_options


def _print_keys(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from recognizer.cli.training.recipe_keys import keys_page

    click.echo(keys_page(), nl=False)
    context.exit()


@click.command()
@click.argument("recipe")
@click.option(
    "--keys",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_keys,
    help="Print every key of every file with its default and meaning, and exit.",
)
@work_options
@stage_range
def recipe(
    recipe: str, corpora: str, work: str, first: str | None, last: str | None, jobs: int
) -> None:
    """Build a model as RECIPE says: a built-in recipe's name, or a TOML file.

    Stages that are done with the same options are skipped, so a run that was interrupted goes on
    where it was, and a changed option repeats only what depends on it. The model directory is
    WORK/model, printed at the end. Needs torch: pip install 'recognizer[train]'.

    \b
    Example:
      recognizer recipe mini_librispeech --corpora corpora --work exp/mini --jobs 2
      recognize --model exp/mini/model recording.wav
    """
    numpy_on_one_thread()

    from recognizer.pipelines.build import build_model

    model = build_model(recipe, corpora, work, first=first, last=last, jobs=jobs)
    if last is None:
        click.echo(model)
