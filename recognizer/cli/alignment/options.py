"""Options that several alignment commands share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recognizer.decoding.alignment.tolerance import Tolerance

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

BEAM = click.option(
    "--beam",
    metavar="X",
    type=float,
    help="Of the search, natural logs after the acoustic scale [default: 10; --tolerant: 20].",
)

RETRY_BEAM = click.option(
    "--retry-beam",
    metavar="X",
    type=float,
    help="Where there is no path within the beam; 0 for no second attempt [default: 40].",
)


def tolerance_of(
    tolerant: bool,
    beam: float | None,
    retry_beam: float | None,
    costs: Mapping[str, float | None] | None = None,
) -> Tolerance | None:
    """What --tolerant and its options say; None without it."""
    from recognizer.data.errors import UsageError
    from recognizer.decoding.alignment.tolerance import Tolerance

    given = {name: cost for name, cost in (costs or {}).items() if cost is not None}
    if not tolerant:
        if given:
            name = next(iter(given)).replace("_", "-")
            raise UsageError(f"--{name}: expected --tolerant beside it")
        return None
    if retry_beam is not None:
        raise UsageError("--retry-beam: with --tolerant the second attempt has no beam")
    return Tolerance(**given, **({} if beam is None else {"beam": beam}))
