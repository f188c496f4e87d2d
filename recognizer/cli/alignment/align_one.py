"""``recognizer align-one``: when each word and phone of one recording is spoken."""

from __future__ import annotations

import os
from pathlib import Path

import click

from recognizer.cli.alignment.options import (
    ADD_LEXICON,
    ALIGNER,
    BEAM,
    RETRY_BEAM,
    tolerance_of,
)


@click.command("align-one")
@click.argument("recording", type=click.Path())
@click.argument("transcript", type=click.Path())
@click.argument("output", type=click.Path())
@ALIGNER
@ADD_LEXICON
@click.option(
    "--tolerant",
    is_flag=True,
    help="The transcript may have words that were not said and lack words that were.",
)
@BEAM
@RETRY_BEAM
@click.option("--stress", is_flag=True, help="Write vowels with the dictionary's stress digits.")
def align_one(
    recording: str,
    transcript: str,
    output: str,
    model: str | None,
    add_lexicon: str | None,
    tolerant: bool,
    beam: float | None,
    retry_beam: float | None,
    stress: bool,
) -> int:
    """Find when each word and phone of the TRANSCRIPT of one RECORDING is spoken.

    TRANSCRIPT is a text file, or a TextGrid with a tier of utterances for each speaker. OUTPUT is
    a TextGrid, or a .json file that also says how well audio and transcript fit. A transcript that
    the audio does not sound like is named, and is no error.

    \b
    Examples:
      recognizer align-one word.wav word.txt word.TextGrid
      recognizer align-one interview.flac interview.TextGrid interview.json --tolerant
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from recognizer.alignment.corpus.aligners import read_aligner
    from recognizer.alignment.corpus.corpus_alignment import align_corpus
    from recognizer.alignment.corpus.recording_files import check_units
    from recognizer.alignment.corpus.stress import StressDigits
    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import read_one
    from recognizer.data.errors import SpeechError, UsageError

    suffix = Path(output).suffix.lower()
    if suffix not in (".textgrid", ".json"):
        raise UsageError(f"{output}: expected a name that ends in .TextGrid or .json")
    if not Path(output).parent.is_dir():
        raise UsageError(f"{output}: expected a directory that exists")
    tolerance = tolerance_of(tolerant, beam, retry_beam)
    beams = (None, None) if tolerant else (beam, retry_beam)  # or the tolerance has them
    corpus = read_one(recording, transcript)
    check_units(corpus.utterances, "recording")
    aligner, corpus = read_aligner(
        model, corpus, add_lexicon=add_lexicon, beam=beams[0], retry_beam=beams[1]
    )
    digits = None
    if stress:
        lexicons = [] if add_lexicon is None else [add_lexicon]
        digits = StressDigits.of(lexicons, corpus.utterances[0].text_rules)
    aligned = align_corpus(corpus, aligner, tolerance=tolerance, stress=digits)
    if not aligned.complete:
        raise SpeechError("; ".join(f"{recording}: {one}" for one in aligned.failed.values()))
    aligned.write_one(output, "json" if suffix == ".json" else "textgrid")
    for line in aligned.lines():
        report("recognizer align-one", line)
    return 0
