"""``recognizer lm neural``: neural language models trained and tested."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from recognizer.cli.lm.options import number_list
from recognizer.cli.lm.progress import counting_words, reading, working


@click.group()
def neural() -> None:
    """Train and test neural language models, which rescore lattices (recognize --neural-lm).

    They are recurrent networks over words: an LSTM, or a Neural Turing Machine. Text is read as by
    the other commands of recognizer lm. Training needs pip install 'recognizer[train]'.

    \b
    Example:
      recognizer lm neural train --dev dev.txt --output neural.safetensors books.txt.gz
      recognizer lm neural perplexity neural.safetensors dev.txt --ngram large.ngram
    """


@neural.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--output", metavar="FILE", type=click.Path(), required=True,
    help="The model (safetensors); the checkpoint is beside it, as FILE.checkpoint.",
)  # fmt: skip
@click.option(
    "--dev", metavar="TEXT", type=click.Path(), required=True, multiple=True,
    help="Text that is not trained on, to test on; may be repeated.",
)  # fmt: skip
@click.option(
    "--model", metavar="DIR", type=click.Path(),
    help="Take the words of this model directory's lexicon [default: English].",
)  # fmt: skip
@click.option(
    "--vocabulary", metavar="FILE", type=click.Path(), help="Instead: the words, one a line."
)
@click.option(
    "--core", type=click.Choice(("lstm", "ntm")), default="lstm", show_default=True,
    help="LSTM with projection, or Neural Turing Machine.",
)  # fmt: skip
@click.option(
    "--width", metavar="N", type=int, default=256, show_default=True,
    help="Dimension of words' vectors and of the core's output.",
)  # fmt: skip
@click.option("--layers", metavar="N", type=int, default=1, show_default=True)
@click.option(
    "--units", metavar="N", type=int, default=512, show_default=True, help="Cells of a layer."
)
@click.option(
    "--cutoffs", metavar="LIST", default="4000,20000", show_default=True,
    help="Ranks of words at which the clusters of the adaptive softmax begin.",
)  # fmt: skip
@click.option(
    "--tied/--untied", default=True, show_default=True,
    help="Whether input and output share the words' vectors.",
)  # fmt: skip
@click.option(
    "--slots", metavar="N", type=int, default=64, show_default=True, help="Of an NTM's memory."
)
@click.option(
    "--slot-width", metavar="N", type=int, default=32, show_default=True,
    help="Numbers in a slot.",
)  # fmt: skip
@click.option(
    "--words", metavar="N", type=int, default=20_000_000, show_default=True,
    help="Words to read in all, in as many passes as it takes.",
)  # fmt: skip
@click.option(
    "--streams", metavar="N", type=int, default=64, show_default=True,
    help="Sentences that are read side by side.",
)  # fmt: skip
@click.option(
    "--steps", metavar="N", type=int, default=35, show_default=True,
    help="Words after which gradients are cut off.",
)  # fmt: skip
@click.option(
    "--learning-rate", metavar="X", type=float, default=2e-3, show_default=True,
    help="At the beginning; it falls linearly to 0.",
)  # fmt: skip
@click.option("--dropout", metavar="X", type=float, default=0.0, show_default=True)
@click.option(
    "--carry", is_flag=True,
    help="Read the text as one recording: the state goes on from a sentence to the next.",
)  # fmt: skip
@click.option(
    "--evaluate-every", metavar="N", type=int, default=1_000_000, show_default=True,
    help="Words between tests.",
)  # fmt: skip
@click.option(
    "--patience", metavar="N", type=int, default=5, show_default=True,
    help="End after so many tests without progress.",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(("float32", "bfloat16")), default="float32", show_default=True,
    help="Of matrix products; bfloat16 is faster on processors with AVX-512 BF16 or AMX.",
)  # fmt: skip
@click.option("--seed", metavar="N", type=int, default=1, show_default=True)
@click.option("--threads", metavar="N", type=int, default=0, help="Of torch [default: its choice].")
@click.option("--device", metavar="NAME", default="cpu", show_default=True, help="Such as cuda.")
def train(
    texts: tuple[str, ...],
    output: str,
    dev: tuple[str, ...],
    model: str | None,
    vocabulary: str | None,
    cutoffs: str,
    device: str,
    **given: Any,
) -> None:
    """Train a model on all TEXT together, one sentence a line, in its words' normal form.

    Shows after every test on --dev: words read, perplexity of --dev (unknown words left out), mean
    perplexity of the training text since the test before. FILE is the model of the best test. The
    same command goes on with a training that was interrupted.

    \b
    Example:
      recognizer lm neural train --dev dev.txt --output neural.safetensors books.txt.gz
    """
    from importlib.util import find_spec

    from recognizer.data.errors import SpeechError
    from recognizer.data.io.console import console
    from recognizer.data.io.files import check_directory
    from recognizer.data.io.options import select
    from recognizer.lm.neural.word_options import WordNetworkOptions
    from recognizer.lm.text.text_files import STANDARD_INPUT, read_word_list
    from recognizer.model.bundle import ModelBundle
    from recognizer.pipelines.language_model.options import WordTrainingOptions
    from recognizer.pipelines.language_model.word_text import number_text

    if model is not None and vocabulary is not None:
        raise click.UsageError("expected either --model or --vocabulary, found both")
    if STANDARD_INPUT in texts or STANDARD_INPUT in dev:
        raise click.UsageError("standard input can be read once: expected files")
    given["cutoffs"] = tuple(number_list(cutoffs, int, "--cutoffs") or ()) if cutoffs else ()
    shape, options = select(WordNetworkOptions, given), select(WordTrainingOptions, given)
    check_directory(Path(output).absolute().parent)
    if find_spec("torch") is None:
        raise SpeechError("training needs torch: pip install 'recognizer[train]'")
    from recognizer.pipelines.language_model.training import WordTraining

    if vocabulary is None:
        words = tuple(ModelBundle(model).lexicon.words)
    else:
        words = read_word_list(vocabulary)
    with reading("reading", dev, unknown_words=True) as lines:
        held_out = list(lines)

    def sentences() -> Iterator[str]:
        with reading("reading", texts) as lines:
            yield from lines

    text = number_text(words, sentences)
    click.echo(f"{len(text.words)} words, text of {text.events} words and sentence ends", err=True)

    def told(words: int, test: float, training: float) -> None:
        console.print(
            f"{words} words: perplexity {test:.2f}, of training {training:.2f}", highlight=False
        )

    training = WordTraining(
        shape,
        options,
        text,
        held_out,
        Path(output),
        Path(f"{output}.checkpoint"),
        device,
        told,
    )
    click.echo(f"{training.parameters} weights", err=True)
    with counting_words(options.words, training.progress.words) as advance:
        training.train(advance)
    perplexities = training.progress.perplexities
    click.echo(f"{output}\tperplexity {perplexities[training.progress.best]:.3f}")


@neural.command()
@click.argument("model", type=click.Path())
@click.argument("output", type=click.Path())
def quantize(model: str, output: str) -> None:
    """Write the neural MODEL to the file OUTPUT with matrices in 8 bits.

    A fourth of the size; scores hardly change (compare with recognizer lm neural perplexity).
    Training needs the file as it was, or rather its checkpoint.

    \b
    Example:
      recognizer lm neural quantize neural.safetensors small.safetensors
    """
    from recognizer.data.io.files import check_directory
    from recognizer.lm.neural.word_file import read_word_network, write_word_network

    check_directory(Path(output).absolute().parent)
    with working(f"reading {model}"):
        network = read_word_network(model)
    write_word_network(network, output, "int8")


@neural.command()
@click.argument("model", type=click.Path())
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--ngram", metavar="MODEL", type=click.Path(),
    help="An n-gram model (ARPA, .ngram, KenLM) to mix with.",
)  # fmt: skip
@click.option(
    "--weight", metavar="X", type=click.FloatRange(0, 1),
    help="Of the neural model in the mixture [default: each half of a text, sentences of odd and "
    "even number, has the weight that suits the other half best].",
)  # fmt: skip
@click.option(
    "--carry", is_flag=True,
    help="Read each text as one recording: the state goes on from a sentence to the next.",
)  # fmt: skip
def perplexity(
    model: str, texts: tuple[str, ...], ngram: str | None, weight: float | None, carry: bool
) -> None:
    """Print the perplexity of each TEXT under the neural MODEL, per word and sentence end.

    Columns, separated by tabs, as of recognizer lm perplexity: file; sentences; words; oov, those
    that the model does not have; log10_prob; perplexity without the unknown words and with them.
    With --ngram, three lines for each TEXT: the neural model, the n-gram model, and the mixture of
    both, which have one more column: model. Words that either model lacks are then unknown to all.
    The mixture's name says the weights of the neural model.

    \b
    Example:
      recognizer lm neural perplexity neural.safetensors dev.txt --ngram large.ngram
    """
    from recognizer.cli.lm.perplexity_row import COLUMNS, perplexity_row
    from recognizer.lm.model.language_model import read_language_model
    from recognizer.lm.neural.word_model import NeuralLanguageModel
    from recognizer.lm.neural.word_perplexity import mixed_perplexity, neural_perplexity

    if weight is not None and ngram is None:
        raise click.UsageError("--weight goes with --ngram")
    with working(f"reading {model}"):
        network = NeuralLanguageModel.open(model)
    if ngram is None:
        click.echo(COLUMNS)
        for text in texts:
            with reading(text, [text], unknown_words=True) as lines:
                click.echo(perplexity_row(text, neural_perplexity(network, lines, carry=carry)))
        return
    with working(f"reading {ngram}"):
        other = read_language_model(ngram)
    click.echo(f"{COLUMNS}\tmodel")
    for text in texts:
        with reading(text, [text], unknown_words=True) as lines:
            found = mixed_perplexity(network, other, lines, weight=weight, carry=carry)
        shares = " and ".join(dict.fromkeys(f"{share:.3f}" for share in found.weights))
        for name, result in (
            ("neural", found.neural),
            ("n-gram", found.ngram),
            (f"mixture, weight {shares}", found.mixed),
        ):
            click.echo(f"{perplexity_row(text, result)}\t{name}")
