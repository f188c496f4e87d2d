"""``recognizer align``: when each word and phone of known transcripts is spoken."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recognizer.alignment.aligned_set import CorpusAligner
    from recognizer.data.corpora.corpus import Corpus, Utterance
    from recognizer.data.lexicon.lexicon import Lexicon

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
    help="Derive pronunciations of English words outside the lexicon from those in it.",
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
    tolerant: bool,
    skip_cost: float | None,
    garbage_cost: float | None,
    phone_cost: float | None,
    derive: bool,
    formats: tuple[str, ...],
    jobs: int | None,
    allow_pipes: bool,
) -> int:
    """Find when each word and phone of the transcripts in DATA is spoken.

    DATA is a Kaldi data directory (wav.scp, text, ...), a directory with Lhotse's manifests of
    recordings and supervisions (or the latter file), or a LibriSpeech tree. Writes
    UTTERANCE.TextGrid files with the tiers words and phones, and words.ctm with phones.ctm.
    Silence is the phone SIL; a word outside the lexicon is aligned as the phone SPN and told of
    at the end. A model of pieces of words spells any word. Utterances that cannot be aligned are
    listed; the exit code is then 1.

    With --tolerant, words of the transcript may be skipped, and what was said without being in it
    becomes the word <garbage>, with the phones that were heard. Each skipped word is told of in a
    line of its own, and departures.json lists skipped words and garbage by utterance. It is for
    transcripts that are mostly right. Lower costs find more, and more that is not there; the
    defaults are right for the scores of a network (natural logs after the acoustic scale).

    With --train no model is needed: one is trained from DATA alone and kept in
    OUTPUT_DIR/aligner, which --model takes for other data. An interrupted training goes on.

    \b
    Examples:
      recognizer align data/train --output-dir ali/train
      recognizer align data/train --train --lexicon lexicon.txt --output-dir ali/train
      recognizer align data/test --model ali/train/aligner --output-dir ali/test
      recognizer align data/radio --tolerant --derive --output-dir ali/radio
    """
    # Utterances are what runs in parallel; matrix products that start threads of their own beside
    # that only get in the way. The libraries read this when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from recognizer.cli.run import report
    from recognizer.data.alignments.ctm import write_ctm
    from recognizer.data.alignments.textgrid import write_textgrid
    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.errors import SpeechError, UsageError
    from recognizer.data.io.files import replace_text
    from recognizer.decoding.alignment.tolerance import GARBAGE, Tolerance

    if train and model is not None:
        raise UsageError("--train makes a model of its own: expected no --model beside it")
    if lexicon is not None and not train:
        raise UsageError("--lexicon goes with --train: a model has its own lexicon")
    costs = {"skip_cost": skip_cost, "garbage_cost": garbage_cost, "phone_cost": phone_cost}
    given = {name: cost for name, cost in costs.items() if cost is not None}
    if given and not tolerant:
        raise UsageError(f"--{next(iter(given)).replace('_', '-')}: expected --tolerant beside it")
    tolerance = Tolerance(**given) if tolerant else None
    corpus = read_corpus(data, allow_pipes=allow_pipes)
    utterances: Sequence[Utterance] = corpus.utterances
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
        from recognizer.alignment.flat_start import flat_start
        from recognizer.pipelines.recipe_units import transcript_lexicon

        known = transcript_lexicon(lexicon, Path(), [utterances])
        trained = flat_start(
            utterances,
            _derived(known, utterances) if derive else known,
            work_dir=target / "training",
            jobs=jobs,
            report=lambda line: report("recognizer align", line),
        )
        trained.write(target / "aligner")
        aligner: CorpusAligner = trained
    else:
        aligner, utterances = _read_model(model, corpus, derive)
    aligned = aligner.align(utterances, jobs=jobs, tolerance=tolerance)
    alignments = []
    departures = {}
    for utterance in utterances:
        if utterance.id not in aligned.found:
            report("recognizer align", f"{utterance.id}: {aligned.failed[utterance.id]}")
            continue
        path = aligned.found[utterance.id]
        alignment = aligner.segments(utterance, path)
        alignments.append(alignment)
        words = utterance.words
        skipped = path.skipped(words)
        for index in skipped:
            report("recognizer align", f"{utterance.id}: word {index + 1}, {words[index]}: skipped")
        garbage = [segment for segment in alignment.words if segment.label == GARBAGE]
        if skipped or garbage:
            departures[utterance.id] = {
                "skipped": [{"index": index, "word": words[index]} for index in skipped],
                "garbage": [
                    {"start": round(segment.start, 3), "end": round(segment.end, 3)}
                    for segment in garbage
                ],
            }
    if "textgrid" in formats:
        for alignment in alignments:
            write_textgrid(alignment, target / f"{alignment.utterance}.TextGrid")
    if "ctm" in formats:
        write_ctm(alignments, target / "words.ctm", tier="words")
        write_ctm(alignments, target / "phones.ctm", tier="phones")
    if tolerant:
        with replace_text(target / "departures.json") as stream:
            json.dump(departures, stream, indent=2)
            stream.write("\n")
    unknown = ", ".join(f"{word} ({n})" for word, n in aligned.unknown.most_common(10))
    report(
        "recognizer align",
        f"{len(alignments)} of {len(utterances)} utterances aligned; "
        f"{sum(aligned.unknown.values())} words outside the lexicon"
        + (f", most often {unknown}" if unknown else "")
        + (f"; {len(departures)} depart from their transcripts" if tolerant else ""),
    )
    return 1 if len(alignments) < len(utterances) else 0


def _read_model(
    model: str | None, corpus: Corpus, derive: bool
) -> tuple[CorpusAligner, Sequence[Utterance]]:
    """The aligner, and the utterances with words as it knows them."""
    if model is not None and (Path(model) / "gmm.safetensors").exists():
        from recognizer.alignment.gmm_aligner import FlatStartModel

        trained = FlatStartModel.read(model)
        utterances = corpus.utterances
        lexicon = _derived(trained.lexicon, utterances) if derive else trained.lexicon
        return replace(trained, lexicon=lexicon), utterances
    from recognizer.alignment.network_aligner import NetworkAligner
    from recognizer.model.bundle import ModelBundle
    from recognizer.pipelines.recipe_units import GRAPHEMES, transcript_lexicon

    bundle = ModelBundle(model)
    utterances = corpus.normalized(bundle.config.normalization).utterances
    if bundle.config.units == "pieces":  # its lexicon has no words, but any can be spelled
        lexicon = transcript_lexicon(GRAPHEMES, Path(), [utterances])
    else:
        lexicon = _derived(bundle.lexicon, utterances) if derive else bundle.lexicon
    return NetworkAligner(bundle, lexicon), utterances


def _derived(lexicon: Lexicon, utterances: Sequence[Utterance]) -> Lexicon:
    """The lexicon with pronunciations derived for the utterances' words that it lacks."""
    from recognizer.data.lexicon.derivation import derived_lexicon

    unknown = {word for utterance in utterances for word in utterance.words if word not in lexicon}
    return lexicon.merged_with(derived_lexicon(unknown, lexicon)) if unknown else lexicon
