"""``recognizer align``: when each word and phone of known transcripts is spoken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recognizer.data.text.rules import RULE_SETS

if TYPE_CHECKING:
    from recognizer.alignment.aligned_set import CorpusAligner
    from recognizer.alignment.corpus_alignment import AlignmentFormat

FORMATS = ("textgrid", "ctm")


@click.command()
@click.argument("data", type=click.Path())
@click.option(
    "--output-dir", metavar="DIR", type=click.Path(), required=True, help="Where results go."
)
@click.option(
    "--model",
    metavar="DIR",
    type=click.Path(),
    help="A model directory, or an aligner that --train left [default: English].",
)
@click.option("--train", is_flag=True, help="Train an aligner on DATA itself, from a flat start.")
@click.option(
    "--lexicon",
    metavar="FILE",
    type=click.Path(),
    help="With --train: pronunciations, or graphemes, which spells every word with its letters "
    "[default: the CMU dictionary of English].",
)
@click.option(
    "--text-rules",
    type=click.Choice(RULE_SETS),
    help="With --train: how the language is written [default: english, or unicode with --lexicon].",
)
@click.option(
    "--tolerant",
    is_flag=True,
    help="Transcripts may have words that were not said and lack words that were.",
)
@click.option("--skip-cost", metavar="X", type=float, help="With --tolerant: of a skipped word.")
@click.option(
    "--garbage-cost", metavar="X", type=float, help="With --tolerant: of a stretch of garbage."
)
@click.option(
    "--phone-cost", metavar="X", type=float, help="With --tolerant: of each phone of garbage."
)
@click.option(
    "--derive",
    is_flag=True,
    help="Give words outside the lexicon a pronunciation: by rule, or by the model's letters and "
    "phones (recognizer g2p).",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=FORMATS,
    help="What to write; may be repeated [default: both].",
)
@click.option("--jobs", metavar="N", type=click.IntRange(min=1), help="Threads [default: cores].")
@click.option("--allow-pipes", is_flag=True, help="Run the commands that wav.scp names.")
def align(
    data: str,
    output_dir: str,
    model: str | None,
    train: bool,
    lexicon: str | None,
    text_rules: str | None,
    tolerant: bool,
    skip_cost: float | None,
    garbage_cost: float | None,
    phone_cost: float | None,
    derive: bool,
    formats: tuple[AlignmentFormat, ...],
    jobs: int | None,
    allow_pipes: bool,
) -> int:
    """Find when each word and phone of the transcripts in DATA is spoken.

    DATA is a Kaldi data directory (wav.scp, text, ...), a directory with Lhotse's manifests of
    recordings and supervisions (or the latter file), or a LibriSpeech tree. Writes
    UTTERANCE.TextGrid files with the tiers words and phones, and words.ctm with phones.ctm.
    Silence is the phone SIL; a word outside the lexicon is aligned as the phone SPN and reported
    at the end. Tags such as [noise] and <unk> are no words, and are aligned as SPN too. A model of
    pieces of words spells any word. Utterances that cannot be aligned are listed; the exit code is
    then 1.

    With --tolerant, words of the transcript may be skipped, and what was said without being in it
    becomes the word <garbage>, with the phones that were heard. Each skipped word is reported in a
    line of its own, and departures.json lists skipped words and garbage by utterance. It is for
    transcripts that are mostly right. Lower costs find more, and more that is not there; the
    defaults are right for the scores of a network (natural logs after the acoustic scale).

    With --train no model is needed: one is trained from DATA alone and kept in
    OUTPUT_DIR/aligner, which --model takes for other data. An interrupted training goes on.
    The text rules say how transcripts and lexicon are written: english folds accents and spells
    numbers out, unicode keeps the letters of every script. The aligner records them.

    \b
    Examples:
      recognizer align data/train --output-dir ali/train
      recognizer align data/train --train --lexicon lexicon.txt --output-dir ali/train
      recognizer align data/fr --train --lexicon fr.dict --text-rules unicode --output-dir ali/fr
      recognizer align data/test --model ali/train/aligner --output-dir ali/test
      recognizer align data/radio --tolerant --derive --output-dir ali/radio
    """
    # Utterances are what runs in parallel; matrix products that start threads of their own beside
    # that only get in the way. The libraries read this when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from recognizer.alignment.corpus_alignment import (
        align_corpus,
        check_file_names,
        read_aligner,
        train_aligner,
    )
    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.errors import UsageError
    from recognizer.decoding.alignment.tolerance import Tolerance

    if train and model is not None:
        raise UsageError("--train makes a model of its own: expected no --model beside it")
    for option, value in (("--lexicon", lexicon), ("--text-rules", text_rules)):
        if value is not None and not train:
            raise UsageError(f"{option} goes with --train: a model has its own")
    costs = {"skip_cost": skip_cost, "garbage_cost": garbage_cost, "phone_cost": phone_cost}
    given = {name: cost for name, cost in costs.items() if cost is not None}
    if given and not tolerant:
        raise UsageError(f"--{next(iter(given)).replace('_', '-')}: expected --tolerant beside it")
    corpus = read_corpus(data, allow_pipes=allow_pipes)
    target = Path(output_dir)
    if "textgrid" in formats:
        check_file_names(utterance.id for utterance in corpus)
    target.mkdir(parents=True, exist_ok=True)
    if train:
        trained, corpus = train_aligner(
            corpus,
            lexicon,
            text_rules=text_rules,
            derive=derive,
            work_dir=target / "training",
            jobs=jobs,
            report=lambda line: report("recognizer align", line),
        )
        trained.write(target / "aligner")
        aligner: CorpusAligner = trained
    else:
        aligner, corpus = read_aligner(model, corpus, derive=derive)
    tolerance = Tolerance(**given) if tolerant else None
    aligned = align_corpus(corpus, aligner, tolerance=tolerance, jobs=jobs)
    if aligned.alignments:
        aligned.write(target, formats)
    for line in aligned.lines():
        report("recognizer align", line)
    return 1 if aligned.failed else 0
