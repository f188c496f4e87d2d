"""Folders of recordings with transcripts, as the Montreal Forced Aligner (MFA) has them.

A recording `anna/one.wav` has its transcript in `anna/one.lab` or `anna/one.txt`, or its utterances
in `anna/one.TextGrid`: one interval tier for each speaker, whose intervals with a text are
utterances. See "Corpus formats and structure" in MFA's user guide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from recognizer.data.alignments.textgrid import GridTier, read_grid_tiers
from recognizer.data.audio.reading import audio_duration
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines

AUDIO_SUFFIXES = (".flac", ".wav", ".opus", ".ogg", ".mp3", ".m4a", ".webm")
"""Names of recordings end in one of these, in lower or upper case."""

TEXT_SUFFIXES = (".lab", ".txt")
"""Of transcripts of whole recordings; where there are several, the first one is taken."""

GRID_SUFFIX = ".textgrid"
"""Of utterances with their times, compared in lower case; a transcript of the whole goes first."""

_OVERSHOOT = 0.1
"""Seconds by which an interval may reach beyond its recording: it is cut there."""

_OF_ALIGNMENTS = ("words", "phones")


@dataclass(frozen=True)
class TranscribedPart:
    """A recording, or an interval of one, with its transcript.

    Attributes:
        id: unique in its corpus.
        recording: path of the recording in the corpus, without suffix and with "/" between folders.
        audio: the recording's file.
        speaker: who speaks.
        text: the transcript.
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning; None is the recording's end.
    """

    id: str
    recording: str
    audio: Path
    speaker: str
    text: str
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class TranscribedFolders:
    """What a corpus in MFA's layout has.

    Attributes:
        parts: recordings and intervals with transcripts.
        skipped: why, by the name of each recording that cannot be used.
    """

    parts: tuple[TranscribedPart, ...]
    skipped: dict[str, str]


def is_transcribed_tree(path: Path) -> bool:
    """Whether a directory has, anywhere in it, a recording with a transcript beside it."""
    return any("audio" in files and len(files) > 1 for files in _recordings(path).values())


def has_recordings(path: Path) -> bool:
    """Whether a directory has recordings anywhere in it."""
    return any("audio" in files for files in _recordings(path).values())


def read_transcribed_tree(
    path: Path, *, speaker_characters: int | None = None, transcripts: bool = True
) -> TranscribedFolders:
    """Read folders of recordings with transcripts beside them.

    A recording is called after its file, or where two files have one name `FOLDER_FILE`; an
    interval RECORDING-SPEAKER-START-END, times in milliseconds. The speaker of a recording is the
    name of its folder, that of an interval the name of its tier.

    Args:
        path: the uppermost folder.
        speaker_characters: the speaker is instead what the file's name begins with, so many
            characters (MFA's option of this name).
        transcripts: False reads recordings alone, and leaves transcripts empty.

    Returns:
        The parts, and the recordings that cannot be used: without a transcript, or with a faulty
        one; also transcripts without a recording.
    """
    found = _recordings(path)
    stems = Counter(Path(name).name for name in found)
    parts: list[TranscribedPart] = []
    skipped: dict[str, str] = {}
    taken: set[str] = set()
    for name, files in found.items():
        stem = Path(name).name
        folder = (path / name).resolve().parent.name
        speaker = folder if speaker_characters is None else stem[:speaker_characters]
        key = stem if stems[stem] == 1 else f"{folder}_{stem}"
        try:
            if key in taken:
                raise SpeechError(f"expected a name of its own, found another recording {key}")
            if "audio" not in files:
                if not transcripts:
                    continue
                raise SpeechError(
                    f"{next(iter(files.values()))}: expected a recording beside it "
                    f"({', '.join(AUDIO_SUFFIXES)}), found none"
                )
            whole = TranscribedPart(key, name, files["audio"], speaker, "")
            transcript = files.get("text", files.get("grid")) if transcripts else None
            if transcripts and transcript is None:
                raise SpeechError(
                    f"{files['audio']}: expected a transcript beside it (.lab, .txt or "
                    ".TextGrid), found none"
                )
            parts += (
                [whole]
                if transcript is None
                else transcribed(whole, transcript, speakers=speaker_characters is None)
            )
            taken.add(key)
        except SpeechError as error:
            skipped[name] = str(error)
    return TranscribedFolders(tuple(parts), skipped)


def transcribed(
    whole: TranscribedPart, transcript: Path, *, speakers: bool = True
) -> list[TranscribedPart]:
    """A recording with its transcript, or the utterances that a TextGrid has for it.

    Args:
        whole: the recording.
        transcript: a TextGrid, or a text file whose lines are one transcript.
        speakers: a TextGrid's tiers are called after their speakers; False: all utterances are of
            the recording's speaker.

    Raises:
        SpeechError: an unreadable transcript, or a TextGrid that does not fit the audio.
    """
    if transcript.suffix.lower() == GRID_SUFFIX:
        return list(_intervals(whole, transcript, speakers))
    text = " ".join(" ".join(read_lines(transcript)).split())
    return [replace(whole, text=text)]


def _recordings(path: Path) -> dict[str, dict[str, Path]]:
    """By path without suffix: the files "audio", "text" and "grid" of each recording, sorted."""
    order = {suffix: rank for rank, suffix in enumerate((*AUDIO_SUFFIXES, *TEXT_SUFFIXES))}
    kinds = dict.fromkeys(AUDIO_SUFFIXES, "audio") | dict.fromkeys(TEXT_SUFFIXES, "text")
    kinds[GRID_SUFFIX] = "grid"
    found: dict[str, dict[str, Path]] = {}
    files = [one for one in path.rglob("*") if one.suffix.lower() in kinds and one.is_file()]
    for file in sorted(files, key=lambda one: (order.get(one.suffix.lower(), 0), one)):
        name = file.relative_to(path).with_suffix("").as_posix()
        found.setdefault(name, {}).setdefault(kinds[file.suffix.lower()], file)
    # A text that belongs to no recording, such as a README, is none of the corpus.
    return {
        name: found[name]
        for name in sorted(found)
        if "audio" in found[name] or "grid" in found[name] or _is_lab(found[name])
    }


def _is_lab(files: dict[str, Path]) -> bool:
    return "text" in files and files["text"].suffix.lower() == ".lab"


def _intervals(whole: TranscribedPart, grid: Path, speakers: bool) -> Iterator[TranscribedPart]:
    """The utterances of a TextGrid; raises a `SpeechError` for one that does not fit the audio."""
    tiers = [tier for tier in read_grid_tiers(grid) if tier.intervals is not None]
    made = [tier.name for tier in tiers if _kind(tier) in _OF_ALIGNMENTS]
    if made:
        raise SpeechError(
            f"{grid}: expected a tier of utterances for each speaker, found the tier {made[0]!r} "
            "of an alignment"
        )
    duration = audio_duration(whole.audio)
    found: dict[str, TranscribedPart] = {}
    for tier in tiers:
        speaker = tier.name.strip() if speakers else whole.speaker
        for start, end, text in tier.intervals or ():
            if not text.strip():
                continue
            if end > duration + _OVERSHOOT or start >= duration:
                raise SpeechError(
                    f"{grid}: tier {tier.name!r}: expected intervals within the {duration:.3f} s "
                    f"of {whole.audio.name}, found one from {start:.3f} to {end:.3f} s"
                )
            if end <= start:
                raise SpeechError(
                    f"{grid}: tier {tier.name!r}: expected intervals of some length, found "
                    f"{text.strip()[:40]!r} at {start:.3f} s"
                )
            name = "_".join(speaker.split()) or "speaker"
            key = f"{whole.id}-{name}-{round(1000 * start):07d}-{round(1000 * end):07d}"
            if key in found:
                raise SpeechError(
                    f"{grid}: expected tiers of different names, found {tier.name!r} twice"
                )
            words = " ".join(text.split())
            found[key] = TranscribedPart(
                key, whole.recording, whole.audio, speaker, words, start, min(end, duration)
            )
    if not found:
        raise SpeechError(f"{grid}: expected intervals with a text, found none")
    yield from found.values()


def _kind(tier: GridTier) -> str:
    """What a tier of an alignment has, "anna - words" or "words"."""
    return tier.name.rpartition(" - ")[2].strip().lower()
