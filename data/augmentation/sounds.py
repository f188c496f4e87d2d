"""What augmentation needs beside the recordings: files of noise, and the responses of rooms."""

from __future__ import annotations

from pathlib import Path

from recognizer.data.augmentation.augment import WaveformAugmenter
from recognizer.data.augmentation.codecs import import_av
from recognizer.data.augmentation.noise import find_clips
from recognizer.data.augmentation.options import AugmentationOptions
from recognizer.data.augmentation.reverberation import read_responses
from recognizer.data.augmentation.rooms import import_pyroomacoustics, simulate_rooms
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text

_CLIPS, _ROOMS = "noise.txt", "rooms.responses"


def check_sounds(options: AugmentationOptions, root: Path) -> None:
    """Look for everything before long work begins; arguments and errors as of `write_sounds`."""
    if options.noise is not None:
        find_clips(options.noise.clips, root)
    if options.codec is not None:
        import_av()
    if options.reverberation is not None:
        import_pyroomacoustics()


def write_sounds(
    options: AugmentationOptions, directory: Path, root: Path, *, jobs: int = 1
) -> None:
    """Write the list of noise files and the responses of simulated rooms; what exists is kept.

    Args:
        options: what is done to recordings.
        directory: of the files.
        root: directory that patterns of noise start from.
        jobs: processes that simulate rooms.

    Raises:
        SpeechError: no noise, no PyAV or no pyroomacoustics where they are needed.
    """
    check_sounds(options, root)
    if options.noise is not None and not (directory / _CLIPS).exists():
        clips = find_clips(options.noise.clips, root)
        with replace_text(directory / _CLIPS) as stream:
            stream.writelines(f"{path.absolute()}\n" for path in clips)
    if options.reverberation is not None and not (directory / _ROOMS).exists():
        simulate_rooms(directory / _ROOMS, options.reverberation.rooms, jobs=jobs)


def read_sounds(options: AugmentationOptions, directory: Path) -> WaveformAugmenter:
    """What augments with the files that `write_sounds` wrote.

    Raises:
        SpeechError: one is missing or damaged, or a file of noise has gone.
    """
    clips: tuple[Path, ...] = ()
    if options.noise is not None:
        listed = directory / _CLIPS
        clips = tuple(Path(line.rstrip("\n")) for line in read_lines(listed))
        missing = [path for path in clips if not path.exists()]
        if missing or not clips:
            first = f", the first {missing[0]}" if missing else ""
            raise SpeechError(
                f"{listed}: expected files of noise that exist, found {len(missing)} of "
                f"{len(clips)} missing{first}"
            )
    rooms = None
    if options.reverberation is not None:
        rooms = directory / _ROOMS
        read_responses(rooms)
    return WaveformAugmenter(options, clips, rooms)
