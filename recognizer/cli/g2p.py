"""``recognizer g2p``: pronunciations of words, and the model that gives them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from recognizer.data.text.rules import RULE_SETS

if TYPE_CHECKING:
    from recognizer.lm.pronunciation.pronouncer import Pronouncer


@click.command()
@click.argument("words", metavar="WORD...", nargs=-1)
@click.option("--words", "file", metavar="FILE", type=click.Path(), help="More words, one a line.")
@click.option(
    "--model",
    metavar="PATH",
    type=click.Path(),
    help="A model directory, or what --train wrote [default: English].",
)
@click.option(
    "--count",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Variants of a word that no lexicon has, at most.",
)
@click.option(
    "--probabilities",
    is_flag=True,
    help="Ask the pronunciation model alone, and print how probable each variant is.",
)
@click.option("--train", metavar="LEXICON", type=click.Path(), help="Train a pronunciation model.")
@click.option("--output", metavar="FILE", type=click.Path(), help="What --train writes (.ngram).")
@click.option(
    "--order",
    metavar="N",
    type=click.IntRange(1, 8),
    default=8,
    show_default=True,
    help="With --train: graphones in the longest n-gram.",
)
@click.option(
    "--ngrams",
    metavar="N",
    type=click.IntRange(min=1),
    help="With --train: how many n-grams to keep above unigrams [default: all].",
)
@click.option(
    "--text-rules",
    type=click.Choice(RULE_SETS),
    help="How the language is written [default: a model directory's own; else english].",
)
def g2p(
    words: tuple[str, ...],
    file: str | None,
    model: str | None,
    count: int,
    probabilities: bool,
    train: str | None,
    output: str | None,
    order: int,
    ngrams: int | None,
    text_rules: str | None,
) -> None:
    """Print pronunciations of WORDs in Kaldi's lexiconp form: word, probability, phones.

    Words are taken from the model's lexicon and its language's dictionary, by rule from those
    (plurals, compounds, letters of KGB), and else from the pronunciation model. Numbers are read
    by the text rules (MP3), and what is written with points is spelled (U.S.A.). The likeliest
    variant of a word has probability 1.

    With --train, a pronunciation model is trained on LEXICON, a file in the form of CMU's, Kaldi's
    or MFA's, or on the dictionary of the text rules (--train dictionary).

    \b
    Examples:
      recognizer g2p Zoltan ONNX MP3 O'Rourke's
      recognizer g2p --count 3 --words names.txt
      recognizer g2p --train german.dict --text-rules unicode --output german.ngram
      recognizer g2p --model german.ngram --text-rules unicode Bahnhof
    """
    if train is not None:
        if words or file or output is None:
            raise click.UsageError("expected --train LEXICON --output FILE without words")
        _train(train, text_rules or "english", output, order, ngrams)
        return
    if output is not None:
        raise click.UsageError("--output goes with --train")
    from recognizer.lm.text.text_files import read_word_list

    tokens = [*words, *(read_word_list(file) if file is not None else ())]
    if not tokens:
        raise click.UsageError("expected WORD..., or --words FILE")
    pronouncer = _pronouncer(model, text_rules)
    if probabilities:
        for word, guesses in zip(tokens, pronouncer.guess(tokens, count), strict=True):
            for guess in guesses:
                click.echo(f"{word} {guess.probability:.4f} {' '.join(guess.phones)}")
        return
    found = pronouncer.pronounce(tokens, count)
    for token in dict.fromkeys(tokens):
        for entry in found[token]:
            click.echo(f"{token} {entry.probability:.4g} {' '.join(entry.phones)}")


def _train(lexicon: str, rules: str, output: str, order: int, ngrams: int | None) -> None:
    from recognizer.alignment.lexicons import load_lexicon
    from recognizer.cli.run import report
    from recognizer.data.text.rules import text_rules
    from recognizer.lm.model.model_files import check_output
    from recognizer.lm.pronunciation.training import PronunciationOptions, train_pronunciations

    check_output(output)
    if Path(output).suffix != ".ngram":
        raise click.UsageError(f"{output}: expected a name that ends in .ngram")
    options = PronunciationOptions(order=order, ngrams=ngrams)
    found = load_lexicon(None if lexicon == "dictionary" else lexicon, rules, Path())
    entries = text_rules(rules).with_stress(found)
    model = train_pronunciations(entries, options, lambda line: report("recognizer g2p", line))
    model.save(output)


def _pronouncer(model: str | None, rules: str | None) -> Pronouncer:
    from recognizer.data.lexicon.lexicon import Lexicon
    from recognizer.data.text.rules import text_rules
    from recognizer.lm.pronunciation.model import PronunciationModel
    from recognizer.lm.pronunciation.pronouncer import Pronouncer
    from recognizer.model.bundle import ModelBundle
    from recognizer.model.files import model_path

    if model is not None and Path(model).is_file():
        trained = PronunciationModel.open(model)
        return Pronouncer(Lexicon(()), text_rules(rules or "english"), trained)
    if rules is not None:
        raise click.UsageError("--text-rules: a model directory has its own")
    return ModelBundle(None if model is None else model_path(model)).pronouncer
