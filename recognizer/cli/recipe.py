"""``recognizer recipe``: a model from corpora and text, stage by stage."""

from __future__ import annotations

import click


@click.command()
@click.argument("recipe")
@click.option(
    "--corpora", type=click.Path(), required=True, help="Directory of the sets that it names."
)
@click.option("--work", type=click.Path(), required=True, help="Directory of all results.")
@click.option("--from", "first", metavar="STAGE", help="Run this stage and the later ones anew.")
@click.option("--until", "last", metavar="STAGE", help="Stop after this stage.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, help="Processes.  [default: 1]")
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
    import os

    # Utterances are what runs in parallel here; numpy reads this when it is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from pathlib import Path

    from recognizer.recipe import read_recipe
    from recognizer.recipe_stages import recipe_stages
    from recognizer.stages import run_stages

    stages = recipe_stages(read_recipe(recipe), Path(corpora), Path(work), jobs=jobs)
    run_stages(stages, Path(work), first=first, last=last)
    if last is None:
        click.echo(Path(work) / "model")
