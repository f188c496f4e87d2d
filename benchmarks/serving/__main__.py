"""The server under load: real-time streams over websockets, and clients that abuse it.

Command line:

    python -m benchmarks.serving DATA [--streams N] [--seconds S] [--find] [--model DIR]
        [--json FILE]
    python -m benchmarks.serving --abuse [--connections N] [--rounds N] [--json FILE]

DATA is a corpus as `recognizer evaluate` takes it. Each of N clients speaks its utterances, one
after the other and in real time, in pieces of 0.2 s, and ends each with a reset; the delay of a
final result is from the moment at which the utterance's last sample would have been spoken to its
arrival. A number of streams holds if no stream is lost and every final comes within 1 s. `--find`
looks for the largest number that holds: upwards in steps of a quarter, then by halving. Clients
and server share the machine. Memory is the server's own, in MB (10^6 bytes); `resident_mb` has the
pages of the model's files too.

`--abuse` opens N connections at the same time that send garbage, leave in the middle, stall, or do
not read, in rounds: memory and open files after each must not grow from round to round.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from benchmarks.serving.abuse import IDLE_SECONDS, abuse
from benchmarks.serving.live_streams import Load, load, pcm
from benchmarks.serving.server_process import options_of, serving
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import read_corpus

LIMIT_SECONDS = 1.0
_STEP = 1.25


def main() -> None:
    """Print the rows; with --json write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--model", help="default: English")
    parser.add_argument("--streams", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--piece", type=float, default=0.2, help="seconds of audio in a message")
    parser.add_argument("--utterances", type=int, default=200, help="of DATA; default: 200")
    parser.add_argument("--find", action="store_true", help="look for the largest number")
    parser.add_argument("--abuse", action="store_true")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    add_json_option(parser)
    arguments = parser.parse_args()
    model = [] if arguments.model is None else ["--model", arguments.model]
    if arguments.abuse:
        result = abused(model, arguments.connections, arguments.rounds, arguments.seed)
    elif arguments.data is None:
        parser.error("DATA: expected a corpus")
    else:
        recordings = utterances(arguments.data, arguments.utterances)
        result = loaded(model, recordings, arguments)
    write_json(arguments.json, result)


def utterances(data: Path, count: int) -> list[bytes]:
    """The first utterances of a corpus as the websocket takes them."""
    chosen = list(read_corpus(data))[:count]
    return [pcm(utterance.samples()) for utterance in chosen]


def loaded(
    model: Sequence[str], recordings: Sequence[bytes], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Measure one number of streams, or look for the largest that holds."""
    rows: list[dict[str, Any]] = []
    memories: dict[int, list[float]] = {}

    def holds(streams: int) -> bool:
        limits = options_of([("max-streams", streams)])
        with serving(*model, *limits) as server:
            came = load(
                server, recordings, streams, arguments.seconds, arguments.piece, arguments.seed
            )
        rows.append(row_of(streams, came))
        memories[streams] = came.memory_mb
        print_rows("real-time streams", rows[-1:])
        return bool(rows[-1]["holds"])

    streams = arguments.streams
    held = holds(streams)
    if arguments.find:
        streams = largest(streams, held, holds)
        print(f"the largest number of streams that holds: {streams}")
    return {
        "audio_minutes": round(sum(map(len, recordings)) / 2 / SAMPLE_RATE / 60, 1),
        "seconds": arguments.seconds,
        "piece_seconds": arguments.piece,
        "rows": rows,
        "memory_mb": memories,
        "largest": streams if arguments.find else None,
    }


def largest(streams: int, held: bool, holds: Any) -> int:
    """The largest number that holds, within a twentieth; 0 if none does."""
    low, high = (streams, 0) if held else (0, streams)
    while not high:
        streams = max(low + 1, round(low * _STEP))
        low, high = (streams, 0) if holds(streams) else (low, streams)
    while high - low > max(1, low // 20):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def row_of(streams: int, came: Load) -> dict[str, Any]:
    """The figures of one number of streams."""
    finals = np.array([delay for heard in came.streams for delay in heard.final_seconds])
    partials = np.array([delay for heard in came.streams for delay in heard.partial_seconds])
    lost = [heard.lost for heard in came.streams if heard.lost is not None]
    if not len(finals):
        raise SystemExit(f"no stream came to an end: {lost[:1]}")
    quarter = max(1, len(came.memory_mb) // 4)
    return {
        "streams": streams,
        "holds": not lost and float(finals.max()) <= LIMIT_SECONDS,
        "lost": len(lost),
        "finals": len(finals),
        "words": sum(heard.words for heard in came.streams),
        "final_s_median": round(float(np.median(finals)), 3),
        "final_s_95th": round(float(np.quantile(finals, 0.95)), 3),
        "final_s_max": round(float(finals.max()), 3),
        "partial_s_median": round(float(np.median(partials)), 3),
        "partial_s_95th": round(float(np.quantile(partials, 0.95)), 3),
        "processors": round(came.processors, 2),
        "memory_mb_2nd_quarter": max(came.memory_mb[quarter : 2 * quarter] or came.memory_mb),
        "memory_mb_last_quarter": max(came.memory_mb[-quarter:]),
        "resident_mb": came.resident_mb,
    }


def abused(model: Sequence[str], connections: int, rounds: int, seed: int) -> dict[str, Any]:
    """Measure what abuse does to a server."""
    limits = options_of([("idle-seconds", IDLE_SECONDS), ("max-streams", 200)])
    with serving(*model, *limits) as server:
        result = abuse(server, connections, rounds, seed)
        result["lines"] = server.lines[1:]
    print_rows(
        f"{connections} abusive connections; before: {result['memory_mb_before']} MB, "
        f"{result['open_files_before']} files",
        result["rounds"],
    )
    return result


if __name__ == "__main__":
    main()
