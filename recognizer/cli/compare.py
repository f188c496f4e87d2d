"""``recognizer compare``: which of two systems has fewer errors, and how sure that is."""

from __future__ import annotations

import click


@click.command()
@click.argument("first", metavar="A", type=click.Path())
@click.argument("second", metavar="B", type=click.Path())
@click.option(
    "--reference",
    metavar="FILE",
    type=click.Path(),
    help="What was said, where A and B are files of transcripts.",
)
@click.option(
    "--utt2spk",
    metavar="FILE",
    type=click.Path(),
    help="Speakers of the utterances [default: those of the results or of an .stm].",
)
@click.option("--case-sensitive", is_flag=True, help="Tell upper from lower case.")
@click.option("--optional-words", is_flag=True, help="Words in brackets, (word), may be missing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compare(
    first: str,
    second: str,
    reference: str | None,
    utt2spk: str | None,
    case_sensitive: bool,
    optional_words: bool,
    as_json: bool,
) -> None:
    """Compare the word errors of two systems A and B on the same utterances.

    A and B are directories that recognizer evaluate --out wrote, or, with --reference, files of
    transcripts as recognizer score reads them. Prints the rates of both, and how their difference
    (B less A, in percent points) varies in 10,000 samples of a paired bootstrap: over utterances,
    and over whole speakers, whose errors depend on each other. The last column is the share of
    samples in which B has fewer errors.

    \b
    Examples:
      recognizer compare exp/old/test exp/new/test
      recognizer compare old.trn new.trn --reference ref.trn --utt2spk data/test/utt2spk
      recognizer compare old.ctm new.ctm --reference test.stm --json
    """
    import json

    from recognizer.data.errors import UsageError
    from recognizer.evaluation import compare as comparing
    from recognizer.evaluation.transcript_files import TranscriptOptions

    speakers: dict[str, str] | None
    if reference is None:
        if case_sensitive or optional_words:
            raise UsageError("--case-sensitive and --optional-words go with --reference")
        one, speakers = comparing.errors_of_result(first)
        other, _ = comparing.errors_of_result(second)
        comparing.check_same_reference(first, second)
    else:
        options = TranscriptOptions(case_sensitive, optional_words)
        one, speakers = comparing.errors_of_files(reference, first, options)
        other, _ = comparing.errors_of_files(reference, second, options)
    if utt2spk is not None:
        speakers = comparing.read_speakers(utt2spk)
    found = comparing.compare(one, other, speakers)
    if as_json:
        click.echo(json.dumps(found.result(), indent=2))
    else:
        click.echo(found.table(), nl=False)
