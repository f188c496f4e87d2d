"""``recognizer align``: when each word and phone of known transcripts is spoken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recognizer.aligned_set import CorpusAligner

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
    help="With --train: pronunciations [default: the CMU dictionary of English].",
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
    formats: tuple[str, ...],
    jobs: int | None,
    allow_pipes: bool,
) -> int:
    """Find when each word and phone of the transcripts in DATA is spoken.

    DATA is a Kaldi data directory (wav.scp, text, ...) or a LibriSpeech tree. Writes
    UTTERANCE.TextGrid files with the tiers words and phones, and words.ctm with phones.ctm.
    Silence is the phone SIL; a word outside the lexicon is aligned as the phone SPN and told of
    at the end. Utterances that cannot be aligned are listed; the exit code is then 1.

    With --train no model is needed: one is trained from DATA alone and kept in
    OUTPUT_DIR/aligner, which --model takes for other data. An interrupted training goes on.

    \b
    Examples:
      recognizer align data/train --output-dir ali/train
      recognizer align data/train --train --lexicon lexicon.txt --output-dir ali/train
      recognizer align data/test --model ali/train/aligner --output-dir ali/test
    """
    # Utterances are what runs in parallel; matrix products that start threads of their own beside
    # that only get in the way. The libraries read this when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from data.alignment import write_ctm, write_textgrid
    from data.corpus import read_corpus
    from data.errors import SpeechError, UsageError
    from recognizer.cli.run import report

    if train and model is not None:
        raise UsageError("--train makes a model of its own: expected no --model beside it")
    if lexicon is not None and not train:
        raise UsageError("--lexicon goes with --train: a model has its own lexicon")
    utterances = read_corpus(data, allow_pipes=allow_pipes).utterances
    target = Path(output_dir)
    for utterance in utterances:
        # Utterance ids become file names.
        if "textgrid" in formats and Path(utterance.id).name != utterance.id:
            raise SpeechError(
                f"utterance {utterance.id}: expected an id that can be a file's name, or "
                "--format ctm alone"
            )
    target.mkdir(parents=True, exist_ok=True)
    if train:
        from data.lexicon import english_lexicon, read_lexicon
        from recognizer.flat_start import flat_start

        trained = flat_start(
            utterances,
            english_lexicon() if lexicon is None else read_lexicon(lexicon),
            work_dir=target / "training",
            jobs=jobs,
            report=lambda line: report("recognizer align", line),
        )
        trained.write(target / "aligner")
        aligner: CorpusAligner = trained
    else:
        aligner = _read_model(model)
    aligned = aligner.align(utterances, jobs=jobs)
    alignments = []
    for utterance in utterances:
        if utterance.id in aligned.paths:
            alignments.append(aligner.segments(utterance, aligned.paths[utterance.id]))
        else:
            report("recognizer align", f"{utterance.id}: {aligned.failed[utterance.id]}")
    if "textgrid" in formats:
        for alignment in alignments:
            write_textgrid(alignment, target / f"{alignment.utterance}.TextGrid")
    if "ctm" in formats:
        write_ctm(alignments, target / "words.ctm", tier="words")
        write_ctm(alignments, target / "phones.ctm", tier="phones")
    unknown = ", ".join(f"{word} ({n})" for word, n in aligned.unknown.most_common(10))
    report(
        "recognizer align",
        f"{len(alignments)} of {len(utterances)} utterances aligned; "
        f"{sum(aligned.unknown.values())} words outside the lexicon"
        + (f", most often {unknown}" if unknown else ""),
    )
    return 1 if len(alignments) < len(utterances) else 0


def _read_model(model: str | None) -> CorpusAligner:
    if model is not None and (Path(model) / "gmm.safetensors").exists():
        from recognizer.gmm_aligner import FlatStartModel

        return FlatStartModel.read(model)
    from recognizer.bundle import ModelBundle
    from recognizer.network_aligner import NetworkAligner

    return NetworkAligner(ModelBundle(model))
