"""``recognizer transcribe``: transcripts for speech that has none, to train on."""

from __future__ import annotations

from typing import Any

import click

from recognizer.data.text.rules import DEFAULT_RULES, RULE_SETS

_TOLD = 10
"""So many failures are told one by one: a set may be far larger than what is known of it."""


@click.command()
@click.argument("data", type=click.Path())
@click.option(
    "--output-dir", metavar="DIR", type=click.Path(), required=True, help="The new data directory."
)
@click.option(
    "--model", metavar="DIR", type=click.Path(), help="A model that transcribes [default: English]."
)
@click.option(
    "--whisper",
    metavar="DIR",
    type=click.Path(),
    help="A Whisper model in CTranslate2's form, in place of a model of ours.",
)
@click.option(
    "--language", metavar="CODE", help="With --whisper: the language that is spoken [default: en]."
)
@click.option(
    "--transcripts",
    metavar="DIR",
    type=click.Path(),
    help="Transcripts that are there already: text and perhaps utt2conf.",
)
@click.option(
    "--text-rules",
    type=click.Choice(RULE_SETS),
    help="How the language is written [default: as the model says, or english].",
)
@click.option(
    "--min-confidence",
    metavar="X",
    type=float,
    help="Least mean confidence of an utterance's words, 0 to 1 [default: 0.7].",
)
@click.option("--min-rate", metavar="N", type=float, help="Fewest letters a second [default: 3].")
@click.option("--max-rate", metavar="N", type=float, help="Most letters a second [default: 30].")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--allow-pipes", is_flag=True, help="Run the commands that wav.scp names.")
def transcribe(
    data: str,
    output_dir: str,
    model: str | None,
    whisper: str | None,
    language: str | None,
    transcripts: str | None,
    text_rules: str | None,
    min_confidence: float | None,
    min_rate: float | None,
    max_rate: float | None,
    jobs: int,
    allow_pipes: bool,
) -> int:
    """Transcribe the speech in DATA, and keep the transcripts that are likely to be right.

    DATA is a Kaldi data directory, which needs no text, or any other corpus; transcripts that it
    has are not read. The result is a Kaldi data directory to train on: wav.scp, text, utt2spk, and
    utt2conf, the mean confidence of each utterance's words. Words are in the normal form of the
    text rules, so that digits, for one, are spelled out. What is dropped is counted by reason.

    All transcripts, kept or not, are in DIR/transcripts.jsonl. A run that was interrupted goes on,
    and one with other limits makes no transcript again.

    Whisper needs faster-whisper: pip install 'recognizer[teacher]'. A model that is trained on a
    teacher's transcripts should say so; recipes ([[untranscribed]]) record it.

    \b
    Examples:
      recognizer transcribe data/radio --output-dir data/radio-own --jobs 4
      recognizer transcribe data/radio --whisper models/whisper-base --output-dir data/radio-taught
    """
    from pathlib import Path

    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.errors import UsageError
    from recognizer.data.io.console import progress_bar
    from recognizer.data.io.files import check_directory
    from recognizer.model.files import DEFAULT_MODEL, read_config
    from recognizer.transcription.selection import SelectionOptions, select
    from recognizer.transcription.teachers import TeacherOptions
    from recognizer.transcription.transcribe import transcribe as transcribe_corpus
    from recognizer.transcription.transcribe import write_selection

    given = {"--model": model, "--whisper": whisper, "--transcripts": transcripts}
    teachers = [name for name, value in given.items() if value is not None]
    if len(teachers) > 1:
        raise UsageError(f"{teachers[1]}: expected one teacher, found {teachers[0]} too")
    if language is not None and whisper is None:
        raise UsageError("--language goes with --whisper: other teachers know one language only")
    if whisper is not None:
        teacher = TeacherOptions("whisper", whisper, language=language or TeacherOptions.language)
    elif transcripts is not None:
        teacher = TeacherOptions("transcripts", transcripts)
    else:
        teacher = TeacherOptions("model", model or DEFAULT_MODEL.name)
    limits: dict[str, Any] = {
        "min_confidence": min_confidence,
        "min_rate": min_rate,
        "max_rate": max_rate,
    }
    options = SelectionOptions(**{key: one for key, one in limits.items() if one is not None})
    target = Path(output_dir)
    if target.resolve() == Path(data).resolve():
        raise UsageError(f"--output-dir: expected another directory than {data}, which it is")
    check_directory(target)
    corpus = read_corpus(data, allow_pipes=allow_pipes, transcripts=False)
    teacher.check(Path())
    if text_rules is None:
        own = teacher.kind == "model"
        text_rules = read_config(teacher.directory(Path())).text_rules if own else DEFAULT_RULES
    target.mkdir(parents=True, exist_ok=True)
    with progress_bar(data, len(corpus)) as advance:
        path = target / "transcripts.jsonl"
        made = transcribe_corpus(corpus, teacher, path, jobs=jobs, progress=advance)
    failed = [one for one in made.values() if one.error is not None]
    for one in failed[:_TOLD]:
        report("recognizer transcribe", f"{one.utterance}: {one.error}")
    if len(failed) > _TOLD:
        more = len(failed) - _TOLD
        report("recognizer transcribe", f"{more} more not transcribed; {path} says why")
    selection = select(made.values(), text_rules, options)
    write_selection(corpus, selection, target)
    for line in selection.lines():
        click.echo(line)
    return 1 if failed else 0
