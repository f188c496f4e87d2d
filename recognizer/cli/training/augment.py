"""``recognizer augment``: the augmented copies that a training would make, as audio files."""

from __future__ import annotations

import click


@click.command()
@click.argument("recipe")
@click.argument("data", type=click.Path())
@click.argument("out", type=click.Path())
@click.option(
    "--utterances",
    type=click.IntRange(min=1),
    metavar="N",
    default=10,
    show_default=True,
    help="How many, spread over the set.",
)
@click.option(
    "--root", metavar="DIR", default=".", type=click.Path(), help="Where patterns of noise start."
)
def augment(recipe: str, data: str, out: str, utterances: int, root: str) -> None:
    """Write what the table [acoustic.augmentation] of RECIPE makes of recordings of the set DATA.

    RECIPE is a TOML file of recognizer train, recipe or retrain, or the name of a recipe. Directory
    OUT, which must not exist, gets UTTERANCE.wav, the recording, its copies UTTERANCE+COPY.wav, and
    augmentations.jsonl, which says what was done to each.

    \b
    Example:
      recognizer augment train.toml data/train listen --root corpora
    """
    from pathlib import Path

    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.errors import SpeechError
    from recognizer.data.io.console import progress_bar
    from recognizer.data.io.options import from_table, read_toml
    from recognizer.pipelines.acoustic.augmented_audio import write_augmented_audio
    from recognizer.pipelines.acoustic.options import AcousticOptions
    from recognizer.pipelines.recipe import find_recipe

    path = find_recipe(recipe)
    options = from_table(AcousticOptions, read_toml(path).get("acoustic", {}), f"{path}: acoustic")
    if options.augmentation is None:
        raise SpeechError(f"{path}: expected a table [acoustic.augmentation], found none")
    chosen = read_corpus(data).spread(utterances).utterances
    with progress_bar("augmented copies", len(chosen)) as advance:
        write_augmented_audio(options, chosen, Path(out), Path(root), progress=advance)
    click.echo(out)
