"""``recognize``: recordings in, transcripts out."""

from __future__ import annotations

import sys

import click

from recognizer.cli.run import report, run
from recognizer.data.errors import SpeechError, as_speech_error
from recognizer.formats.names import FORMATS, output_format


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("audio", nargs=-1, required=True, type=click.Path())
@click.option(
    "--model", metavar="DIR", type=click.Path(), help="A model directory [default: English]."
)
@click.option(
    "--format",
    "form",
    metavar="NAME",
    default="text",
    show_default=True,
    help=f"What to print: {', '.join(FORMATS)}.",
)
@click.option(
    "--word-timestamps",
    is_flag=True,
    help="In srt and vtt, show when each word is said.",
)
@click.option(
    "--mbr",
    is_flag=True,
    help="The words that are expected to have the fewest errors, not the likeliest sentence.",
)
@click.option(
    "--channel",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take this channel, the first is 1 [default: the mean of all; where they cancel each "
    "other, the loudest].",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Files recognised at the same time.",
)
@click.version_option(package_name="recognizer")
def recognize(
    audio: tuple[str, ...],
    model: str | None,
    form: str,
    word_timestamps: bool,
    mbr: bool,
    channel: int | None,
    threads: int,
) -> int:
    """Print what is said in recordings.

    AUDIO is a file (wav, flac, ogg, opus, mp3 and others; m4a, mp4, aac, webm, mkv and wma after
    pip install 'recognizer[media]'; any sample rate, any number of channels), a named pipe, or -
    for standard input. One file: the transcript alone. Several: a line PATH<TAB>TRANSCRIPT for
    each, in the order given. A file that cannot be read is reported on standard error; the others
    are still recognised and the exit code is 1.

    \b
    Examples:
      recognize interview.wav
      recognize --format json *.flac > transcripts.jsonl
      recognize --format srt film.mkv > film.srt
      recognize --threads 4 *.flac
      recognize --channel 2 call.wav
      sox talk.vox -t wav - | recognize -
    """
    from recognizer.data.parallel.threads import thread_map
    from recognizer.formats.cues import SubtitleOptions
    from recognizer.formats.recordings import recordings
    from recognizer.formats.writing import formatted
    from recognizer.recognition.result import Result
    from recognizer.recognizer import Recognizer  # numpy and the rest only when work begins

    name = output_format(form, len(audio))
    subtitles = SubtitleOptions(word_timestamps=word_timestamps)
    recognizer = Recognizer(model, minimum_bayes_risk=mbr)

    def work(path: str) -> tuple[str, Result | SpeechError]:
        try:
            return path, recognizer.recognize(path, channel=channel)
        except SpeechError as error:
            return path, error
        except Exception as error:
            wrong = as_speech_error(error)
            return path, wrong if isinstance(error, OSError) else SpeechError(f"{path}: {wrong}")

    failed = 0
    results = thread_map(work, audio, threads)
    for recording, (path, result) in zip(recordings(audio, channel), results, strict=True):
        if isinstance(result, SpeechError):
            report("recognize", result)
            failed += 1
            continue
        if result.words and not result.complete:
            report("recognize", f"{path}: no path to a sentence's end, the best beginning is given")
        if not result.words:
            report("recognize", f"{path}: no words were recognised")
        sys.stdout.write(formatted(name, recording, result, subtitles))
        sys.stdout.flush()
    return 1 if failed else 0


def main() -> None:
    """Entry point of the console command."""
    run(recognize, "recognize")
