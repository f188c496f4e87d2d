"""``recognizer train``: an acoustic model from aligned corpora."""

from __future__ import annotations

import click


@click.command()
@click.argument("recipe", type=click.Path())
@click.option("--from", "first", metavar="STAGE", help="Run this stage and the later ones anew.")
@click.option("--until", "last", metavar="STAGE", help="Stop after this stage.")
def train(recipe: str, first: str | None, last: str | None) -> None:
    """Train an acoustic model as the TOML file RECIPE says.

    Grows the tree, computes features, trains the LSTMP network and its priors. Stages that are
    done are skipped, and an interrupted training goes on where it was. The stages are tree,
    features, network and model. Needs torch: pip install 'recognizer[train]'.

    \b
    Example:
      recognizer align data/train --train --output-dir ali/train
      cat > train.toml <<'END'
      output = "exp/acoustic"
      [[sets]]
      data = "data/train"
      alignments = "ali/train"
      [acoustic.tree]
      num_leaves = 2000
      [acoustic.network]
      layers = 2
      cells = 512
      projection = 256
      [acoustic.training]
      epochs = 12
      END
      recognizer train train.toml
    """
    from recognizer.train import train_from_file

    click.echo(train_from_file(recipe, first=first, last=last))
