"""Recordings that commands print, decoded once for all of their segments."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future

from recognizer.data.audio.reading import Samples, read_audio
from recognizer.data.io.command import open_pipe

KEPT_RECORDINGS = 4
"""How many decoded recordings a process keeps (230 MB for an hour of speech).

Corpora are read in the order of their utterances' ids, which keeps the segments of a recording
together; several threads may be at the end of one recording and the beginning of the next ones.
"""

_Recordings = OrderedDict[tuple[str, int | None], "Future[Samples]"]
_recordings: _Recordings = OrderedDict()
_lock = threading.Lock()


def piped_recording(command: str, channel: int | None = None) -> Samples:
    """The recording that a pipeline prints, as 16 kHz mono float32 samples `[N]`.

    Calls for the same recording share one decoded copy, also when several threads ask at once.

    Args:
        command: see `open_pipe`.
        channel: see `read_audio`.

    Raises:
        SpeechError: as `open_pipe` and `read_audio`.
    """
    key = command, channel
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
        with open_pipe(command) as stream:
            samples = read_audio(stream, channel=channel)
        samples.setflags(write=False)
    except BaseException as error:
        with _lock:
            if _recordings.get(key) is mine:
                del _recordings[key]
        mine.set_exception(error)
        raise
    mine.set_result(samples)
    return samples


def forget_recordings() -> None:
    """Decode anew from here on: a corpus is read, and its files may have changed."""
    with _lock:
        _recordings.clear()
