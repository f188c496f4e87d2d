"""``recognizer align``: when each word and phone of known transcripts is spoken."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recognizer.cli.alignment.options import (
    ADD_LEXICON,
    BEAM,
    RETRY_BEAM,
    SPEAKER_CHARACTERS,
    tolerance_of,
)
from recognizer.data.text.rules import DEFAULT_RULES, RULE_SETS

if TYPE_CHECKING:
    from recognizer.alignment.aligned_set import CorpusAligner
    from recognizer.alignment.corpus.recording_files import AlignmentFormat, Unit

FORMATS = ("textgrid", "ctm", "json")
UNITS = ("recording", "utterance")


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
@ADD_LEXICON
@click.option(
    "--text-rules",
    type=click.Choice(RULE_SETS),
    help="With --train: how the language is written [default: english, or unicode with --lexicon].",
)
@SPEAKER_CHARACTERS
@click.option(
    "--adapt",
    is_flag=True,
    help="Adapt features to each speaker (fMLLR): with --train, or an aligner that it left.",
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
@BEAM
@RETRY_BEAM
@click.option(
    "--derive/--no-derive",
    default=True,
    help="Give words outside the lexicon a pronunciation: by rule, or by letters and phones "
    "(recognizer g2p) [default: derive].",
)
@click.option(
    "--max-noise",
    metavar="PERCENT",
    type=click.FloatRange(0.0, 100.0),
    default=5.0,
    show_default=True,
    help="Of the words that may be without a pronunciation.",
)
@click.option("--stress", is_flag=True, help="Write vowels with the dictionary's stress digits.")
@click.option(
    "--pronunciation",
    is_flag=True,
    help="Write pronunciation.csv: how well each phone and word is pronounced.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=("textgrid", "ctm"),
    help="What to write; may be repeated [default: textgrid and ctm].",
)
@click.option(
    "--by",
    "unit",
    type=click.Choice(UNITS),
    default="recording",
    show_default=True,
    help="What TextGrid and JSON files are of, and whose beginning all times count from.",
)
@click.option("--jobs", metavar="N", type=click.IntRange(min=1), help="Threads [default: cores].")
@click.option("--allow-pipes", is_flag=True, help="Run the commands that wav.scp names.")
def align(
    data: str,
    output_dir: str,
    model: str | None,
    train: bool,
    lexicon: str | None,
    add_lexicon: str | None,
    text_rules: str | None,
    speaker_characters: int | None,
    adapt: bool,
    tolerant: bool,
    skip_cost: float | None,
    garbage_cost: float | None,
    phone_cost: float | None,
    beam: float | None,
    retry_beam: float | None,
    derive: bool,
    max_noise: float,
    stress: bool,
    pronunciation: bool,
    formats: tuple[AlignmentFormat, ...],
    unit: Unit,
    jobs: int | None,
    allow_pipes: bool,
) -> int:
    """Find when each word and phone of the transcripts in DATA is spoken.

    DATA is a directory of recordings with transcripts beside them (.lab, .txt, or .TextGrid with a
    tier of utterances for each speaker) as the Montreal Forced Aligner has them, a Kaldi data
    directory (wav.scp, text, ...), a directory with Lhotse's manifests of recordings and
    supervisions (or the latter file), or a LibriSpeech tree. Writes RECORDING.TextGrid files with
    the tiers words and phones (SPEAKER - words where there are several speakers), and words.ctm
    with phones.ctm.

    quality.csv lists all utterances, the most suspicious first: their suspicion is how much less
    likely the transcript's phones are than those that the model alone hears. Utterances that do not
    sound like their transcripts are named at the end.

    With --pronunciation, pronunciation.csv has a score for each phone and word (goodness of
    pronunciation: 0 where the model hears the phone, lower where it hears another), and the phone
    that is likeliest there.

    Silence is the phone SIL; a word without a pronunciation is aligned as the phone SPN. Words
    outside the lexicon get pronunciations from letters. More than --max-noise words without any are
    an error. Tags such as [noise] and <unk> are no words, and are aligned as SPN too. A recording
    that is missing, damaged or without a transcript is skipped, and an utterance that cannot be
    aligned is left out; all are listed, and the exit code is then 1.

    With --tolerant, words of the transcript may be skipped, and what was said without being in it
    becomes the word <garbage>, with the phones that were heard. Each skipped word is reported in a
    line of its own, and departures.json lists skipped words and garbage by utterance. It is for
    transcripts that are mostly right. Lower costs find more, and more that is not there; the
    defaults are right for the scores of a network (natural logs after the acoustic scale).

    With --train no model is needed: one is trained from DATA alone and kept in
    OUTPUT_DIR/aligner, which --model takes for other data. An interrupted training goes on. With
    --adapt, such an aligner is adapted to each speaker: an affine transform of the features is
    estimated from a first alignment, and utterances are aligned anew.
    The text rules say how transcripts and lexicon are written: english folds accents and spells
    numbers out, unicode keeps the letters of every script. The aligner records them.

    \b
    Examples:
      recognizer align interviews --output-dir ali/interviews
      recognizer align data/train --add-lexicon names.dict --output-dir ali/train
      recognizer align data/train --train --lexicon lexicon.txt --output-dir ali/train
      recognizer align data/fr --train --lexicon fr.dict --text-rules unicode --output-dir ali/fr
      recognizer align data/test --model ali/train/aligner --output-dir ali/test
      recognizer align data/radio --tolerant --output-dir ali/radio
    """
    # Utterances are what runs in parallel; matrix products that start threads of their own beside
    # that only get in the way. The libraries read this when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from recognizer.alignment.corpus.aligners import (
        read_aligner,
        speaker_adapted,
        train_aligner,
        with_beams,
    )
    from recognizer.alignment.corpus.corpus_alignment import align_corpus
    from recognizer.alignment.corpus.recording_files import check_units
    from recognizer.alignment.corpus.stress import StressDigits
    from recognizer.alignment.lexicons import GRAPHEMES, chosen_rules
    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.errors import UsageError

    if train and model is not None:
        raise UsageError("--train makes a model of its own: expected no --model beside it")
    if train and add_lexicon is not None:
        raise UsageError("--add-lexicon goes with a model: --train takes all from --lexicon")
    for option, value in (("--lexicon", lexicon), ("--text-rules", text_rules)):
        if value is not None and not train:
            raise UsageError(f"{option} goes with --train: a model has its own")
    costs = {"skip_cost": skip_cost, "garbage_cost": garbage_cost, "phone_cost": phone_cost}
    tolerance = tolerance_of(tolerant, beam, retry_beam, costs)
    corpus = read_corpus(
        data,
        allow_pipes=allow_pipes,
        speaker_characters=speaker_characters,
        skip_faulty=True,
    )
    target = Path(output_dir)
    if set(formats) != {"ctm"}:
        check_units(corpus.utterances, unit)
    target.mkdir(parents=True, exist_ok=True)
    beams = (None, None) if tolerant else (beam, retry_beam)  # or the tolerance has them
    digits = None
    if train:
        if stress:
            own = [] if lexicon in (None, GRAPHEMES) else [lexicon]
            digits = StressDigits.of(own, chosen_rules(text_rules, lexicon))
        trained, corpus = train_aligner(
            corpus,
            lexicon,
            text_rules=text_rules,
            derive=derive,
            max_noise=max_noise / 100,
            work_dir=target / "training",
            jobs=jobs,
            report=lambda line: report("recognizer align", line),
        )
        trained.write(target / "aligner")
        options = replace(trained.options, align=with_beams(trained.options.align, *beams))
        aligner: CorpusAligner = replace(trained, options=options)
    else:
        aligner, corpus = read_aligner(
            model, corpus, derive=derive, add_lexicon=add_lexicon, beam=beams[0],
            retry_beam=beams[1],
        )  # fmt: skip
        if stress:
            rules = next((one.text_rules for one in corpus), DEFAULT_RULES)
            digits = StressDigits.of([] if add_lexicon is None else [add_lexicon], rules)
    if adapt:
        aligner = speaker_adapted(aligner)
    aligned = align_corpus(
        corpus,
        aligner,
        tolerance=tolerance,
        stress=digits,
        max_noise=max_noise / 100,
        jobs=jobs,
    )
    if aligned.alignments:
        aligned.write(target, formats, unit=unit, pronunciation=pronunciation)
    for line in aligned.lines():
        report("recognizer align", line)
    return 0 if aligned.complete else 1
