"""``recognizer lm estimate``: an n-gram model from text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recognizer.cli.lm.options import number_list, output_options, work_options, write_options_of
from recognizer.cli.lm.progress import stages
from recognizer.data.errors import SpeechError


@click.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--order", metavar="N", type=click.IntRange(1, 8), default=5, show_default=True, help="1 to 8."
)
@click.option(
    "--vocabulary", metavar="FILE", type=click.Path(), help="The model's words, one a line."
)
@click.option(
    "--min-count",
    metavar="N",
    type=click.IntRange(min=1),
    help="Instead: words that occur at least so often.",
)
@click.option(
    "--words",
    "words_file",
    metavar="FILE",
    type=click.Path(),
    help="Word classes, as of recognize --words: words in the text that are like <CLASS> are "
    "replaced by it.",
)
@click.option(
    "--cutoffs",
    metavar="LIST",
    help="By order, separated by commas: n-grams that occur at most so often are left out; the "
    "last number holds for all higher orders.",
)
@click.option(
    "--smoothing",
    type=click.Choice(("kneser-ney", "absolute")),
    default="kneser-ney",
    show_default=True,
    help="Absolute: lower orders count occurrences too, as hard pruning wants it.",
)
@click.option(
    "--discount-fallback",
    is_flag=True,
    help="Discounts 0.5, 1, 1.5 where the text is too small or artificial to determine them.",
)
@output_options
@work_options
@click.option(
    "--threads", metavar="N", type=click.IntRange(min=1), help="That work at once [default: all]."
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on where the same command was interrupted; its temporary files are still there.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Count on a Ray cluster (auto: the one that this machine belongs to), whose machines all "
    "have the texts under the same names.",
)
@click.option(
    "--parts",
    metavar="N",
    type=click.IntRange(min=1),
    help="Pieces of text that a cluster counts apart: some for each processor  [default: 16].",
)
def estimate(
    texts: tuple[str, ...],
    order: int,
    vocabulary: str | None,
    min_count: int | None,
    words_file: str | None,
    cutoffs: str | None,
    smoothing: str,
    discount_fallback: bool,
    output: str,
    memory: int,
    temporary: str | None,
    threads: int | None,
    resume: bool,
    cluster: str | None,
    parts: int | None,
    **write: Any,
) -> None:
    """Estimate an interpolated modified Kneser-Ney model from all TEXT together.

    The result is that of KenLM's lmplz, whatever --memory, --threads and --cluster. Without
    --vocabulary and --min-count the model has all words of the text. Prints the number of n-grams
    and the discounts of each order.

    With --words, the model has classes: what is said of one of the words of <city> holds for all of
    them, and recognize --words says which they are. Names of classes may stand in the text, too.

    \b
    Examples:
      recognizer lm estimate --order 3 --min-count 3 --output small.arpa.gz text.txt.gz
      recognizer lm estimate --order 3 --words cities.txt --output travel.arpa travel.txt
    """
    from recognizer.lm.estimation.estimate import (
        DISCOUNT_FALLBACK,
        CountingCluster,
        EstimateOptions,
        FileOptions,
        estimate_ngrams_of_files,
    )
    from recognizer.lm.resources import Resources, available_threads
    from recognizer.lm.text.text_files import STANDARD_INPUT, read_word_list

    write_options = write_options_of(output, **write)
    if vocabulary is not None and min_count is not None:
        raise click.UsageError("expected either --vocabulary or --min-count, found both")
    if texts.count(STANDARD_INPUT) > 1:
        raise click.UsageError("standard input can be read once")
    options = EstimateOptions(
        order=order,
        cutoffs=tuple(number_list(cutoffs, int, "--cutoffs") or ()),
        discount_fallback=DISCOUNT_FALLBACK if discount_fallback else None,
        continuation_counts=smoothing == "kneser-ney",
    )
    if parts is not None and cluster is None:
        raise click.UsageError("--parts goes with --cluster")
    class_of = {}
    if words_file is not None:
        # Imported here: it brings all of recognition with it, which estimation does without.
        from recognizer.vocabulary.words import class_of_words, read_words

        class_of = class_of_words(read_words(words_file))
        if not class_of:
            raise SpeechError(f"{words_file}: expected words that are like a class, found none")
    words = None if vocabulary is None else read_word_list(vocabulary)
    with stages() as progress:
        summary = estimate_ngrams_of_files(
            texts,
            output,
            options,
            vocabulary=words,
            min_count=min_count,
            class_of=class_of,
            files=FileOptions(
                write=write_options,
                resources=Resources(
                    memory,
                    threads or available_threads(),
                    None if temporary is None else Path(temporary),
                    progress,
                ),
                resume=resume,
                cluster=None if cluster is None else CountingCluster(cluster, parts or 16, memory),
            ),
        )
    for n, (count, discounts) in enumerate(
        zip(summary.counts, summary.discounts, strict=True), start=1
    ):
        shown = " ".join(f"{discount:.4f}" for discount in discounts)
        click.echo(f"{n}-grams\t{count}\tdiscounts {shown}")
