"""``recognize``: recordings in, transcripts out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from recognizer.cli.adaptation import adaptation_options
from recognizer.cli.run import report, run
from recognizer.data.errors import SpeechError
from recognizer.formats.names import FORMATS, format_names, output_format

if TYPE_CHECKING:
    from recognizer.batch.recognition import BatchOptions
    from recognizer.formats.cues import SubtitleOptions
    from recognizer.formats.recordings import Recording
    from recognizer.recognition.result import Result
    from recognizer.vocabulary.adaptation import Adaptation


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("audio", nargs=-1, type=click.Path())
@click.option(
    "--model", metavar="DIR", type=click.Path(), help="A model directory [default: English]."
)
@click.option(
    "--format",
    "form",
    metavar="NAMES",
    help=f"One of {', '.join(FORMATS)}; with --output-dir one or more, such as srt,json "
    "[default: text; with --output-dir txt].",
)
@click.option(
    "--output-dir",
    metavar="DIR",
    type=click.Path(),
    help="Write a file for each recording and format; recordings that are done are skipped.",
)
@click.option("--overwrite", is_flag=True, help="With --output-dir: replace files, skip nothing.")
@click.option(
    "--word-timestamps", is_flag=True, help="In srt and vtt, show when each word is said."
)
@click.option(
    "--max-line-length",
    type=int,
    metavar="N",
    help="Characters of a line in srt and vtt [default: 42].",
)
@click.option("--max-lines", type=int, metavar="N", help="Lines of a subtitle [default: 2].")
@click.option(
    "--characters-per-second",
    type=float,
    metavar="X",
    help="Most characters a second that a subtitle asks one to read [default: 20].",
)
@click.option(
    "--mbr",
    is_flag=True,
    help="The words that are expected to have the fewest errors, not the likeliest sentence.",
)
@click.option(
    "--readable",
    is_flag=True,
    help="With punctuation, capital letters and digits; in json, as a field beside the words.",
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
    metavar="N",
    help="Files, or segments of a long one, recognised at the same time [default: one file; the "
    "segments of a long one on all processors].",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Recognise on a Ray cluster (auto: the one that this machine belongs to), whose machines "
    "all have the recordings and the model under the same names.",
)
@click.option(
    "--live",
    is_flag=True,
    help="AUDIO is -: raw samples, or wav, whose words are printed while it arrives.",
)
@click.option("--microphone", is_flag=True, help="Print what is said while it is said.")
@click.option("--device", metavar="NAME", help="With --microphone: which, by name or number.")
@click.option(
    "--sample-rate",
    type=int,
    metavar="HZ",
    help="Of raw samples [default: 16000], or of the microphone [default: its own].",
)
@click.option(
    "--channels",
    type=int,
    metavar="N",
    help="Of raw samples, interleaved, or of the microphone [default: 1].",
)
@click.option("--encoding", metavar="NAME", help="Of raw samples: s16le or f32le [default: s16le].")
@adaptation_options(grammar=True, neural=True)
@click.version_option(package_name="recognizer")
def recognize(
    audio: tuple[str, ...],
    model: str | None,
    form: str | None,
    output_dir: str | None,
    overwrite: bool,
    word_timestamps: bool,
    max_line_length: int | None,
    max_lines: int | None,
    characters_per_second: float | None,
    mbr: bool,
    readable: bool,
    channel: int | None,
    threads: int | None,
    cluster: str | None,
    live: bool,
    microphone: bool,
    adaptation: Adaptation,
    **sound: Any,
) -> int:
    """Print what is said in recordings.

    AUDIO is a file (wav, flac, ogg, opus, mp3 and others; m4a, mp4, aac, webm, mkv and wma after
    pip install 'recognizer[media]'; any sample rate, any number of channels), a named pipe, or -
    for standard input. One file: the transcript alone. Several: a line PATH<TAB>TRANSCRIPT for
    each, in the order given. A file that cannot be read is reported on standard error; the others
    are still recognised and the exit code is 1.

    --output-dir DIR gets a file NAME.FORMAT for each recording and format, and recognized.jsonl,
    which says how each was made. A run that was interrupted goes on where it was when the command
    is given again.

    --live and --microphone print an utterance when it ends; on a terminal its words appear while
    they are said, dimmed as long as they may change. With --format json there is a line for each
    change. Ctrl-C ends the last utterance, which is still printed; the exit code is then 130.

    \b
    Examples:
      recognize interview.wav
      recognize --format json *.flac > transcripts.jsonl
      recognize --format srt film.mkv > film.srt
      recognize --threads 4 --output-dir subtitles --format srt,json *.mkv
      recognize --channel 2 call.wav
      recognize --words names.txt --boost phrases.txt meeting.wav
      recognize --lm minutes.txt --lm-weight 0.3 meeting.wav
      recognize --grammar commands.gram --format json command.wav
      sox talk.vox -t wav - | recognize -
      recognize --microphone
      arecord -f S16_LE -r 16000 | recognize --live -
    """
    if mbr and adaptation.grammar is not None:
        raise click.UsageError("--mbr does not go with --grammar")
    if live or microphone:
        other = {
            "--output-dir": output_dir,
            "--overwrite": overwrite,
            "--cluster": cluster,
            "--neural-lm": adaptation.neural_lm,
        }
        for name, value in other.items():
            if value:
                raise click.UsageError(f"{name} does not go with {_live_name(microphone)}")
        return _listen(
            audio,
            live,
            microphone,
            model,
            mbr,
            readable,
            channel,
            form or "text",
            adaptation,
            sound,
        )
    for name, value in sound.items():
        if value is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --live or --microphone")
    if not audio:
        raise click.UsageError("Missing argument 'AUDIO...'.")
    # numpy and the rest are only loaded when work begins.
    from recognizer.batch.recognition import BatchOptions
    from recognizer.formats.cues import SubtitleOptions
    from recognizer.formats.recordings import recordings

    given: dict[str, Any] = {
        "max_line_length": max_line_length,
        "max_lines": max_lines,
        "max_characters_per_second": characters_per_second,
    }
    subtitles = SubtitleOptions(
        word_timestamps=word_timestamps,
        **{name: value for name, value in given.items() if value is not None},
    )
    options = BatchOptions(model, mbr, channel, threads, cluster, adaptation, readable)
    named = recordings(audio, channel)
    if output_dir is None:
        if overwrite:
            raise click.UsageError("--overwrite goes with --output-dir")
        return _print(named, output_format(form or "text", len(audio)), subtitles, options)
    return _write(named, output_dir, form or "txt", subtitles, options, overwrite)


def _live_name(microphone: bool) -> str:
    return "--microphone" if microphone else "--live"


def _listen(
    audio: tuple[str, ...],
    live: bool,
    microphone: bool,
    model: str | None,
    mbr: bool,
    readable: bool,
    channel: int | None,
    form: str,
    adaptation: Adaptation,
    sound: Mapping[str, Any],
) -> int:
    """Print what is said while it is said."""
    from recognizer.live.display import ReadableDisplay, display
    from recognizer.live.interrupts import HeldInterrupts
    from recognizer.live.microphone import Microphone
    from recognizer.live.pcm import PcmFormat, PcmInput
    from recognizer.live.session import recognize_live
    from recognizer.readable.writer import check_readable
    from recognizer.recognizer import Recognizer

    name = _live_name(microphone)
    if live and microphone:
        raise click.UsageError("expected --microphone or --live, found both")
    if microphone and audio:
        raise click.UsageError(f"{name}: expected no files, found {audio[0]}")
    if live and audio != ("-",):
        found = " ".join(audio) or "nothing"
        raise click.UsageError(f"{name}: expected - for standard input, found {found}")
    if form not in ("text", "json"):
        raise click.UsageError(f"{name}: expected --format text or json, found {form}")
    wrong = ("encoding", "--live") if microphone else ("device", "--microphone")
    if sound[wrong[0]] is not None:
        raise click.UsageError(f"--{wrong[0]} goes with {wrong[1]}")
    given = {key: value for key, value in sound.items() if value is not None}
    pcm = PcmFormat(**given) if live else None
    recognizer = Recognizer(model, minimum_bayes_risk=mbr, adaptation=adaptation)
    if readable:
        config = recognizer.bundle.config
        check_readable(config.text_rules, f"the model {config.name}")
    stream = recognizer.stream(channel=channel, partials=form == "json" or sys.stdout.isatty())
    with HeldInterrupts() as interrupts:
        source: PcmInput | Microphone
        if pcm is not None:
            if sys.stdin is None:
                raise SpeechError("standard input: expected raw samples, found it closed")
            source = PcmInput("standard input", sys.stdin.fileno(), pcm, interrupts.came)
        else:
            source = Microphone(interrupts.came, **given)
            report("recognize", f"listening to {source.name}; Ctrl-C ends")
        with display(form) as shown:
            if readable:
                shown = ReadableDisplay(shown)
            said = recognize_live(stream, source.pieces(), shown)
        if not said:
            report("recognize", "no words were recognised")
    return 0


def _print(
    named: Sequence[Recording], form: str, subtitles: SubtitleOptions, options: BatchOptions
) -> int:
    """Print the results in the order of the recordings."""
    from recognizer.formats.writing import formatted

    output = sys.stdout

    def write(recording: Recording, result: Result, damage: str) -> None:
        output.write(formatted(form, recording, result, subtitles))
        output.flush()

    # Ray prints messages of its own to standard output.
    with nullcontext() if options.cluster is None else redirect_stdout(sys.stderr):
        failed = _recognize(named, options, write)
    return 1 if failed else 0


def _write(
    named: Sequence[Recording],
    directory: str,
    form: str,
    subtitles: SubtitleOptions,
    options: BatchOptions,
    overwrite: bool,
) -> int:
    """Write the results into files, except for those that are there already."""
    from recognizer.batch.output_directory import OutputDirectory

    output = OutputDirectory(
        directory,
        format_names(form),
        options.settings(),
        subtitles=subtitles,
        overwrite=overwrite,
    )
    output.check_names(named)
    waiting, failed = [], 0
    for recording in named:
        try:
            if not output.done(recording):
                waiting.append(recording)
        except SpeechError as error:
            report("recognize", error)
            failed += 1
    skipped = len(named) - len(waiting) - failed
    if skipped:
        report(
            "recognize",
            f"{skipped} of {len(named)} recordings are done already (--overwrite does them again)",
        )
    if not waiting:
        return 1 if failed else 0
    failed += _recognize(waiting, options, output.write)
    return 1 if failed else 0


def _recognize(
    named: Sequence[Recording],
    options: BatchOptions,
    write: Callable[[Recording, Result, str], None],
) -> int:
    """Recognise files and write the results; gives the number of those that failed."""
    from recognizer.batch.progress import RecordingProgress
    from recognizer.batch.recognition import recognize_files
    from recognizer.long.recognition import BrokenRecordingError
    from recognizer.recognition.result import Result

    failed = 0
    with RecordingProgress(len(named)) as progress:
        results = recognize_files([one.path for one in named], options, progress.heard)
        for recording, result in zip(named, results, strict=True):
            progress.finished(recording.path)
            with progress.paused():
                if isinstance(result, Result):
                    _remark(recording, result)
                    write(recording, result, "")
                    continue
                report("recognize", result)
                failed += 1
                if isinstance(result, BrokenRecordingError) and result.result.words:
                    report("recognize", f"{recording.path}: what comes before is given")
                    write(recording, result.result, str(result))
    return failed


def _remark(recording: Recording, result: Result) -> None:
    """Say what is odd about a result."""
    if result.words and not result.complete:
        report(
            "recognize",
            f"{recording.path}: no path to a sentence's end, the best beginning is given",
        )
    if any(one.match is not None and one.match.rejected for one in result.segments):
        what = "what was said" if result.rejected else "some of what was said"
        report("recognize", f"{recording.path}: rejected: {what} is not in the grammar")
    elif not result.words:
        report("recognize", f"{recording.path}: no words were recognised")


def main() -> None:
    """Entry point of the console command."""
    run(recognize, "recognize")
