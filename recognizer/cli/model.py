"""``recognizer model``: what a model directory holds, and whether it is whole."""

from __future__ import annotations

import click


@click.group()
def model() -> None:
    """Show, check or change a model directory.

    \b
    Examples:
      recognizer model show
      recognizer model check exp/english/model
      recognizer model static exp/english/model --output exp/english/static
      recognizer model aligner --output exp/english_aligner
    """


@model.command()
@click.argument("directory", required=False, type=click.Path())
def show(directory: str | None) -> None:
    """Print what is known of the model in DIRECTORY [default: English].

    Its network's shape, states and priors stand at the head, as comments; what follows is TOML.

    \b
    Example:
      recognizer model show
    """
    from recognizer.data.io.options import to_toml
    from recognizer.model.bundle import ModelBundle
    from recognizer.model.summary import network_summary

    bundle = ModelBundle(directory)
    for line in network_summary(bundle):
        click.echo(f"# {line}")
    click.echo(to_toml(bundle.config), nl=False)


@model.command()
@click.argument("directory", required=False, type=click.Path())
def check(directory: str | None) -> None:
    """Read every part of the model in DIRECTORY [default: English] and compare hashes and parts.

    \b
    Example:
      recognizer model check exp/english/model
    """
    from recognizer.model.bundle import ModelBundle

    bundle = ModelBundle(directory)
    bundle.check()
    size = sum(record.size for record in bundle.config.files.values())
    click.echo(f"{bundle.path}: {bundle.config.name}, {size / 1e6:.1f} MB, all parts are good")


@model.command()
@click.argument("directory", required=False, type=click.Path())
@click.option("--output", metavar="DIR", type=click.Path(), required=True, help="The new model.")
def static(directory: str | None, output: str) -> None:
    """Make a variant of the model in DIRECTORY [default: English] with a static graph.

    Its first pass searches HCLG, in which the language model is compiled, instead of composing
    the two on the fly: quicker, but the graph's file is many times as large, and building it takes
    time and memory. The first pass then backs off as a static graph does, so results differ a
    little: what was measured with the other variant is left out of model.toml.

    \b
    Example:
      recognizer model static --output exp/english-static
    """
    from recognizer.model.static import make_static

    bundle = make_static(directory, output)
    size = (bundle.path / bundle.graph_file).stat().st_size
    click.echo(
        f"{bundle.path}: {bundle.graph_file}: {bundle.graph.num_arcs:,} arcs, {size / 1e6:.1f} MB"
    )


@model.command()
@click.argument("directory", required=False, type=click.Path())
@click.option("--output", metavar="DIR", type=click.Path(), required=True, help="The new model.")
def aligner(directory: str | None, output: str) -> None:
    """Make a model that recognises with the aligner of the one in DIRECTORY [default: English].

    Trainings that go on from a model (recognizer retrain, recognizer experiment) need one whose
    network gives labels to every frame and recognises, too. Its scales are still to be tuned.

    \b
    Example:
      recognizer model aligner --output exp/english_aligner
    """
    from recognizer.model.of_aligner import make_of_aligner

    bundle = make_of_aligner(directory, output)
    click.echo(f"{bundle.path}: {bundle.recognition.network.options}")


@model.command()
@click.argument("directory", type=click.Path())
def record(directory: str) -> None:
    """Record the files of the model in DIRECTORY anew, after one was replaced.

    A language model of your own takes the place of rescoring.ngram as rescoring.ngram
    (recognizer lm convert) or, slower to start with, as rescoring.arpa.gz; it must know all words
    of the first pass.

    \b
    Example:
      recognizer lm convert my.arpa.gz --output exp/mine/rescoring.ngram --layout compact
      recognizer model record exp/mine
    """
    from recognizer.model.bundle import write_config
    from recognizer.model.files import read_config

    write_config(directory, read_config(directory)).check()
