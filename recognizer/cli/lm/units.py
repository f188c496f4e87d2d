"""``recognizer lm units``: pieces of words for an open vocabulary, and graphemic lexicons."""

from __future__ import annotations

from collections.abc import Iterable

import click

from recognizer.cli.lm.progress import reading


@click.group()
def units() -> None:
    """Find pieces of words, cut text into them, join them, and spell words.

    Language models and lexicons of pieces recognise words that no list holds. A piece that begins
    a word carries the mark of sentencepiece (U+2581) in front. Finding pieces and cutting need it:
    pip install 'recognizer[units]'. Text is read as by the other commands of recognizer lm; - is
    standard input or output.

    \b
    Example:
      recognizer lm units train --size 5000 --output pieces.model --vocabulary pieces.txt books.txt
      recognizer lm units segment pieces.model books.txt --output books.pieces.txt
      recognizer lm units lexicon pieces.txt --output lexicon.txt
      recognizer lm estimate --order 6 --vocabulary pieces.txt --output lm.arpa.gz books.pieces.txt
    """


@units.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path())
@click.option("--output", metavar="FILE", type=click.Path(), required=True, help="The model.")
@click.option(
    "--vocabulary",
    metavar="FILE",
    type=click.Path(),
    help="Write all pieces of the text and single letters, the most frequent first.",
)
@click.option(
    "--size", metavar="N", type=click.IntRange(min=1), default=5000, show_default=True,
    help="Number of pieces.",
)  # fmt: skip
@click.option(
    "--algorithm", type=click.Choice(("unigram", "bpe")), default="unigram", show_default=True
)
@click.option(
    "--character-coverage", metavar="X", type=click.FloatRange(0.9, 1), default=1.0,
    show_default=True, help="Share of the text's characters that pieces are made of.",
)  # fmt: skip
@click.option(
    "--min-count", metavar="N", type=click.IntRange(min=1), default=1, show_default=True,
    help="Words that occur less often take no part.",
)  # fmt: skip
def train(
    texts: tuple[str, ...],
    output: str,
    vocabulary: str | None,
    size: int,
    algorithm: str,
    character_coverage: float,
    min_count: int,
) -> None:
    """Find the pieces of all TEXT's words; the same text makes the same pieces.

    Prints the number of words, of distinct words, and of pieces.

    \b
    Example:
      recognizer lm units train --size 5000 --output pieces.model --vocabulary pieces.txt books.txt
    """
    from recognizer.lm.text.vocabulary import count_words
    from recognizer.lm.units.pieces import PieceOptions, train_pieces

    options = PieceOptions(size, algorithm, character_coverage, min_count)  # type: ignore[arg-type]
    with reading("counting words", texts) as lines:
        counts = count_words(lines)
    pieces = train_pieces(counts, output, options)
    found = pieces.vocabulary(counts)
    if vocabulary is not None:
        _write(vocabulary, found)
    click.echo(f"{counts.total()} words, {len(counts)} distinct, {len(found)} pieces")


@units.command()
@click.argument("model", type=click.Path())
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--output", metavar="FILE", type=click.Path(), default="-", help="[default: standard output]"
)
def segment(model: str, texts: tuple[str, ...], output: str) -> None:
    """Cut all TEXT into the pieces of MODEL, line by line.

    Words without a letter, or with digits, have no pieces and stay as they are, with the mark.

    \b
    Example:
      recognizer lm units segment pieces.model books.txt.xz --output books.pieces.txt.gz
    """
    from recognizer.lm.units.pieces import PieceModel

    pieces = PieceModel.read(model)
    with reading("cutting", texts) as lines:
        _write(output, pieces.segment_all(lines))


@units.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--output", metavar="FILE", type=click.Path(), default="-", help="[default: standard output]"
)
def join(texts: tuple[str, ...], output: str) -> None:
    """Put the pieces of all TEXT together to words, line by line.

    \b
    Example:
      recognizer lm units join hypotheses.pieces.txt
    """
    from recognizer.lm.units.pieces import joined_words

    with reading("joining", texts, unknown_words=True) as lines:
        _write(output, (" ".join(joined_words(line.split())) for line in lines))


@units.command()
@click.argument("words", type=click.Path())
@click.option("--output", metavar="FILE", type=click.Path(), required=True, help="The lexicon.")
def lexicon(words: str, output: str) -> None:
    """Write a lexicon that spells each of WORDS (words or pieces, one a line): letters are phones.

    Letters are in lower case and composed form (NFC); apostrophes, hyphens and other signs have no
    sound. Words without a letter, or with digits, have no pronunciation and are counted and named
    on standard error.

    \b
    Example:
      recognizer lm units lexicon words.txt --output lexicon.txt
    """
    from recognizer.cli.run import report
    from recognizer.data.lexicon.graphemes import graphemic_lexicon
    from recognizer.lm.text.text_files import read_word_list

    made = graphemic_lexicon(read_word_list(words))
    made.lexicon.write(output)
    click.echo(f"{len(made.lexicon)} words, {len(made.lexicon.phones)} letters")
    if made.without:
        named = " ".join(made.without[:10]) + (" ..." if len(made.without) > 10 else "")
        message = f"{len(made.without)} words cannot be spelled: {named}"
        report("recognizer lm units lexicon", message)


def _write(path: str, lines: Iterable[str]) -> None:
    from recognizer.data.io.files import replace_text

    if path == "-":
        for line in lines:
            click.echo(line)
        return
    with replace_text(path) as stream:
        for line in lines:
            stream.write(line + "\n")
