"""Files of audio recognised side by side: in threads of this process, or by a cluster."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recognizer.data.errors import SpeechError, UsageError, as_speech_error
from recognizer.data.parallel.cluster import cluster_map
from recognizer.data.parallel.threads import thread_map
from recognizer.loaded import loaded_recognizer
from recognizer.long.recognition import BrokenRecordingError
from recognizer.model.files import CONFIG, DEFAULT_MODEL, read_config
from recognizer.readable.writer import check_readable, shipped_writer
from recognizer.recognition.result import Result
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.adaptation import Adaptation

FileProgress = Callable[[str, float, float | None], None]
"""Is told of a file's path, the seconds that are done, and those of the whole file."""


@dataclass(frozen=True)
class BatchOptions:
    """How files are recognised.

    Attributes:
        model: a model directory; None is the English model of this package.
        minimum_bayes_risk: as in `recognizer.recognizer.Recognizer`.
        channel: as in `recognizer.recognizer.Recognizer.recognize`.
        threads: what is recognised at a time on this machine: files, and where there are fewer of
            them, segments of long ones; None: one file, its segments on all processors.
        cluster: address of a Ray cluster that recognises the files instead ("auto": the one that
            this machine belongs to; "": one of this machine alone); None: this process does.
        adaptation: words, phrases and language models that are given at run time.
        readable: whether results have readable words too, see `recognizer.readable.writer`.
    """

    model: str | None = None
    minimum_bayes_risk: bool = False
    channel: int | None = None
    threads: int | None = None
    cluster: str | None = None
    adaptation: Adaptation = Adaptation()
    readable: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads: expected at least 1, found {self.threads}")

    def settings(self) -> dict[str, Any]:
        """What the words depend on, as plain values; the model by the hash of its description.

        Raises:
            UsageError: a language model of `adaptation` that is no file.
            SpeechError: there is no such model, or a file cannot be read.
        """
        config = (DEFAULT_MODEL if self.model is None else Path(self.model)) / CONFIG
        read_config(config.parent)  # says what is wrong with a directory that is no model
        return {
            "model": hashlib.sha256(config.read_bytes()).hexdigest(),
            "mbr": self.minimum_bayes_risk,
            "channel": self.channel,
            **self.adaptation.settings(),
            **({"readable": True} if self.readable else {}),
        }


def recognize_files(
    paths: Sequence[str], options: BatchOptions, progress: FileProgress | None = None
) -> Iterator[Result | SpeechError]:
    """Recognise files, several at a time.

    Args:
        paths: of audio files; for a cluster, all its machines have them under the same names.
        options: how.
        progress: is told of long files: the path, the seconds that are done, and those of the
            whole file, if they are known. Threads call it; a cluster does not.

    Yields:
        The result of each file, in order, or why it could not be recognised; a long file that is
        damaged gives a `recognizer.long.recognition.BrokenRecordingError`, which has the result of
        what comes before. Results of a cluster have no lattices, which may be large.

    Raises:
        UsageError: standard input for a cluster, or Ray is not installed.
        SpeechError: a damaged model; a cluster that cannot be reached.
    """
    if options.cluster is None:
        files, segments = 1, options.threads
        if options.threads is not None:
            files = min(options.threads, max(1, len(paths)))
            segments = options.threads // files
        recognize = functools.partial(_recognized, options, segments, progress)
        _recognizer(options)  # one for all threads
        yield from thread_map(recognize, paths, files)
        return
    if "-" in paths:
        raise UsageError("standard input cannot be read by a cluster: expected files")
    yield from cluster_map(
        functools.partial(_on_cluster, options),
        paths,
        options.cluster,
        lambda path, error: SpeechError(f"{path}: {error}"),
    )


def _recognizer(options: BatchOptions) -> Recognizer:
    recognizer = loaded_recognizer(options.model, options.minimum_bayes_risk, options.adaptation)
    if options.readable:
        config = recognizer.bundle.config
        check_readable(config.text_rules, f"the model {config.name}")
    return recognizer


def _recognized(
    options: BatchOptions, threads: int | None, progress: FileProgress | None, path: str
) -> Result | SpeechError:
    recognizer = _recognizer(options)
    tell = None if progress is None else functools.partial(progress, path)
    written = shipped_writer().result if options.readable else _as_it_is
    try:
        return written(
            recognizer.recognize(path, channel=options.channel, threads=threads, progress=tell)
        )
    except BrokenRecordingError as error:
        return BrokenRecordingError(str(error), written(error.result))
    except SpeechError as error:
        return error
    except Exception as error:
        wrong = as_speech_error(error)
        return wrong if isinstance(error, OSError) else SpeechError(f"{path}: {wrong}")


def _as_it_is(result: Result) -> Result:
    return result


def _on_cluster(options: BatchOptions, path: str) -> Result | SpeechError:
    found = _recognized(options, 1, None, path)
    return replace(found, lattice=None) if isinstance(found, Result) else found
