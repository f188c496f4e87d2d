"""So many streams on one core; `benchmarks.streaming` starts it for each number of streams.

    python -m benchmarks.streaming.capacity corpora/mini-librispeech/dev --streams 32

Every stream gets the corpus's utterances from another one on, each with a pause of a second behind
it, in pieces of real-time size, all streams in turn. Writes JSON: processor time for a second of
audio, and what it implies; memory of a stream in the middle of its work. With ``--paced`` pieces
come when they would be spoken, and the time from a piece's end to its answer is measured instead.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recognizer import GroupOptions, Recognizer, StreamGroup
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.corpora.corpus import Corpus, read_corpus

_PAGE = os.sysconf("SC_PAGE_SIZE")


def memory() -> int:
    """Bytes of this process that are in memory and not of a file."""
    fields = Path("/proc/self/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * _PAGE


def speech(corpus: Corpus, first: int, size: int) -> Iterator[Samples]:
    """Pieces of endless speech, from an utterance on."""
    utterances = corpus.utterances
    rest = np.zeros(0, np.float32)
    for index in range(first, first + 1_000_000):
        samples = utterances[index % len(utterances)].samples()
        rest = np.concatenate([rest, samples, np.zeros(SAMPLE_RATE, np.float32)])
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]


def unpaced(
    recognizer: Recognizer, sources: list[Iterator[Samples]], rounds: int
) -> dict[str, Any]:
    """All streams get a piece, and the next one when all are done."""
    with StreamGroup(recognizer, GroupOptions(threads=1, max_streams=len(sources))) as group:
        before = memory()
        streams = [group.stream() for _ in sources]
        most, begin = 0, time.process_time()
        for _ in range(rounds):
            pieces = [next(source) for source in sources]
            group.accept_all(streams, pieces, SAMPLE_RATE)
            most = max(most, memory())
        seconds = time.process_time() - begin
    audio = rounds * len(sources) * len(pieces[0]) / SAMPLE_RATE
    return {
        "streams": len(sources),
        "processor_seconds_per_second": round(seconds / audio, 5),
        "real_time_streams_per_core": round(audio / seconds, 1),
        "memory_mb_per_stream": round((most - before) / len(sources) / 1e6, 2),
    }


def paced(
    recognizer: Recognizer, sources: list[Iterator[Samples]], rounds: int, piece: float
) -> dict[str, Any]:
    """Each stream gets its pieces as they would be spoken; streams begin one after the other."""
    lags: list[float] = []
    count = len(sources)

    def answered(at: float, call: Future[None]) -> None:
        lags.append(time.monotonic() - at)

    with StreamGroup(recognizer, GroupOptions(threads=1, max_streams=count)) as group:
        streams = [group.stream() for _ in sources]
        begin = time.monotonic()
        due = [(begin + piece * (1 + index / count), index, 0) for index in range(count)]
        calls = []
        while due:
            at, index, number = heapq.heappop(due)
            samples = next(sources[index])
            time.sleep(max(0.0, at - time.monotonic()))
            call = streams[index].submit(samples, SAMPLE_RATE)
            call.add_done_callback(partial(answered, at))
            calls.append(call)
            if number + 1 < rounds:
                heapq.heappush(due, (at + piece, index, number + 1))
        for call in calls:
            call.result()
    return {
        "streams": count,
        "seconds": round(rounds * piece, 1),
        "lag_median": round(float(np.median(lags)), 3),
        "lag_95": round(float(np.quantile(lags, 0.95)), 3),
        "lag_largest": round(max(lags), 3),
    }


def main() -> None:
    """Measure and write a line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--core", type=int, metavar="N", help="run on this core alone")
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stream")
    parser.add_argument("--piece", type=float, default=0.2, help="seconds of a piece")
    parser.add_argument("--paced", action="store_true")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    recognizer, corpus = Recognizer(arguments.model), read_corpus(arguments.data)
    size = round(arguments.piece * SAMPLE_RATE)
    rounds = round(arguments.seconds / arguments.piece)
    step = max(1, len(corpus) // arguments.streams)
    warm = np.concatenate([one.samples() for one in corpus.utterances[:3]])
    recognizer.recognize(warm)
    sources = [speech(corpus, step * index, size) for index in range(arguments.streams)]
    if arguments.paced:
        print(json.dumps(paced(recognizer, sources, rounds, arguments.piece)))
    else:
        print(json.dumps(unpaced(recognizer, sources, rounds)))


if __name__ == "__main__":
    main()
