"""``recognizer score``: two transcript files in, Kaldi's %WER line out."""

from __future__ import annotations

import click


@click.command()
@click.argument("reference", type=click.Path())
@click.argument("hypothesis", type=click.Path())
@click.option("--alignments", is_flag=True, help="Print the alignment of every utterance first.")
def score(reference: str, hypothesis: str, alignments: bool) -> int:
    """Compare the transcripts HYPOTHESIS with REFERENCE.

    Files ending in .trn are sclite's (words, then the utterance in brackets), all others Kaldi's
    text (the utterance, then the words). Prints Kaldi's line, counts as sclite's, and the 95 %
    interval of a bootstrap over utterances. Utterances without a hypothesis count as deletions.

    \b
    Example:
      recognizer score exp/test/ref.trn exp/test/hyp.trn
    """
    from recognizer.cli.run import report
    from recognizer.data.errors import SpeechError
    from recognizer.evaluation import scoring

    references = scoring.read_transcripts(reference)
    hypotheses = scoring.read_transcripts(hypothesis)
    if not references:
        raise SpeechError(f"{reference}: expected utterances, found none")
    scoring.check_known(references, hypotheses, hypothesis)
    missing = [name for name in references if name not in hypotheses]
    if missing:
        report(
            "recognizer score",
            f"{hypothesis}: no line for {len(missing)} utterances, "
            f"the first {missing[0]!r}: their words count as deleted",
        )
    counts = []
    for name, words in references.items():
        hyp = hypotheses.get(name, ())
        counts.append(scoring.count_errors(words, hyp))
        if alignments:
            click.echo(scoring.alignment_text(name, words, hyp))
    interval = scoring.wer_interval(counts)
    click.echo(f"{len(counts)} utterances, 95 % interval {interval.low:.2f} to {interval.high:.2f}")
    click.echo(str(scoring.total(counts)))
    return 0
