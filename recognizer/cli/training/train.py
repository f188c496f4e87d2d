"""``recognizer train``: an acoustic model from aligned corpora."""

from __future__ import annotations

import click

from recognizer.cli.training.stage_options import stage_range


@click.command()
@click.argument("recipe", type=click.Path())
@stage_range
@click.option(
    "--mode",
    type=click.Choice(["single", "async", "ddp", "ray"]),
    help="How the network is trained, instead of what RECIPE says.",
)
@click.option("--workers", type=int, help="Processes of mode async, workers of mode ray.")
@click.option("--device", help="What trains the network: cpu, cuda (a GPU) or cuda:N.")
def train(
    recipe: str,
    first: str | None,
    last: str | None,
    mode: str | None,
    workers: int | None,
    device: str | None,
) -> None:
    """Train an acoustic model as the TOML file RECIPE says.

    Grows the tree, computes features, trains the network and its priors. Stages that are done are
    skipped, and an interrupted training goes on where it was. The stages are tree, features,
    network and model. Needs torch: pip install 'recognizer[train]'.

    Alignments may be TextGrids, CTM, TIMIT's, Kaldi's, HTK's or Lhotse's. With labels = "states"
    those of Kaldi and HTK give the network's outputs as they are; no tree is grown then. With
    realign = N the network aligns its training sets N times anew and goes on from there.

    The network is trained in a single process (mode single); by processes of this machine that
    share its parameters (async, with --workers); by such over machines, on Ray (ray, with
    --workers); or by processes that torchrun starts, which act as one (ddp). GPUs serve in the
    modes single and ddp.

    \b
    Examples:
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
      recognizer train train.toml --mode async --workers 4
      recognizer train train.toml --device cuda
      torchrun --nproc-per-node 4 --no-python recognizer train train.toml --mode ddp
    """
    from recognizer.pipelines.train import train_from_file

    given = {"mode": mode, "workers": workers, "device": device}
    changes = {name: value for name, value in given.items() if value is not None}
    output = train_from_file(recipe, first=first, last=last, changes=changes)
    if output is not None:
        click.echo(output)
