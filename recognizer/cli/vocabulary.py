"""Options of commands that recognise with words, phrases and n-grams beside the model's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from recognizer.vocabulary.grammar import Grammar
    from recognizer.vocabulary.phrases import Phrase
    from recognizer.vocabulary.words import NewWord

Command = TypeVar("Command", bound=Callable[..., Any])

words_option = click.option(
    "--words",
    "words_file",
    metavar="FILE",
    type=click.Path(),
    help="Words beside the model's own: one a line; after tabs, if you like, its pronunciation, a "
    "word of the model that it is like or a class that it is in, and a weight.",
)
boost_option = click.option(
    "--boost",
    "boost_file",
    metavar="FILE",
    type=click.Path(),
    help="Words and phrases that are expected: one a line; after a tab, if you like, a bonus.",
)
lm_option = click.option(
    "--lm",
    metavar="FILE",
    type=click.Path(),
    help="A language model of what is talked about, mixed with the model's own: ARPA, .ngram, or "
    "text, one sentence a line.",
)
lm_weight_option = click.option(
    "--lm-weight",
    metavar="X",
    type=float,
    help="Of --lm, above 0 and below 1; that of the model's own is the rest [default: 0.5].",
)

grammar_option = click.option(
    "--grammar",
    "grammar_file",
    metavar="FILE",
    type=click.Path(),
    help="The sentences that may be said: one a line, or JSGF. All else is rejected.",
)
rejection_cost_option = click.option(
    "--rejection-cost",
    type=float,
    metavar="X",
    help="With --grammar: a larger number rejects less, a smaller one more, a natural logarithm "
    "[default: 0].",
)


def vocabulary_options(command: Command) -> Command:
    """--words, --boost, --lm and --lm-weight."""
    for option in (lm_weight_option, lm_option, boost_option, words_option):
        command = option(command)
    return command


def read_lists(
    words: str | None, boost: str | None
) -> tuple[tuple[NewWord, ...], tuple[Phrase, ...]]:
    """The words and the phrases of the files that were given."""
    from recognizer.vocabulary.phrases import read_phrases
    from recognizer.vocabulary.words import read_words

    return (
        () if words is None else read_words(words),
        () if boost is None else read_phrases(boost),
    )


def check_lm_options(lm: str | None, weight: float | None) -> None:
    """Refuse a weight without a language model, and one that is none.

    Raises:
        click.UsageError: there is one.
    """
    if weight is None:
        return
    if lm is None:
        raise click.UsageError("--lm-weight goes with --lm")
    if not 0.0 < weight < 1.0:
        raise click.UsageError(f"--lm-weight: expected above 0 and below 1, found {weight}")


def grammar_options(command: Command) -> Command:
    """--grammar and --rejection-cost."""
    for option in (rejection_cost_option, grammar_option):
        command = option(command)
    return command


def check_grammar_options(
    grammar: str | None, rejection_cost: float | None, others: Mapping[str, object]
) -> None:
    """Refuse a cost without a grammar, and what does not go with one.

    Raises:
        click.UsageError: there is such a thing.
    """
    if grammar is None:
        if rejection_cost is not None:
            raise click.UsageError("--rejection-cost goes with --grammar")
        return
    for name, value in others.items():
        if value:
            raise click.UsageError(f"{name} does not go with --grammar")


def given_grammar(grammar: str | None, rejection_cost: float | None) -> Grammar | None:
    """The grammar of the file that was given."""
    from recognizer.vocabulary.grammar import read_grammar

    return None if grammar is None else read_grammar(grammar, rejection_cost)
