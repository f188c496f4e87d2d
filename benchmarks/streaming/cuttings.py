"""Random cuttings of real speech: are a stream's results those of the whole recording?

    python -m benchmarks.streaming.cuttings corpora/mini-librispeech/dev --count 1000

Each trial takes an utterance at a random rate, of one or two channels, in floats or integers, and
cuts it at random places, some of them into very short or empty pieces. Without endpointing, the one
final must equal `Recognizer.recognize`'s result; with it, finals must equal those of the whole
recording in one piece. Equal means: words, times, confidences, scores, and every array of the
lattice, bit for bit. Committed words must stay and be those of the last partial result. Ends with
status 1 where a trial fails.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer import EndpointOptions, Final, Partial, Recognizer, Result
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.io.console import progress_bar
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.streaming.endpointing import ENDPOINTING
from recognizer.streaming.events import Event

RATES = (16000, 16000, 8000, 22050, 44100, 48000)


@dataclasses.dataclass(frozen=True)
class Recording:
    """An utterance as a trial has it, and what is expected of it."""

    samples: npt.NDArray[Any]
    rate: int
    endpointing: EndpointOptions | None
    finals: list[Final]


def variant(recognizer: Recognizer, samples: Any, rng: np.random.Generator) -> Recording:
    """The utterance at a random rate, layout and type, some with a second of silence inside."""
    rate = int(rng.choice(RATES))
    endpointing = ENDPOINTING if rng.random() < 0.5 else None
    if endpointing is not None:
        middle = len(samples) // 2
        silence = rng.normal(0.0, 1e-3, SAMPLE_RATE).astype(np.float32)
        samples = np.concatenate([samples[:middle], silence, samples[middle:]])
    samples = soxr.resample(samples, SAMPLE_RATE, rate)
    if rng.random() < 0.5:
        samples = np.stack([samples, 0.5 * samples], axis=1)
    if rng.random() < 0.5:
        samples = (np.clip(samples, -1.0, 0.999) * 32768).astype(np.int16)
    if endpointing is None:
        result = recognizer.recognize(samples, sample_rate=rate)
        return Recording(samples, rate, None, [Final(0.0, result.duration, result)])
    stream = recognizer.stream(endpointing=endpointing, partials=False)
    events = stream.accept(samples, rate) + stream.finish()
    return Recording(samples, rate, endpointing, [one for one in events if isinstance(one, Final)])


def cut(samples: npt.NDArray[Any], rng: np.random.Generator) -> list[npt.NDArray[Any]]:
    """Pieces of a random cutting: few or many, even or uneven, some empty or of one sample."""
    kind = rng.integers(3)
    if kind == 0:
        cuts = np.arange(0, len(samples), int(rng.integers(160, 8000)))
    else:
        cuts = rng.integers(0, len(samples) + 1, int(rng.integers(0, 10 if kind == 1 else 200)))
        cuts = np.concatenate([cuts, cuts[:3], cuts[:3] + 1])
    return np.split(samples, np.sort(cuts))


def equal_results(one: Result, other: Result) -> bool:
    """Whether all is equal, bit for bit, lattices too."""
    if one != other or (one.lattice is None) != (other.lattice is None):
        return False
    return one.lattice is None or all(
        np.array_equal(getattr(one.lattice, field.name), getattr(other.lattice, field.name))
        for field in dataclasses.fields(CompactLattice)
    )


def committed_words_stay(events: list[Event]) -> bool:
    """Whether each partial result begins with the committed words of those before it."""
    committed: tuple[str, ...] = ()
    for event in events:
        if not isinstance(event, Partial):
            committed = ()
            continue
        if event.words[: len(committed)] != committed or len(event.committed) < len(committed):
            return False
        committed = event.committed
    return True


def main() -> None:
    """Run the trials; print and write how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="a corpus, such as mini-librispeech/dev")
    parser.add_argument("--model", type=Path, help="instead of the shipped one")
    parser.add_argument("--count", type=int, default=1000, help="cuttings (%(default)s)")
    parser.add_argument("--utterances", type=int, default=50, help="to cut (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    add_json_option(parser)
    arguments = parser.parse_args()
    recognizer = Recognizer(arguments.model)
    rng = np.random.default_rng(arguments.seed)
    corpus = list(read_corpus(arguments.data))
    chosen = rng.permutation(len(corpus))[: arguments.utterances]
    share = np.array_split(np.arange(arguments.count), len(chosen))
    names = (
        "cuttings",
        "pieces",
        "finals",
        "unequal finals",
        "partials",
        "committed words changed",
    )
    rows: dict[str, Row] = {
        kind: {"endpointing": kind, **dict.fromkeys(names, 0)} for kind in ("none", "rules")
    }
    with progress_bar("cuttings", arguments.count) as advance:
        for index, trials in zip(chosen, share, strict=True):
            recording = variant(recognizer, corpus[index].samples(), rng)
            row = rows["none" if recording.endpointing is None else "rules"]
            for _ in trials:
                stream = recognizer.stream(endpointing=recording.endpointing)
                pieces = cut(recording.samples, rng)
                events = [one for piece in pieces for one in stream.accept(piece, recording.rate)]
                events += stream.finish()
                finals = [one for one in events if isinstance(one, Final)]
                same = len(finals) == len(recording.finals) and all(
                    (one.start, one.end) == (other.start, other.end)
                    and equal_results(one.result, other.result)
                    for one, other in zip(finals, recording.finals, strict=True)
                )
                row["cuttings"] += 1
                row["pieces"] += len(pieces)
                row["finals"] += len(finals)
                row["unequal finals"] += not same
                row["partials"] += len(events) - len(finals)
                row["committed words changed"] += not committed_words_stay(events)
                advance()
    result = list(rows.values())
    print_rows("Random cuttings", result)
    write_json(arguments.json, {"cuttings": result})
    sys.exit(any(row["unequal finals"] or row["committed words changed"] for row in result))


if __name__ == "__main__":
    main()
