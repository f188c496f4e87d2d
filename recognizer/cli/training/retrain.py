"""``recognizer retrain``: a model with a network trained anew."""

from __future__ import annotations

import click

from recognizer.cli.training.stage_options import numpy_on_one_thread, stage_range, work_options


@click.command()
@click.argument("recipe")
@work_options
@stage_range
def retrain(
    recipe: str, corpora: str, work: str, first: str | None, last: str | None, jobs: int
) -> None:
    """Train a model's network anew, as RECIPE says: a built-in recipe's name, or a TOML file.

    The model aligns the training sets, and the network is trained on with these labels, or a new
    one in its place (fresh = true). Tree, lexicon, graph and language models stay, so neither text
    nor a flat start is needed. Then scales are tuned and error rates measured on development sets.
    The stages are align, features, network, model, tune and evaluate; those that are done are
    skipped, and an interrupted one goes on. The new model is WORK/model, printed at the end. Needs
    torch: pip install 'recognizer[train]'.

    \b
    Example:
      cat > mine.toml <<'END'
      model = "english"
      [[training]]
      data = "meetings/train"
      licence = "our own"
      [acoustic.training]
      epochs = 4
      learning_rate = 2e-4
      [tuning]
      data = ["meetings/dev"]
      END
      recognizer retrain mine.toml --corpora data --work exp/mine
      recognize --model exp/mine/model recording.wav
    """
    numpy_on_one_thread()

    from recognizer.pipelines.build import retrain_model

    model = retrain_model(recipe, corpora, work, first=first, last=last, jobs=jobs)
    if last is None:
        click.echo(model)
