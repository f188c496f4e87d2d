"""``recognizer combine``: one transcript from the lattices of several systems."""

from __future__ import annotations

from collections.abc import Sequence

import click

from recognizer.data.text.rules import RULE_SETS


@click.command()
@click.argument("systems", metavar="LATTICES...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--output-dir", metavar="DIR", type=click.Path(), required=True, help="Where results go."
)
@click.option(
    "--weights",
    metavar="X,X,...",
    help="Of the systems, such as 0.6,0.4 [default: all the same].",
)
@click.option(
    "--acoustic-scales",
    metavar="X,X,...",
    help="Of the systems, in place of what their files say.",
)
@click.option(
    "--frame-shifts",
    metavar="SECONDS,...",
    help="Of the systems, in place of what their files say.",
)
@click.option(
    "--reference",
    metavar="FILE",
    type=click.Path(),
    help="Print word error rates against these transcripts (.trn, .ctm, or Kaldi's text).",
)
@click.option(
    "--text-rules",
    type=click.Choice(RULE_SETS),
    help="With --reference: normalise both sides as this language is written.",
)
def combine(
    systems: tuple[str, ...],
    output_dir: str,
    weights: str | None,
    acoustic_scales: str | None,
    frame_shifts: str | None,
    reference: str | None,
    text_rules: str | None,
) -> None:
    """Combine systems by their LATTICES: the words of least expected error.

    Each of LATTICES is a directory that recognizer lattice wrote of the same utterances with
    another model, or one of Kaldi's or HTK's lattices (see recognizer keywords index). The
    probability of a word sequence is the weighted mean of what the systems say, and the words are
    chosen by minimum Bayes risk (Xu, Povey, Mangu and Zhu 2011, as Kaldi's lattice-combine and
    lattice-mbr-decode). With one system, that is minimum Bayes risk alone. Utterances that a system
    lacks are left to the others, which is reported.

    DIR gets hyp.trn, text as Kaldi's, and words.ctm with times and confidences. With --reference
    the errors of each system's best paths and of the combination are printed, and how sure their
    difference is (paired bootstrap over utterances).

    \b
    Examples:
      recognizer combine exp/lstm/lattices exp/tdnn/lattices --output-dir exp/both
      recognizer combine exp/a exp/b --weights 0.7,0.3 --output-dir exp/ab --reference dev/text
    """
    from pathlib import Path

    from recognizer.cli.lm.options import number_list
    from recognizer.cli.run import report
    from recognizer.data.errors import UsageError
    from recognizer.data.io.files import check_directory
    from recognizer.evaluation.transcript_files import TranscriptOptions
    from recognizer.lattices.combine import (
        combine_directories,
        score_combination,
        write_combination,
    )
    from recognizer.lattices.directory import LatticeDirectory

    check_directory(Path(output_dir))
    if text_rules is not None and reference is None:
        raise UsageError("--text-rules goes with --reference")
    scales, shifts = (
        _of_each(number_list(text, float, option), len(systems), option)
        for text, option in (
            (acoustic_scales, "--acoustic-scales"),
            (frame_shifts, "--frame-shifts"),
        )
    )
    opened = [
        LatticeDirectory.open(path, acoustic_scale=scale, frame_shift=shift)
        for path, scale, shift in zip(systems, scales, shifts, strict=True)
    ]
    found = list(combine_directories(opened, number_list(weights, float, "--weights")))
    for number, path in enumerate(systems):
        lacking = [one.utterance for one in found if one.systems[number] is None]
        if lacking:
            report(
                "recognizer combine",
                f"{path}: no lattice of {len(lacking)} utterances, the first {lacking[0]!r}: the "
                "others decide there",
            )
    scores = None
    if reference is not None:
        options = TranscriptOptions(text_rules=text_rules)
        scores = score_combination(found, systems, reference, options)
    write_combination(output_dir, found)
    if scores is None:
        click.echo(f"{len(found)} utterances, {sum(len(one.words) for one in found):,} words")
    else:
        click.echo(scores.table(), nl=False)


def _of_each(values: list[float] | None, systems: int, option: str) -> Sequence[float | None]:
    """A value of each system, or None for each."""
    if values is None:
        return [None] * systems
    if len(values) != systems or not all(0.0 < value < float("inf") for value in values):
        raise click.BadParameter(
            f"expected {systems} finite numbers above 0, found {values}", param_hint=option
        )
    return values
