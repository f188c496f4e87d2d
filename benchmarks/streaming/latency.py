"""One system's partial and final results in time; `benchmarks.streaming` starts it with its Python.

    python -m benchmarks.streaming.latency recognizer [--model DIR] [--core N] [--piece S] FILE ...

A recording (WAV, 16 kHz, mono, 16 bits) is played in pieces on a clock of its own: a piece can be
recognised when its last sample was spoken and what came before is done, and it takes the processor
time that it took in fact. So latencies are those of a machine that does nothing else, and nobody
waits for the audio. Writes a line of JSON for each recording: the `Timeline`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

RATE = 16000


@dataclass
class Timeline:
    """What was known when, in seconds of the recording.

    Attributes:
        partials: a time and the words as of then.
        finals: a time and an utterance's words, each with its end.
        spoken: when the recording ended.
        closed: when the last result was there.
        busy: seconds of work.
    """

    partials: list[tuple[float, list[str]]] = field(default_factory=list)
    finals: list[tuple[float, list[tuple[str, float]]]] = field(default_factory=list)
    spoken: float = 0.0
    closed: float = 0.0
    busy: float = 0.0

    @contextmanager
    def work(self, spoken: float) -> Iterator[None]:
        """Work that waits for the audio up to a time; `closed` is then when it is done."""
        begin = time.process_time()
        yield
        seconds = time.process_time() - begin
        self.busy += seconds
        self.closed = max(self.closed, spoken) + seconds


Play = Callable[[bytes, float], Timeline]
"""From a recording's samples, and seconds of a piece, to its timeline."""


def recognizer(model: str | None) -> Play:
    """This package, with the shipped model or another, and its default endpointing."""
    import numpy as np

    from recognizer import Final, Recognizer

    system = Recognizer(model)

    def play(data: bytes, piece: float) -> Timeline:
        samples = np.frombuffer(data, np.int16)
        timeline, size = Timeline(), round(piece * RATE)
        stream = system.stream()
        for begin in range(0, len(samples) + size, size):
            block = samples[begin : begin + size]
            with timeline.work(min(len(samples), begin + size) / RATE):
                events = stream.accept(block, RATE) if len(block) else stream.finish()
            for event in events:
                if isinstance(event, Final):
                    words = [(word.word, word.end) for word in event.result.words]
                    timeline.finals.append((timeline.closed, words))
                else:
                    timeline.partials.append((timeline.closed, list(event.words)))
            if not len(block):
                break
        timeline.spoken = len(samples) / RATE
        return timeline

    return play


def pocketsphinx(model: str | None) -> Play:
    """Pocketsphinx with its own English model and endpointer."""
    from pocketsphinx import Decoder, Endpointer  # type: ignore[import-not-found]

    decoder = Decoder(loglevel="FATAL")

    def words() -> list[tuple[str, float]]:
        found = ((one.word.split("(")[0], one.end_frame) for one in decoder.seg() or ())
        return [(word, 0.01 * (end + 1)) for word, end in found if word[0] not in "<["]

    def play(data: bytes, piece: float) -> Timeline:
        endpointer, timeline = Endpointer(sample_rate=RATE), Timeline()
        size, speaking = endpointer.frame_bytes, False
        timeline.spoken = len(data) / 2 / RATE
        shown: list[str] = []
        for begin in range(0, len(data), size):
            frame = data[begin : begin + size]
            with timeline.work((begin + len(frame)) / 2 / RATE):
                whole = len(frame) == size
                speech = endpointer.process(frame) if whole else endpointer.end_stream(frame)
                ended = speaking and not endpointer.in_speech
                if speech is not None:
                    if not speaking:
                        decoder.start_utt()
                        speaking = True
                    decoder.process_raw(speech)
                    hypothesis = decoder.hyp()
                    now = hypothesis.hypstr.split() if hypothesis else []
                if ended:
                    decoder.end_utt()
                    final = words()
            if ended:
                speaking, shown = False, []
                start = endpointer.speech_start
                timeline.finals.append(
                    (timeline.closed, [(word, start + end) for word, end in final])
                )
            elif speech is not None and now != shown:
                shown = now
                timeline.partials.append((timeline.closed, now))
        if speaking:
            with timeline.work(timeline.spoken):
                decoder.end_utt()
                final = words()
            start = endpointer.speech_start
            timeline.finals.append((timeline.closed, [(word, start + end) for word, end in final]))
        return timeline

    return play


SYSTEMS = {"recognizer": recognizer, "pocketsphinx": pocketsphinx}


def word_latencies(timeline: Timeline) -> list[float]:
    """Seconds from the end of each word of a final to the partial result from which on it stands.

    The words of partial results are compared with the final's in order; those that the last partial
    result has otherwise do not count.
    """
    found, first = [], 0
    for at, words in timeline.finals:
        before = [one for one in timeline.partials[first:] if one[0] <= at]
        first += len(before)
        for index, (word, end) in enumerate(words):
            since = None
            for when, shown in before:
                if shown[index : index + 1] != [word]:
                    since = None
                elif since is None:
                    since = when
            if since is not None:
                found.append(since - end)
    return found


def main() -> None:
    """Play all recordings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--model", metavar="DIR")
    parser.add_argument("--core", type=int, metavar="N", help="run on this core alone")
    parser.add_argument("--piece", type=float, default=0.1, help="seconds of a piece")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    play = SYSTEMS[arguments.system](arguments.model)
    for index, path in enumerate([arguments.files[0], *arguments.files]):
        with wave.open(path) as file:
            data = file.readframes(file.getnframes())
        timeline = play(data, arguments.piece)
        if index:  # the first one warms up
            print(json.dumps(asdict(timeline)), flush=True)


if __name__ == "__main__":
    main()
