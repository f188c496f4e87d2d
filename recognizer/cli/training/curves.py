"""``recognizer curves``: pictures of how trainings went."""

from __future__ import annotations

from typing import Literal

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "--output", "-o", required=True, type=click.Path(), help="Picture to write: .svg, .png or .pdf."
)
@click.option(
    "--over",
    type=click.Choice(["frames", "seconds"]),
    default="frames",
    show_default=True,
    help="The horizontal axis.",
)
def curves(runs: tuple[str, ...], output: str, over: Literal["frames", "seconds"]) -> None:
    """Plot frame accuracy and cross-entropy of the trainings in the directories RUNS.

    A training keeps its measurements in training.jsonl: of `recognizer train` it lies in the
    stage's directory, OUTPUT/work/network. Its curves can be watched, too:
    tensorboard --logdir OUTPUT. Needs matplotlib: pip install 'recognizer[train]'.

    \b
    Examples:
      recognizer curves exp/acoustic/work/network -o curves.svg
      recognizer curves exp/single exp/async -o modes.png --over seconds
    """
    from recognizer.am.training.engine.curves import plot_curves, read_curve

    plot_curves({run: read_curve(run) for run in runs}, output, over=over)
