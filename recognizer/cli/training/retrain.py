"""``recognizer retrain``: a model with a network trained anew."""

from __future__ import annotations

import click

from recognizer.cli.training.stage_options import numpy_on_one_thread, stage_range, work_options


@click.command()
@click.argument("recipe")
@click.option(
    "--general",
    metavar="SET",
    multiple=True,
    help="Set of general speech to compare both models on, in place of the recipe's; repeatable.",
)
@work_options
@stage_range
def retrain(
    recipe: str,
    general: tuple[str, ...],
    corpora: str,
    work: str,
    first: str | None,
    last: str | None,
    jobs: int,
) -> None:
    """Train a model's network anew, as RECIPE says: a built-in recipe's name, or a TOML file.

    The model aligns the training sets, and the network is trained on with these labels, or a new
    one in its place (fresh = true). Tree, lexicon, graph and language models stay, so neither text
    nor a flat start is needed. Training ends where held-out accuracy falls, and keeps the best
    network; the new model's weights lie between the old ones and those (share). The defaults suit
    minutes of speech. Then scales are tuned and error rates measured on development sets, and a
    table compares the model before and after: on its own speech, and on the general speech that
    --general names, with a warning where that has become significantly worse. The stages are align,
    features, network, model, tune, evaluate and compare; those that are done are skipped, and an
    interrupted one goes on. The new model is WORK/model, printed at the end. Needs torch: pip
    install 'recognizer[train]'.

    \b
    Example:
      cat > mine.toml <<'END'
      model = "english"
      [[training]]
      data = "meetings"
      licence = "our own"
      held_out = 0.3                    # measured before and after
      [tuning]
      data = ["mini-librispeech/dev"]
      END
      recognizer retrain mine.toml --general excerpts80/dev \\
        --corpora data --work exp/mine
      recognize --model exp/mine/model recording.wav
    """
    numpy_on_one_thread()

    from recognizer.pipelines.build import retrain_model

    model = retrain_model(recipe, corpora, work, general=general, first=first, last=last, jobs=jobs)
    if last is None:
        click.echo(model)
