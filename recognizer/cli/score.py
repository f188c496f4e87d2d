"""``recognizer score``: two transcript files in, Kaldi's %WER line out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recognizer.data.text.rules import RULE_SETS

if TYPE_CHECKING:
    from recognizer.evaluation.transcript_files import TranscriptFormat

FORMATS = click.Choice(["trn", "text", "stm", "ctm"])


@click.command()
@click.argument("reference", type=click.Path())
@click.argument("hypothesis", type=click.Path())
@click.option("--alignments", is_flag=True, help="Print the alignment of every utterance first.")
@click.option(
    "--case-sensitive",
    is_flag=True,
    help="Tell upper from lower case, as sclite -s does [default: as sclite, do not].",
)
@click.option(
    "--optional-words",
    is_flag=True,
    help="Words in brackets, (word), may be missing, as for sclite -D.",
)
@click.option(
    "--text-rules",
    type=click.Choice(RULE_SETS),
    help="Normalise both transcripts as this language is written [default: take them as they are].",
)
@click.option("--reference-format", type=FORMATS, help="[default: by the ending].")
@click.option("--hypothesis-format", type=FORMATS, help="[default: by the ending].")
def score(
    reference: str,
    hypothesis: str,
    alignments: bool,
    case_sensitive: bool,
    optional_words: bool,
    text_rules: str | None,
    reference_format: TranscriptFormat | None,
    hypothesis_format: TranscriptFormat | None,
) -> int:
    """Compare the transcripts HYPOTHESIS with REFERENCE.

    Files ending in .trn are sclite's (words, then the utterance in brackets); in .ctm, NIST's
    words with times, each recording an utterance; in .stm, NIST's segments, as the reference of a
    .ctm, whose words go to the segments as sclite assigns them, or of an .stm with the same
    segments; all others are Kaldi's text (the
    utterance, then the words). In .trn and .stm alternatives may stand in braces, { um / uh / @ },
    of which @ is no word.

    Prints Kaldi's line, counts as sclite's, and the 95 % interval of a bootstrap over utterances.
    Utterances without a hypothesis count as deletions. As for sclite, upper and lower case are
    one; names of utterances and recordings are compared as they are. With --text-rules numbers,
    punctuation, apostrophes and the like are those of the rules, and tags such as [noise] go.

    \b
    Examples:
      recognizer score exp/test/ref.trn exp/test/hyp.trn
      recognizer score corpus/test.stm exp/test/words.ctm --optional-words
      recognizer score data/fr/text exp/fr/text --text-rules unicode
    """
    from recognizer.cli.run import report
    from recognizer.evaluation.bootstrap import wer_interval
    from recognizer.evaluation.error_counts import total
    from recognizer.evaluation.transcript_files import TranscriptOptions, transcript_pairs
    from recognizer.evaluation.word_alignment import alignment_text, count_errors

    pairs = transcript_pairs(
        reference,
        hypothesis,
        reference_format=reference_format,
        hypothesis_format=hypothesis_format,
        options=TranscriptOptions(case_sensitive, optional_words, text_rules),
    )
    missing = [pair.utterance for pair in pairs if pair.missing]
    if missing:
        report(
            "recognizer score",
            f"{hypothesis}: nothing for {len(missing)} utterances, "
            f"the first {missing[0]!r}: their words count as deleted",
        )
    counts = []
    for pair in pairs:
        counts.append(count_errors(pair.reference, pair.hypothesis))
        if alignments:
            click.echo(alignment_text(pair.utterance, pair.reference, pair.hypothesis))
    interval = wer_interval(counts)
    click.echo(f"{len(counts)} utterances, 95 % interval {interval.low:.2f} to {interval.high:.2f}")
    click.echo(str(total(counts)))
    return 0
