"""``recognizer readable``: punctuation, capital letters and digits for transcripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from recognizer.cli.lm.progress import counting_words


@click.group()
def readable() -> None:
    """Train the tagger of punctuation and capital letters, which recognize --readable uses.

    \b
    Example:
      recognizer readable train --dev held-out.txt --output tagger.safetensors books/*.txt.xz
    """


@readable.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--output", metavar="FILE", type=click.Path(), required=True,
    help="The tagger (safetensors); the checkpoint is beside it, as FILE.checkpoint.",
)  # fmt: skip
@click.option(
    "--dev", metavar="TEXT", type=click.Path(), required=True, multiple=True,
    help="Text that is not trained on, to test on; may be repeated.",
)  # fmt: skip
@click.option(
    "--width", metavar="N", type=int, default=64, show_default=True,
    help="Dimension of words' vectors.",
)  # fmt: skip
@click.option(
    "--units", metavar="N", type=int, default=96, show_default=True,
    help="Of a layer, in each of both directions.",
)  # fmt: skip
@click.option("--layers", metavar="N", type=int, default=2, show_default=True)
@click.option(
    "--vocabulary", metavar="N", type=int, default=13_000, show_default=True,
    help="Words with vectors of their own.",
)  # fmt: skip
@click.option(
    "--endings", metavar="N", type=int, default=3_000, show_default=True,
    help="Endings of three letters with vectors.",
)  # fmt: skip
@click.option(
    "--words", metavar="N", type=int, default=20_000_000, show_default=True,
    help="Words to read in all.",
)  # fmt: skip
@click.option(
    "--learning-rate", metavar="X", type=float, default=4e-3, show_default=True,
    help="At the beginning; it falls linearly to 0.",
)  # fmt: skip
@click.option("--dropout", metavar="X", type=float, default=0.1, show_default=True)
@click.option(
    "--evaluate-every", metavar="N", type=int, default=2_000_000, show_default=True,
    help="Words between tests.",
)  # fmt: skip
@click.option("--seed", metavar="N", type=int, default=1, show_default=True)
@click.option("--threads", metavar="N", type=int, default=0, help="Of torch [default: its choice].")
@click.option("--device", metavar="NAME", default="cpu", show_default=True, help="Such as cuda.")
def train(
    texts: tuple[str, ...], output: str, dev: tuple[str, ...], device: str, **given: Any
) -> None:
    """Train a tagger on the punctuation and capital letters of all TEXT together.

    A text (plain, .gz, .xz, .zst) is English as it is printed, with blank lines between its
    paragraphs; one that is named twice is read twice as often. Shows after every test on --dev:
    words read, F1 of comma, period, question mark and capital letters, mean cost of a word in
    training. The same command goes on with a training that was interrupted.

    \b
    Example:
      recognizer readable train --dev held-out.txt --output tagger.safetensors books/*.txt.xz
    """
    from importlib.util import find_spec

    from recognizer.data.errors import SpeechError
    from recognizer.data.io.console import console
    from recognizer.data.io.files import check_directory
    from recognizer.data.io.options import select
    from recognizer.lm.tagging.options import TaggerOptions
    from recognizer.pipelines.tagging.options import TaggerTrainingOptions
    from recognizer.pipelines.tagging.tagged_text import number_tagged, read_tagged

    shape, options = select(TaggerOptions, given), select(TaggerTrainingOptions, given)
    check_directory(Path(output).absolute().parent)
    if find_spec("torch") is None:
        raise SpeechError("training needs torch: pip install 'recognizer[train]'")
    from recognizer.pipelines.tagging.training import TaggerTraining

    held_out = [sentence for text in dev for sentence in read_tagged(text)]
    if not held_out:
        raise SpeechError(f"{dev[0]}: expected sentences that end with a mark, found none")
    text = number_tagged(
        (sentence for name in texts for sentence in read_tagged(name)),
        options.vocabulary,
        options.endings,
    )

    def told(words: int, scores: Any, cost: float) -> None:
        shown = (("comma", ","), ("period", "."), ("question mark", "?"), ("capitals", "capitals"))
        f1 = ", ".join(f"{name} {scores.score(one).f1:.3f}" for name, one in shown)
        console.print(f"{words} words: {f1}; cost {cost:.4f}", highlight=False)

    training = TaggerTraining(
        shape, options, text, held_out, Path(output), Path(f"{output}.checkpoint"), device, told
    )
    click.echo(f"text of {len(text.word_ids)} words, {training.parameters} weights", err=True)
    with counting_words(options.words, training.progress.words) as advance:
        training.train(advance)
    click.echo(output)
