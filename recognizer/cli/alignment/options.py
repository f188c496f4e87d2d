"""Options that several alignment commands share."""

from __future__ import annotations

import click

ALIGNER = click.option(
    "--model",
    metavar="DIR",
    type=click.Path(),
    help="A model directory, or an aligner that align --train left [default: English].",
)

ADD_LEXICON = click.option(
    "--add-lexicon",
    metavar="FILE",
    type=click.Path(),
    help="Pronunciations beside those of the model's dictionary, in its phones.",
)

SPEAKER_CHARACTERS = click.option(
    "--speaker-characters",
    metavar="N",
    type=click.IntRange(min=1),
    help="In folders of recordings with transcripts beside them: the speaker is what a file's name "
    "begins with [default: its folder].",
)
