"""``recognizer validate``: what aligning a corpus would meet."""

from __future__ import annotations

import os
from pathlib import Path

import click

from recognizer.cli.alignment.options import ADD_LEXICON, ALIGNER, SPEAKER_CHARACTERS


@click.command()
@click.argument("data", type=click.Path())
@click.option(
    "--output-dir", metavar="DIR", type=click.Path(), required=True, help="Where tables go."
)
@ALIGNER
@ADD_LEXICON
@SPEAKER_CHARACTERS
@click.option(
    "--max-wer",
    metavar="PERCENT",
    type=float,
    default=40.0,
    show_default=True,
    help="A transcript does not fit where more of what is heard differs from it.",
)
@click.option(
    "--max-noise",
    metavar="PERCENT",
    type=click.FloatRange(0.0, 100.0),
    default=5.0,
    show_default=True,
    help="Of the words that may be without a pronunciation.",
)
@click.option("--jobs", metavar="N", type=click.IntRange(min=1), help="Threads [default: cores].")
@click.option("--allow-pipes", is_flag=True, help="Run the commands that wav.scp names.")
def validate(
    data: str,
    output_dir: str,
    model: str | None,
    add_lexicon: str | None,
    speaker_characters: int | None,
    max_wer: float,
    max_noise: float,
    jobs: int | None,
    allow_pipes: bool,
) -> int:
    """Find what aligning DATA would meet, before it is aligned.

    DATA is as of recognizer align. Reported are recordings without a transcript, unreadable and
    silent audio, all words outside the model's dictionary, and transcripts that do not fit their
    audio. For the latter each utterance is recognised with a language model of its own transcript
    and of the corpus's most frequent words, and what is heard is compared with the transcript.

    Writes unusable.csv, unknown_words.csv with each word's count and places, unknown_words.dict
    with guessed pronunciations, which can be corrected and given to --add-lexicon, and
    transcripts.csv with what is heard, the worst first. The exit code is 1 where something cannot
    be aligned, a transcript does not fit, or too many words have no pronunciation.

    \b
    Examples:
      recognizer validate interviews --output-dir checked
      recognizer validate data/train --add-lexicon names.dict --output-dir checked
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from recognizer.alignment.corpus.validation import ValidationOptions, validate_corpus
    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import read_corpus

    options = ValidationOptions(word_error_rate=max_wer, max_noise=max_noise / 100)
    corpus = read_corpus(
        data, allow_pipes=allow_pipes, speaker_characters=speaker_characters, skip_faulty=True
    )
    found = validate_corpus(corpus, model, add_lexicon=add_lexicon, options=options, jobs=jobs)
    found.write(Path(output_dir))
    for line in found.lines():
        report("recognizer validate", line)
    return 0 if found.good else 1
