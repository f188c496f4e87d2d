"""``recognizer lm``: n-gram language models estimated, pruned, mixed, tested and converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recognizer.cli.lm.estimate import estimate
from recognizer.cli.lm.neural import neural
from recognizer.cli.lm.options import number_list, output_options, work_options, write_options_of
from recognizer.cli.lm.perplexity_row import COLUMNS, perplexity_row
from recognizer.cli.lm.progress import reading, stages, working
from recognizer.cli.lm.units import units

if TYPE_CHECKING:
    from recognizer.lm.model.perplexity import Perplexity
    from recognizer.lm.ngram.model import NgramModel


@click.group()
def lm() -> None:
    """Estimate, prune, mix, test and convert n-gram language models; train neural ones.

    Models are ARPA files (.arpa, .arpa.gz; .xz and .zst are read too) or our binary (.ngram), which
    is mapped into memory and opens at once. Text is UTF-8, one sentence a line, words separated by
    white space, plain or compressed (.gz, .xz, .zst); - is standard input.

    \b
    Examples:
      recognizer lm estimate --order 5 --output large.arpa.gz books.txt.gz news.txt.gz
      recognizer lm prune large.arpa.gz --ngrams 200000 --output small.arpa.gz
      recognizer lm perplexity large.arpa.gz dev.txt
    """


@lm.command()
@click.argument("model", type=click.Path())
@click.option(
    "--threshold",
    metavar="X",
    type=click.FloatRange(min=0),
    help="Leave out n-grams without which perplexity grows by less (relatively), such as 1e-8.",
)
@click.option(
    "--ngrams",
    metavar="N",
    type=click.IntRange(min=0),
    help="Instead: how many to keep above unigrams.",
)
@click.option(
    "--history-lm",
    metavar="MODEL",
    type=click.Path(),
    help="Take the probabilities of histories from another model of the same text, made by "
    "`estimate --smoothing absolute`: Kneser-Ney's lower orders are not the text's frequencies.",
)
@output_options
def prune(
    model: str,
    threshold: float | None,
    ngrams: int | None,
    history_lm: str | None,
    output: str,
    **write: Any,
) -> None:
    """Leave out of MODEL the n-grams that matter least (relative entropy, Stolcke 1998).

    Unigrams stay, and so do the histories of all that stays; back-off weights are computed anew.
    Prints the number of n-grams of each order.

    \b
    Example:
      recognizer lm prune large.arpa.gz --threshold 1e-8 --history-lm absolute.arpa.gz \\
        --output small.arpa.gz
    """
    from recognizer.lm.model.model_files import read_ngrams, write_ngrams
    from recognizer.lm.model.prune import history_probs, prune_ngrams, pruning_losses

    write_options = write_options_of(output, **write)
    if (threshold is None) == (ngrams is None):
        raise click.UsageError("expected either --threshold or --ngrams")
    with working(f"reading {model}"):
        whole = read_ngrams(model)
    histories = None
    if history_lm is not None:
        with working(f"reading {history_lm}"):
            histories = history_probs(whole, read_ngrams(history_lm))
    with working("pruning"):
        losses = pruning_losses(whole, histories)
        pruned = prune_ngrams(whole, threshold=threshold, ngrams=ngrams, losses=losses)
    with working("writing"):
        write_ngrams(pruned, output, write_options)
    for order, count in enumerate(whole.counts, start=1):
        kept = pruned.counts[order - 1] if order <= pruned.order else 0
        click.echo(f"{order}-grams\t{kept}\tof {count}")


@lm.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--dev",
    metavar="TEXT",
    multiple=True,
    type=click.Path(),
    help="Text that the weights shall suit best; may be repeated.",
)
@click.option("--weights", metavar="LIST", help="Instead: by model, separated by commas, sum 1.")
@output_options
def interpolate(
    models: tuple[str, ...],
    dev: tuple[str, ...],
    weights: str | None,
    output: str,
    **write: Any,
) -> None:
    """Mix all MODELs linearly into one back-off model.

    It has the n-grams of all, each with the weighted sum of what the models give it; a model gives
    nothing to words that it does not have. With --dev, weights are tuned by expectation
    maximisation, and the perplexities of all parts and of the mixture on that text are printed:
    without and with the words that the model in question does not have.

    \b
    Example:
      recognizer lm interpolate books.arpa.gz talks.arpa.gz --dev dev.txt --output mixed.arpa.gz
    """
    from recognizer.lm.automaton.automaton import NgramAutomaton
    from recognizer.lm.model.interpolate import interpolate_ngrams, tune_weights
    from recognizer.lm.model.model_files import read_ngrams, write_ngrams
    from recognizer.lm.model.perplexity import perplexity
    from recognizer.lm.text.text_files import split_words

    write_options = write_options_of(output, **write)
    given = number_list(weights, float, "--weights")
    if (given is None) == (not dev):
        raise click.UsageError("expected either --dev or --weights")
    if given is not None and len(given) != len(models):
        raise click.UsageError(f"expected {len(models)} --weights, found {len(given)}")
    sentences: list[str] = []
    if dev:
        with reading("reading", dev, unknown_words=True) as lines:
            sentences = list(lines)
    parts: list[NgramModel] = []
    for path in models:
        with working(f"reading {path}"):
            parts.append(read_ngrams(path))
    rows: list[tuple[str, float, Perplexity | None]]
    if given is None:
        with working("tuning"):
            automata = [NgramAutomaton.from_model(part) for part in parts]
            given = tune_weights(automata, [split_words(line) for line in sentences]).tolist()
            results = [perplexity(automaton, sentences) for automaton in automata]
            del automata
        rows = list(zip(models, given, results, strict=True))
    else:
        rows = [(path, weight, None) for path, weight in zip(models, given, strict=True)]
    with working("interpolating"):
        mixture = interpolate_ngrams(parts, given)
    if dev:
        with working("testing"):
            rows.append((output, 1.0, perplexity(NgramAutomaton.from_model(mixture), sentences)))
    with working("writing"):
        write_ngrams(mixture, output, write_options)
    if dev:
        click.echo("model\tweight\twords\toov\tperplexity\tperplexity_with_oov")
        for path, weight, result in rows:
            assert result is not None
            counts = f"{result.words}\t{result.oov}"
            numbers = f"{result.perplexity:.3f}\t{result.perplexity_with_oov:.3f}"
            click.echo(f"{path}\t{weight:.4f}\t{counts}\t{numbers}")
    for order, count in enumerate(mixture.counts, start=1):
        click.echo(f"{order}-grams\t{count}")


@lm.command()
@click.argument("model", type=click.Path())
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path())
def perplexity(model: str, texts: tuple[str, ...]) -> None:
    """Print the perplexity of each TEXT under MODEL, per word and sentence end.

    Columns, separated by tabs: file; sentences; words; oov, those that the model does not have;
    log10_prob of everything, unknown words scored as <unk>; perplexity without the unknown words
    and with them. They are what KenLM's query prints. A line for all TEXT together comes last.
    MODEL may be a KenLM binary too.

    \b
    Example:
      recognizer lm perplexity large.ngram dev.txt test.txt
    """
    from recognizer.lm.model.language_model import read_language_model
    from recognizer.lm.model.perplexity import perplexity as perplexity_of
    from recognizer.lm.model.perplexity import total, worth_loading

    with working(f"reading {model}"):
        opened = read_language_model(model, resident=worth_loading(model, texts))
    results: list[Perplexity] = []
    click.echo(COLUMNS)
    for text in texts:
        with reading(text, [text], unknown_words=True) as lines:
            result = perplexity_of(opened, lines)
        results.append(result)
        click.echo(perplexity_row(text, result))
    if len(results) > 1:
        click.echo(perplexity_row("total", total(results)))


@lm.command()
@click.argument("model", type=click.Path())
@output_options
@work_options
def convert(model: str, output: str, memory: int, temporary: str | None, **write: Any) -> None:
    """Write MODEL as an ARPA file or in our binary, by the ending of --output's name.

    Memory stays within --memory, whatever the model's size; more goes to temporary files. MODEL may
    also be a directory of n-gram records.

    The numbers of a binary, unless it is quantised, are written to ARPA files with as many digits
    as it takes to build the same binary again. A sorted ARPA file whose numbers have up to 6
    decimals (and no zeros at their ends) comes back to the letter.

    \b
    Example:
      recognizer lm convert large.arpa.gz --output large.ngram --layout compact --memory 8G
    """
    from recognizer.lm.model.model_files import convert as convert_model
    from recognizer.lm.resources import Resources

    write_options = write_options_of(output, **write)
    directory = None if temporary is None else Path(temporary)
    with stages() as progress:
        resources = Resources(memory, temporary=directory, progress=progress)
        convert_model(model, output, write_options, resources)
    click.echo(f"{output}\t{Path(output).stat().st_size} bytes")


@lm.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path())
def check(models: tuple[str, ...]) -> None:
    """Read every .ngram MODEL whole and make sure that it is not damaged.

    Compares checksums, and follows every state and arc. Prints the layout and the number of
    n-grams of each order.

    \b
    Example:
      recognizer lm check large.ngram
    """
    from recognizer.lm.model.model_files import verify

    for model in models:
        with working(f"checking {model}"):
            automaton = verify(model)
        counts = "\t".join(automaton.metadata["counts"].split())
        click.echo(f"{model}\t{automaton.layout}\t{counts}")


lm.add_command(estimate)
lm.add_command(neural)
lm.add_command(units)
