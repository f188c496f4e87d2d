"""Speed, memory and accuracy of the first pass, beside kaldi-decoder's and with growing models.

    python -m benchmarks.search --data corpora/mini-librispeech/dev --json search.json
    python -m benchmarks.search --data corpora/mini-librispeech/dev --quick

Scores are the model's own of real speech; all decoders get the same beam, limits of active tokens,
acoustic scale and lattice beam: the model's, unless an option says otherwise. Three tables:

1. All decoders on the model's graph or first-pass language model, each in a process of its own,
   taking turns (`workers.py` says what is counted as time and as memory). The lattices are
   determinised, and their best path is found. `FasterDecoder` makes no lattice.
   `LatticeSimpleDecoder`, which makes one, has no limit of active tokens and is slow: it gets the
   first frames only. Active tokens are those whose arcs are followed; the peers do not tell theirs.
   Cost differences are to `FasterDecoder`'s best paths; on the fly they come from exact back-off,
   which the graph does not have.
2. Beam against word error rate and speed.
3. Size of the first-pass language model against memory and speed, static and on the fly. It needs
   language models: `benchmarks.search.language_models` makes them, and `--lms` says where they
   are. Static graphs are built in a process that may hold 16 GiB, and kept in the work directory.

Words are counted over all utterances in the first table, over every third in the others.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.common.report import add_json_option, output, write_json
from benchmarks.search.inputs import Inputs, sizes_in
from benchmarks.search.tables import Row, Settings, beams_table, contestants_table, sizes_table
from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.model.files import DEFAULT_MODEL

TABLES = {
    1: "Decoders",
    2: "Beam against word error rate and speed",
    3: "Size of the language model against memory and speed",
}
BEAMS = (8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0)

# Field of a row, its heading, its format.
COLUMNS = (
    ("beam", "beam", "{:g}"),
    ("ngrams", "n-grams", "{:,}"),
    ("name", "", "{}"),
    ("frames_per_second", "frames/s", "{:,.0f}"),
    ("real_time_factor", "RTF", "{:.4f}"),
    ("memory_mb", "MB above idle", "{:,.0f}"),
    ("rss_mb", "MB in all", "{:,.0f}"),
    ("graph_mb", "graph MB", "{:,.1f}"),
    ("active_tokens", "tokens/frame", "{:,.0f}"),
    ("mean_cost_difference", "cost difference", "{:+.4f}"),
    ("largest_cost_difference", "largest", "{:+.4f}"),
    ("wer", "WER", "{:.2f}"),
    ("oracle_wer", "oracle WER", "{:.2f}"),
    ("raw_oracle_wer", "of raw lattice", "{:.2f}"),
    ("time_ratio", "time to static", "{:.2f}"),
    ("memory_ratio", "memory to static", "{:.1%}"),
    ("build_seconds", "building s", "{:,.0f}"),
    ("build_gib", "building GiB", "{:.1f}"),
    ("note", "", "{}"),
)


def main() -> None:
    """Measure, print, write."""
    arguments = _arguments()
    inputs = Inputs(arguments.model, arguments.data, arguments.work, arguments.utterances)
    given = {
        name: getattr(arguments, name)
        for name in ("beam", "max_active", "acoustic_scale")
        if getattr(arguments, name) is not None
    }
    options = replace(inputs.bundle.config.search, lattice_beam=arguments.lattice_beam, **given)
    settings = Settings(options, arguments.every, arguments.simple_frames)
    frame_shift = inputs.bundle.acoustic_model.output_frame_shift
    console = output()
    graph = MappedGraph.open(inputs.graph)
    console.print(
        f"{len(inputs.utterances)} utterances, {sum(u.frames for u in inputs.utterances):,} "
        f"frames, {graph.num_states:,} states, {graph.num_arcs:,} arcs, {options}; "
        f"load average {os.getloadavg()[0]:.1f}",
        highlight=False,
    )
    for table in arguments.tables:
        summary: dict[str, float] = {}
        if table == 1:
            rows, summary = contestants_table(inputs, settings)
        elif table == 2:
            rows = beams_table(inputs, settings, arguments.beams)
        else:
            sizes = [size for size in sizes_in(arguments.lms) if size <= arguments.largest]
            rows, summary = sizes_table(
                inputs, settings, arguments.lms, sizes, arguments.build_memory
            )
        rows = [
            row | {"real_time_factor": 1 / (row["frames_per_second"] * frame_shift)} for row in rows
        ]
        _print(console, TABLES[table], rows, summary)
        if arguments.json is not None:
            _write(arguments.json, table, rows, summary, asdict(settings))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="corpus with transcripts")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model directory")
    parser.add_argument("--lms", type=Path, help="what benchmarks.search.language_models made")
    parser.add_argument(
        "--work", type=Path, default=Path("build/benchmark-search"), help="for scores and graphs"
    )
    add_json_option(parser)
    parser.add_argument("--tables", type=_tables, help="1, 2, 3 or several: 1,3 (default: all)")
    parser.add_argument("--quick", action="store_true", help="little of everything, in minutes")
    parser.add_argument("--utterances", type=int, help="so many only (default: all)")
    parser.add_argument("--every", type=int, default=3, help="utterances of tables 2 and 3")
    parser.add_argument("--beam", type=float, help="(default: the model's)")
    parser.add_argument("--max-active", type=int, help="(default: the model's)")
    parser.add_argument("--acoustic-scale", type=float, help="(default: the model's)")
    parser.add_argument("--lattice-beam", type=float, default=8.0, help="of all lattices")
    parser.add_argument("--beams", type=float, nargs="+", default=BEAMS, help="of table 2")
    parser.add_argument(
        "--simple-frames", type=int, default=2000, help="for LatticeSimpleDecoder; 0: leave it out"
    )
    parser.add_argument("--largest", type=float, default=23.0, help="million n-grams of table 3")
    parser.add_argument("--build-memory", type=float, default=16.0, help="GiB, for static graphs")
    arguments = parser.parse_args()
    if arguments.tables is None:
        arguments.tables = [table for table in TABLES if table < 3 or arguments.lms is not None]
    if 3 in arguments.tables and arguments.lms is None:
        parser.error("table 3 needs --lms DIR (benchmarks.search.language_models makes it)")
    if arguments.quick:
        arguments.utterances = arguments.utterances or 6
        arguments.every = 1
        arguments.beams = arguments.beams[::4]
        arguments.simple_frames = min(arguments.simple_frames, 100)
        arguments.largest = min(arguments.largest, 1.0)
    return arguments


def _tables(text: str) -> list[int]:
    tables = sorted({int(part) for part in text.split(",")})
    if not set(tables) <= set(TABLES):
        raise argparse.ArgumentTypeError(f"expected some of 1,2,3, found {text}")
    return tables


def _print(console: Console, title: str, rows: Sequence[Row], summary: dict[str, float]) -> None:
    table = Table(title=title)
    columns = [column for column in COLUMNS if any(column[0] in row for row in rows)]
    for field, heading, _ in columns:
        table.add_column(heading, justify="left" if field in ("name", "note") else "right")
    for row in rows:
        table.add_row(*(form.format(row[f]) if f in row else "" for f, _, form in columns))
    console.print(table)
    for name, value in summary.items():
        console.print(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value:.4g}")


def _write(
    path: Path, table: int, rows: Sequence[Row], summary: dict[str, float], settings: dict[str, Any]
) -> None:
    """Replaces a table's rows in the file; those of other tables stay."""
    result: dict[str, Any] = {"rows": [], "summary": {}, "settings": {}}
    if path.exists():
        result = json.loads(path.read_text(encoding="utf-8"))
    kept = [row for row in result["rows"] if row["table"] != table]
    result["rows"] = sorted(
        kept + [{"table": table} | row for row in rows], key=lambda row: row["table"]
    )
    result["summary"] |= summary
    result["settings"][str(table)] = settings
    write_json(path, result)


if __name__ == "__main__":
    try:
        main()
    except SpeechError as error:
        raise SystemExit(f"Error: {error}") from None
