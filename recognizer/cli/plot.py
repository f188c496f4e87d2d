"""``recognizer plot``: pictures of alignments, lattices and confidences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recognizer.data.corpora.corpus import Utterance

OUTPUT = click.option(
    "--output", "-o", required=True, type=click.Path(), help="Picture to write: .svg, .png or .pdf."
)


@click.group()
def plot() -> None:
    """Draw alignments, lattices and the reliability of confidences.

    Needs matplotlib: pip install 'recognizer[train]'.

    \b
    Examples:
      recognizer plot alignment interview.wav interview.TextGrid -o interview.svg
      recognizer plot lattice interview.wav -o lattice.svg
      recognizer plot reliability exp/test -o reliability.svg
    """


@plot.command()
@click.argument("audio", type=click.Path())
@click.argument("alignments", type=click.Path())
@click.option(
    "--utterance",
    metavar="ID",
    help="Which one [default: called like the file AUDIO, or the only one].",
)
@click.option("--kind", help="Format of ALIGNMENTS, as for recognizer alignments.")
@click.option("--start", metavar="S", type=float, default=0.0, help="Seconds at which to begin.")
@click.option("--end", metavar="S", type=float, help="Seconds at which to end.")
@OUTPUT
def alignment(
    audio: str,
    alignments: str,
    utterance: str | None,
    kind: str | None,
    start: float,
    end: float | None,
    output: str,
) -> None:
    """Draw the words and phones of an utterance below its spectrogram.

    AUDIO is a recording, or a corpus as for recognizer align; ALIGNMENTS is what recognizer
    alignments reads: a TextGrid, a CTM, a directory of them, Kaldi's alignments, ...

    \b
    Examples:
      recognizer plot alignment interview.wav interview.TextGrid -o interview.svg
      recognizer plot alignment data/test ali/test --utterance u7 --start 2 --end 5 -o u7.png
    """
    from recognizer.alignment.sources import AlignmentSource, SourceOptions
    from recognizer.data.audio.reading import read_audio
    from recognizer.data.errors import SpeechError
    from recognizer.plots.alignment import plot_alignment

    found = {
        one.utterance: one
        for one in AlignmentSource(Path(alignments), SourceOptions(kind=kind)).read()
    }
    of_corpus = _utterances(audio)
    name = utterance if utterance is not None or of_corpus is not None else Path(audio).stem
    if name not in found and utterance is None and len(found) == 1:
        name = next(iter(found))
    if name is None or name not in found:
        raise SpeechError(
            f"{alignments}: expected an alignment of utterance {name!r}, found {len(found)} others"
            if name is not None
            else f"{alignments}: {len(found)} utterances: expected --utterance to name one"
        )
    if of_corpus is None:
        samples = read_audio(audio)
    elif name in of_corpus:
        samples = of_corpus[name].samples()
    else:
        raise SpeechError(f"{audio}: expected utterance {name!r}, found none of this name")
    plot_alignment(samples, found[name], output, start=start, end=end)


@plot.command()
@click.argument("source", type=click.Path())
@click.option(
    "--model", metavar="DIR", type=click.Path(), help="A model directory [default: English]."
)
@click.option(
    "--acoustic-scale", metavar="X", type=float, help="[default: the model's, or the file's]."
)
@click.option(
    "--least-posterior",
    metavar="P",
    type=float,
    default=0.01,
    show_default=True,
    help="Arcs that are less likely are left out.",
)
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(),
    help="Picture to write: .svg, .png or .pdf; or .dot, text for Graphviz.",
)
def lattice(
    source: str,
    model: str | None,
    acoustic_scale: float | None,
    least_posterior: float,
    output: str,
) -> None:
    """Draw what else may have been said, over time, with the posterior of every word.

    SOURCE is a recording, which is recognised, or a lattice in HTK's SLF (a name that ends in .slf
    or .slf.gz), as recognizer lattice --format slf writes it. The best path is red and straight.

    \b
    Examples:
      recognizer plot lattice interview.wav -o lattice.svg
      recognizer plot lattice lattices/u7.slf.gz --least-posterior 0.05 -o u7.dot
    """
    from recognizer.plots.lattice import check_output, draw_lattice, write_lattice

    check_output(output)
    if source.endswith((".slf", ".slf.gz")):
        from recognizer.plots.lattice import slf_lattice

        title, found, scale, frame_shift = slf_lattice(source)
    else:
        from recognizer.data.errors import SpeechError
        from recognizer.recognizer import Recognizer

        recognizer = Recognizer(model)
        result = recognizer.recognize(source)
        if result.lattice is None:
            raise SpeechError(f"{source}: too short to be recognised")
        title, found, scale = Path(source).stem, result.lattice, recognizer.search.acoustic_scale
        frame_shift = recognizer.bundle.acoustic_model.output_frame_shift
    scale = scale if acoustic_scale is None else acoustic_scale
    drawing = draw_lattice(found, scale, frame_shift, least_posterior=least_posterior)
    write_lattice(drawing, output, title)


@plot.command()
@click.argument("results", nargs=-1, required=True, type=click.Path())
@OUTPUT
def reliability(results: tuple[str, ...], output: str) -> None:
    """Draw how often words are right against how sure the recogniser was of them.

    RESULTS are directories that recognizer evaluate --out wrote. The upper part has the accuracy
    of words against their mean confidence in ten bins, and the expected calibration error; the
    lower part says how many words are in each bin.

    \b
    Example:
      recognizer plot reliability exp/old/test exp/new/test -o reliability.svg
    """
    from recognizer.plots.reliability import plot_reliability, read_reliability

    plot_reliability({result: read_reliability(result) for result in results}, output)


def _utterances(audio: str) -> dict[str, Utterance] | None:
    """The utterances of a corpus; None if it is no corpus but a recording."""
    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.corpora.lhotse import ENDINGS

    if Path(audio).is_dir() or audio.endswith(ENDINGS):
        return {utterance.id: utterance for utterance in read_corpus(audio)}
    return None
