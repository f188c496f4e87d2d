"""``recognizer alignments``: read alignments of any format, check them, write them in another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recognizer.data.alignments.alignment import Tier

FORMATS = ("textgrid", "ctm", "timit", "mlf")


@click.command()
@click.argument("source", type=click.Path())
@click.option("--kind", help="ctm, textgrid, timit, kaldi, mlf or lhotse [default: what is there].")
@click.option("--data", metavar="DIR", type=click.Path(), help="The corpus that they align.")
@click.option("--phone-map", metavar="FILE", type=click.Path(), help="Phones: OLD NEW a line.")
@click.option("--words-tier", metavar="NAME", help="A TextGrid's [default: words or ORT-MAU].")
@click.option("--phones-tier", metavar="NAME", help="A TextGrid's [default: phones or MAU].")
@click.option(
    "--frame-shift", metavar="S", type=float, default=0.01, help="Of Kaldi's [default: 0.01]."
)
@click.option("--skip", is_flag=True, help="Count what cannot be used; else it is an error.")
@click.option("--output-dir", metavar="DIR", type=click.Path(), help="Where to write them.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="textgrid",
    help="What to write [default: textgrid].",
)
def alignments(
    source: str,
    kind: str | None,
    data: str | None,
    phone_map: str | None,
    words_tier: str | None,
    phones_tier: str | None,
    frame_shift: float,
    skip: bool,
    output_dir: str | None,
    form: str,
) -> None:
    """Read the alignments in SOURCE, say what is in them, and write them in another format.

    SOURCE is a directory of Praat TextGrids, TIMIT's .phn and .wrd, words.ctm and phones.ctm,
    Kaldi's ali.*.gz with final.mdl and phones.txt, an HTK MLF, a manifest of Lhotse, or such a
    file. With --data, every alignment needs audio, and must not be longer than it. What cannot be
    used is an error; with --skip it is counted, with the first examples of each reason.

    \b
    Examples:
      recognizer alignments exp/tri3b_ali
      recognizer alignments timit/train --phone-map 61-39.map --data data/train --skip
      recognizer alignments exp/tri3b_ali --output-dir grids --format textgrid
      recognizer alignments elan --words-tier "Ana words" --phones-tier "Ana phones"
    """
    from recognizer.alignment.checks import of_corpus
    from recognizer.alignment.sources import AlignmentSource, SourceOptions, write_alignments
    from recognizer.cli.run import report
    from recognizer.data.alignments.exclusions import Exclusions

    options = SourceOptions(
        kind=kind,
        phone_map=phone_map,
        words_tier=words_tier,
        phones_tier=phones_tier,
        frame_shift=frame_shift,
    )
    where = AlignmentSource(Path(source), options)
    exclusions = Exclusions() if skip else None
    read = where.read(exclusions)
    if data is not None:
        from recognizer.data.corpora.corpus import read_corpus

        utterances = list(read_corpus(data))
        read = of_corpus(
            read, utterances, source=where.path, data=Path(data), exclusions=exclusions
        )
    found = list(read)
    for line in exclusions.lines() if exclusions is not None else ():
        report("recognizer alignments", line)
    tiers: tuple[Tier, ...] = ("words", "phones", "states")
    for tier in tiers:
        labels = Counter(segment.label for one in found for segment in one.tier(tier))
        click.echo(f"{labels.total():,} {tier}, {len(labels):,} different")
    seconds = sum(one.end for one in found)
    click.echo(f"{len(found):,} utterances of {seconds:,.1f} s, read as {where.kind}")
    if output_dir is not None:
        write_alignments(found, Path(output_dir), form)
