"""Recordings that cannot be read in parts, decoded once for all of their segments."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path

from recognizer.data.audio.reading import Samples, can_seek, read_audio
from recognizer.data.io.command import open_pipe

KEPT_RECORDINGS = 4
"""How many decoded recordings a process keeps (230 MB for an hour of speech).

Corpora are read in the order of their utterances' ids, which keeps the segments of a recording
together; several threads may be at the end of one recording and the beginning of the next ones.
"""

_Key = tuple[str, bool, int | None]  # path or command, whether it is a command, channel
_recordings: OrderedDict[_Key, Future[Samples]] = OrderedDict()
_lock = threading.Lock()


def whole_recording(source: Path | str, channel: int | None = None) -> Samples:
    """A recording as 16 kHz mono float32 samples `[N]`, which are not to be changed.

    Calls for the same recording share one decoded copy, also when several threads ask at once.

    Args:
        source: the path of a file, or (a string) the pipeline that prints it, see `open_pipe`.
        channel: see `read_audio`.

    Raises:
        SpeechError: as `open_pipe` and `read_audio`.
    """
    key = str(source), isinstance(source, str), channel
    with _lock:
        waiting = _recordings.get(key)
        if waiting is None:
            mine: Future[Samples] = Future()
            _recordings[key] = mine
            while len(_recordings) > KEPT_RECORDINGS:
                _recordings.popitem(last=False)
        else:
            _recordings.move_to_end(key)
    if waiting is not None:
        return waiting.result()
    try:
        samples = _read(source, channel)
        samples.setflags(write=False)
    except BaseException as error:
        with _lock:
            if _recordings.get(key) is mine:
                del _recordings[key]
        mine.set_exception(error)
        raise
    mine.set_result(samples)
    return samples


def _read(source: Path | str, channel: int | None) -> Samples:
    if isinstance(source, Path):
        return read_audio(source, channel=channel)
    with open_pipe(source) as stream:
        return read_audio(stream, channel=channel)


@functools.lru_cache(maxsize=1024)
def parts_are_cheap(audio: Path) -> bool:
    """Whether a part of a file can be read without decoding the whole; raises as `read_audio`."""
    return can_seek(audio)


def forget_recordings() -> None:
    """Decode anew from here on: a corpus is read, and its files may have changed."""
    parts_are_cheap.cache_clear()
    with _lock:
        _recordings.clear()
