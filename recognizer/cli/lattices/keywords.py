"""``recognizer keywords``: words and phrases found in recordings, by an index of their lattices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from recognizer.decoding.keywords.index import KeywordIndex
    from recognizer.keywords.detections import DetectionOptions, Thresholds


@click.group()
def keywords() -> None:
    """Find words and phrases in recordings, also where they are not the best transcript.

    An index holds every word of the lattices of a collection, with its times and its probability.
    It is made once; searching it takes milliseconds.

    \b
    Examples:
      recognizer keywords index data/meetings --output meetings.index
      recognizer keywords search meetings.index "annual report" budget
      recognizer keywords score meetings.index words.ctm --list keywords.txt
    """


@keywords.command()
@click.argument("data", metavar="DATA|LATTICES", type=click.Path())
@click.option(
    "--output", metavar="DIR", type=click.Path(), required=True, help="Where the index goes."
)
@click.option(
    "--model", metavar="DIR", type=click.Path(), help="A model directory [default: English]."
)
@click.option(
    "--words",
    metavar="FILE",
    type=click.Path(),
    help="Words that the model does not have, as for recognize --words.",
)
@click.option(
    "--min-posterior",
    metavar="P",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    default=1e-5,
    show_default=True,
    help="Leave out words of lattices that are less likely.",
)
@click.option(
    "--acoustic-scale",
    metavar="X",
    type=click.FloatRange(0.0, min_open=True),
    help="Of LATTICES, in place of what their files say.",
)
@click.option(
    "--frame-shift",
    metavar="SECONDS",
    type=click.FloatRange(0.0, min_open=True),
    help="Of LATTICES, in place of what their files say.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Utterances recognised at the same time.",
)
@click.option("--allow-pipes", is_flag=True, help="Run the commands that wav.scp names.")
def index(
    data: str,
    output: str,
    model: str | None,
    words: str | None,
    min_posterior: float,
    acoustic_scale: float | None,
    frame_shift: float | None,
    threads: int,
    allow_pipes: bool,
) -> int:
    """Index the words of DATA, which is recognised, or of LATTICES.

    DATA is a folder of recordings, a Kaldi data directory, which needs no text, or any other corpus
    that recognizer lattice takes; recordings of more than a minute are recognised in segments.
    LATTICES is a directory that recognizer lattice wrote, one with lattices.txt.gz and words.txt of
    Kaldi (which needs --acoustic-scale and --frame-shift), or one with files .slf or .slf.gz, of
    which each is a recording. Times are exact where lattices have transition-ids and lattices.json.

    Words that the model does not have cannot be found: --words gives it those that will be asked
    for. An utterance that cannot be read is reported; the exit code is then 1.

    \b
    Examples:
      recognizer keywords index data/meetings --output meetings.index --threads 4
      recognizer keywords index exp/lattices --output meetings.index
    """
    from pathlib import Path

    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import Utterance, read_corpus
    from recognizer.data.errors import SpeechError
    from recognizer.data.io.console import progress_bar
    from recognizer.data.io.files import check_directory
    from recognizer.keywords.indexing import index_corpus, index_lattices
    from recognizer.lattices.directory import is_lattice_directory
    from recognizer.recognizer import Recognizer
    from recognizer.vocabulary.words import read_words

    check_directory(Path(output))
    failed = 0
    if is_lattice_directory(data):
        if model is not None or words is not None:
            raise click.UsageError(f"{data} holds lattices: --model and --words go with recordings")
        made = index_lattices(
            data,
            min_posterior=min_posterior,
            acoustic_scale=acoustic_scale,
            frame_shift=frame_shift,
        )
    else:
        if acoustic_scale is not None or frame_shift is not None:
            raise click.UsageError("--acoustic-scale and --frame-shift go with lattices")
        corpus = read_corpus(data, allow_pipes=allow_pipes, transcripts=False)
        added = () if words is None else read_words(words)
        recognizer = Recognizer(model, words=added)
        with progress_bar(str(data), len(corpus)) as advance:

            def progress(utterance: Utterance, error: SpeechError | None) -> None:
                nonlocal failed
                advance()
                if error is not None:
                    report("recognizer keywords index", f"{utterance.id}: {error}")
                    failed += 1

            made = index_corpus(
                corpus, recognizer, min_posterior=min_posterior, threads=threads, progress=progress
            )
    made.write(output)
    click.echo(
        f"{len(made.utterances)} utterances, {made.duration / 3600:.2f} hours, "
        f"{len(made.postings):,} postings"
    )
    return 1 if failed else 0


def _search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that search and score share."""
    for option in (
        click.option(
            "--max-gap",
            metavar="SECONDS",
            type=click.FloatRange(0.0),
            default=0.5,
            show_default=True,
            help="Most that may lie between two words of a phrase.",
        ),
        click.option(
            "--beta",
            metavar="X",
            type=click.FloatRange(0.0, min_open=True),
            default=999.9,
            show_default=True,
            help="Weight of false alarms; NIST's.",
        ),
        click.option(
            "--threshold",
            metavar="X",
            type=click.FloatRange(0.0, 1.0),
            default=0.5,
            show_default=True,
            help="The score from which on a keyword counts as detected.",
        ),
        click.option(
            "--thresholds",
            type=click.Choice(["single", "keyword"]),
            default="single",
            show_default=True,
            help="Whether scores are posteriors, or posteriors moved so that 0.5 is the threshold "
            "of each keyword that is best for the term-weighted value.",
        ),
        click.option(
            "--list",
            "listed",
            metavar="FILE",
            type=click.Path(),
            help="A file of keywords, one a line.",
        ),
    ):
        command = option(command)
    return command


@keywords.command()
@click.argument("index", type=click.Path())
@click.argument("keyword", nargs=-1)
@_search_options
@click.option("--all", "every", is_flag=True, help="Print what the threshold refuses, too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def search(
    index: str,
    keyword: tuple[str, ...],
    listed: str | None,
    thresholds: Thresholds,
    threshold: float,
    beta: float,
    max_gap: float,
    every: bool,
    as_json: bool,
) -> None:
    """Find each KEYWORD, a word or a phrase in quotation marks, in INDEX.

    Prints tab-separated columns, the likeliest of each keyword first: keyword, utterance,
    recording, start and end in seconds of the recording, posterior, score, decision. The posterior
    is the probability that the keyword is spoken there. With --thresholds keyword, rare keywords
    are detected at lower posteriors than frequent ones, for in the term-weighted value each miss of
    a rare keyword weighs more; this is for collections of an hour and more.

    \b
    Examples:
      recognizer keywords search meetings.index "annual report"
      recognizer keywords search meetings.index --list keywords.txt --all --json
    """
    import sys

    from recognizer.decoding.keywords.index import KeywordIndex
    from recognizer.keywords.detections import COLUMNS, detections

    options = _options(thresholds, threshold, beta, max_gap)
    wanted = _keywords(keyword, listed)
    opened = KeywordIndex.open(index)
    _warn_of_unknown(opened, wanted, "recognizer keywords search")
    if not as_json:
        sys.stdout.write("\t".join(COLUMNS) + "\n")
    for one in wanted:
        for found in detections(opened, one, options):
            if found.decision or every:
                sys.stdout.write(found.json() if as_json else found.row())


@keywords.command()
@click.argument("index", type=click.Path())
@click.argument("reference", type=click.Path())
@click.argument("keyword", nargs=-1)
@_search_options
@click.option("--each", is_flag=True, help="Print a table of the keywords first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def score(
    index: str,
    reference: str,
    keyword: tuple[str, ...],
    listed: str | None,
    thresholds: Thresholds,
    threshold: float,
    beta: float,
    max_gap: float,
    each: bool,
    as_json: bool,
) -> None:
    """Search INDEX for each KEYWORD and compare what is found with REFERENCE.

    REFERENCE is a CTM file of the words of the indexed recordings, such as the words.ctm of
    recognizer align. Prints NIST's term-weighted values, which F4DE computes: actual (ATWV), at the
    best threshold for all keywords (MTWV), at the best of each (OTWV), and without false alarms
    (STWV). A detection is right if its middle lies within half a second of an occurrence that no
    other detection has. Keywords that do not occur in the reference are left out.

    \b
    Examples:
      recognizer keywords score dev.index dev/words.ctm --list keywords.txt
      recognizer keywords score dev.index dev/words.ctm "annual report" budget --each
    """
    import sys

    from recognizer.decoding.keywords.index import KeywordIndex
    from recognizer.keywords import scoring

    options = _options(thresholds, threshold, beta, max_gap)
    wanted = _keywords(keyword, listed)
    opened = KeywordIndex.open(index)
    _warn_of_unknown(opened, wanted, "recognizer keywords score")
    values = scoring.score_keywords(opened, reference, wanted, options)
    sys.stdout.write(scoring.result(values) if as_json else scoring.table(values, each=each))


def _options(
    thresholds: Thresholds, threshold: float, beta: float, max_gap: float
) -> DetectionOptions:
    from recognizer.keywords.detections import DetectionOptions

    return DetectionOptions(thresholds, threshold, beta, max_gap)


def _keywords(given: tuple[str, ...], listed: str | None) -> tuple[str, ...]:
    from recognizer.keywords.detections import read_keywords

    found = given if listed is None else (*given, *read_keywords(listed))
    if not found:
        raise click.UsageError("expected keywords or --list FILE, found neither")
    return tuple(dict.fromkeys(found))


def _warn_of_unknown(index: KeywordIndex, wanted: tuple[str, ...], name: str) -> None:
    from recognizer.cli.run import report
    from recognizer.keywords.detections import unknown_words

    for keyword in wanted:
        words = unknown_words(index, keyword)
        if words:
            report(
                name,
                f"keyword {keyword!r}: {words[0]!r} is not in the index's vocabulary and cannot be "
                "found",
            )
