"""``recognizer recipe``: a model from corpora and text, stage by stage, and a first recipe."""

from __future__ import annotations

import shlex
import sys

import click

from recognizer.cli.training.stage_options import numpy_on_one_thread, stage_range, work_options


def _print_keys(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from recognizer.cli.training.recipe_keys import keys_page

    click.echo(keys_page(), nl=False)
    context.exit()


class _Recipe(click.Group):
    """Without the name of a sub-command it is `build`: ``recognizer recipe RECIPE``."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.commands.get(cmd_name, self.commands["build"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return args[0], self.commands[args[0]], args[1:]
        return "build", self.commands["build"], args


@click.group(
    cls=_Recipe,
    context_settings={"ignore_unknown_options": True},
    options_metavar="",
    subcommand_metavar="RECIPE [OPTIONS] | COMMAND ...",
)
@click.option(
    "--keys",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_keys,
    help="Print every key of every file with its default and meaning, and exit.",
)
def recipe() -> None:
    """Build a model as RECIPE says: a built-in recipe's name, or a TOML file.

    "recognizer recipe init" writes a first one for your own speech; "recognizer recipe build
    --help" lists the options of building.

    \b
    Examples:
      recognizer recipe mini_librispeech --corpora corpora --work exp/mini --jobs 2
      recognizer recipe init recordings --language de --output exp/mine
      recognizer recipe exp/mine/recipe.toml --corpora . --work exp/mine/work
    """


@recipe.command()
@click.argument("recipe")
@work_options
@stage_range
def build(
    recipe: str, corpora: str, work: str, first: str | None, last: str | None, jobs: int
) -> None:
    """Build a model as RECIPE says; the word "build" may be left out.

    Stages that are done with the same options are skipped, so a run that was interrupted goes on
    where it was, and a changed option repeats only what depends on it. The model directory is
    WORK/model, printed at the end. Needs torch: pip install 'recognizer[train]'.

    \b
    Example:
      recognizer recipe mini_librispeech --corpora corpora --work exp/mini --jobs 2
      recognize --model exp/mini/model recording.wav
    """
    numpy_on_one_thread()

    from recognizer.pipelines.build import build_model

    model = build_model(recipe, corpora, work, first=first, last=last, jobs=jobs)
    if last is None:
        click.echo(model)


@recipe.command()
@click.argument("data", nargs=-1, type=click.Path())
@click.option("--language", metavar="TAG", help="Such as de or en-US.")
@click.option("--name", metavar="NAME", help="Of the model [default: that of the first directory].")
@click.option(
    "--output",
    "-o",
    metavar="DIR",
    type=click.Path(),
    help="Where the recipe and what it needs are written [default: NAME].",
)
@click.option(
    "--corpora",
    metavar="DIR",
    type=click.Path(),
    default=".",
    help="Paths in the recipe are relative to this directory where they lie in it "
    "[default: the working directory].",
)
@click.option(
    "--dev",
    metavar="DIR",
    type=click.Path(),
    multiple=True,
    help="Development set; repeatable [default: speakers that are held out].",
)
@click.option(
    "--lexicon",
    metavar="FILE",
    type=click.Path(),
    help='Pronunciations; "english" is CMU\'s dictionary [default: words are spelled].',
)
@click.option(
    "--text",
    metavar="FILE",
    type=click.Path(),
    multiple=True,
    help="Sentences for the language models, one a line, beside the transcripts; repeatable.",
)
@click.option(
    "--licence",
    metavar="TEXT",
    default="unknown",
    help="Of the speech and the model, an SPDX expression.  [default: unknown]",
)
def init(
    data: tuple[str, ...],
    language: str | None,
    name: str | None,
    output: str | None,
    corpora: str,
    dev: tuple[str, ...],
    lexicon: str | None,
    text: tuple[str, ...],
    licence: str,
) -> None:
    """Write a recipe for the speech in directories DATA, with comments.

    DATA are Kaldi data directories, Lhotse's manifests, or folders of recordings with transcripts
    beside them (.lab, .txt, .TextGrid). On a terminal, what is not given is asked for. The sizes of
    tree and network and the length of training suit the amount of speech that is found; training
    begins with a flat start. Without --dev about a tenth of the speech is held out: whole speakers,
    or sentences where there are too few speakers.

    \b
    Example:
      recognizer recipe init recordings --language de --text news.txt --output exp/mine
      recognizer recipe exp/mine/recipe.toml --corpora . --work exp/mine/work
    """
    from pathlib import Path

    from recognizer.alignment.lexicons import GRAPHEMES
    from recognizer.pipelines.recipe_init.writing import InitOptions, building, write_recipe

    if not data:
        data = tuple(shlex.split(_asked("DATA", "Directories of speech with transcripts")))
    if language is None:
        language = _asked("--language", "Language (a tag such as de or en-US)")
    usual = Path(data[0]).resolve().name if data else ""
    if name is None:
        name = _asked("--name", "Name of the model", usual)
    if output is None:
        output = _asked("--output", "Directory of the recipe", name)
    options = InitOptions(
        tuple(map(Path, data)),
        language,
        name,
        Path(output),
        Path(corpora),
        tuple(map(Path, dev)),
        lexicon or GRAPHEMES,
        tuple(map(Path, text)),
        licence,
    )
    written = write_recipe(options)
    found, sizes = written.survey, written.sizes
    held_out = [utterance for one in found.sets for utterance in one.held_out]
    click.echo(
        f"{found.seconds / 60:.1f} minutes in {len(found.utterances)} utterances to train on, "
        f"{sum(u.duration for u in held_out) / 60:.1f} minutes in {len(held_out)} held out"
        + (" (sentences: there are too few speakers)" if found.by_sentence else "")
        + f"; {found.words:,} words of transcripts",
        err=True,
    )
    click.echo(
        f"{sizes.leaves} leaves; {sizes.layers} x {sizes.cells} cells, projection "
        f"{sizes.projection}; {sizes.epochs} passes",
        err=True,
    )
    click.echo(f"build the model: {building(options)}", err=True)
    click.echo(written.recipe)


def _asked(name: str, question: str, default: str | None = None) -> str:
    """What is not on the command line: asked for on a terminal, otherwise the default.

    Raises:
        click.UsageError: there is no terminal to ask on, and no default.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        answer: str = click.prompt(question, default=default, err=True)
        return answer
    if default is None:
        raise click.UsageError(f"Missing {name}.")
    return default
