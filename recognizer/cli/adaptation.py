"""Options of commands that recognise with words and language models beside the model's own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from recognizer.vocabulary.adaptation import Adaptation

Command = TypeVar("Command", bound=Callable[..., Any])

_WORDS = (
    click.option(
        "--words",
        "words_file",
        metavar="FILE",
        type=click.Path(),
        help="Words beside the model's own: one a line; after tabs, if you like, its "
        "pronunciation, a word of the model that it is like or a class that it is in, and a "
        "weight.",
    ),
    click.option(
        "--boost",
        "boost_file",
        metavar="FILE",
        type=click.Path(),
        help="Words and phrases that are expected: one a line; after a tab, if you like, a bonus.",
    ),
    click.option(
        "--lm",
        metavar="FILE",
        type=click.Path(),
        help="A language model of what is talked about, mixed with the model's own: ARPA, .ngram, "
        "or text, one sentence a line.",
    ),
)
_LM_WEIGHT = click.option(
    "--lm-weight",
    metavar="X",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of --lm, above 0 and below 1; that of the model's own is the rest [default: 0.5].",
)
_GRAMMAR = (
    click.option(
        "--grammar",
        "grammar_file",
        metavar="FILE",
        type=click.Path(),
        help="The sentences that may be said: one a line, or JSGF. All else is rejected.",
    ),
    click.option(
        "--rejection-cost",
        type=float,
        metavar="X",
        help="With --grammar: a larger number rejects less, a smaller one more, a natural "
        "logarithm [default: 0].",
    ),
)
_NEURAL = click.option(
    "--neural-lm",
    metavar="FILE",
    type=click.Path(),
    help="A neural language model (recognizer lm neural train), which rescores lattices [default: "
    "the model's own, if it has one].",
)
_NEURAL_WEIGHT = click.option(
    "--neural-weight",
    metavar="X",
    type=click.FloatRange(0, 1),
    help="Of it, beside the n-gram model; 0: do without it [default: what recognizer tune has "
    "chosen, or 0.5].",
)


def adaptation_options(
    *, grammar: bool = False, neural: bool = False, weights: bool = True
) -> Callable[[Command], Command]:
    """Give a command --words, --boost, --lm, and the parameter `adaptation` made of them.

    That is an `recognizer.vocabulary.adaptation.Adaptation`. The files of words, phrases and the
    grammar are read before the command is called; language models are only named.

    Args:
        grammar: whether to have --grammar and --rejection-cost.
        neural: whether to have --neural-lm.
        weights: whether to have --lm-weight, and --neural-weight with --neural-lm.
    """
    options = [
        *_WORDS,
        *((_LM_WEIGHT,) if weights else ()),
        *(_GRAMMAR if grammar else ()),
        *((_NEURAL,) if neural else ()),
        *((_NEURAL_WEIGHT,) if neural and weights else ()),
    ]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def adapted(*arguments: Any, **values: Any) -> Any:
            given = {name: values.pop(name, None) for name in _PARAMETERS}
            _check(given)
            return command(*arguments, adaptation=_read(**given), **values)

        decorated: Any = adapted
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


_PARAMETERS = (
    "words_file",
    "boost_file",
    "lm",
    "lm_weight",
    "grammar_file",
    "rejection_cost",
    "neural_lm",
    "neural_weight",
)


def _check(given: Mapping[str, Any]) -> None:
    """Refuse a number without its file, and what does not go with a grammar.

    Raises:
        click.UsageError: there is such a thing; names the options.
    """
    for number, file in (
        ("lm_weight", "lm"),
        ("rejection_cost", "grammar_file"),
    ):
        if given[number] is not None and given[file] is None:
            raise click.UsageError(f"{_option(number)} goes with {_option(file)}")
    for name in ("lm", "neural_lm"):
        if given["grammar_file"] is not None and given[name] is not None:
            raise click.UsageError(f"{_option(name)} does not go with --grammar")


def _option(parameter: str) -> str:
    return "--" + parameter.removesuffix("_file").replace("_", "-")


def _read(
    words_file: str | None,
    boost_file: str | None,
    lm: str | None,
    lm_weight: float | None,
    grammar_file: str | None,
    rejection_cost: float | None,
    neural_lm: str | None,
    neural_weight: float | None,
) -> Adaptation:
    # numpy and the rest are only loaded when work begins.
    from recognizer.vocabulary.adaptation import Adaptation
    from recognizer.vocabulary.grammar import read_grammar
    from recognizer.vocabulary.phrases import read_phrases
    from recognizer.vocabulary.words import read_words

    return Adaptation(
        words=() if words_file is None else read_words(words_file),
        boost=() if boost_file is None else read_phrases(boost_file),
        grammar=None if grammar_file is None else read_grammar(grammar_file, rejection_cost),
        lm=lm,
        lm_weight=lm_weight,
        neural_lm=neural_lm,
        neural_weight=neural_weight,
    )
