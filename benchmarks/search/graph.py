"""Size of a model's decoding graph, and what building and opening it take.

    python -m benchmarks.search.graph [--model DIR] [--kind on-the-fly|static] [--json FILE]

Builds the graph anew from the model's lexicon, tree, transitions and first-pass language model:
HCL or HCLG. Where the model has a graph of that kind, the two files are compared.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.model.bundle import ModelBundle
from recognizer.model.config import FirstPassOptions
from recognizer.model.files import DEFAULT_MODEL
from recognizer.model.first_pass_graph import graph_of_bundle
from recognizer.model.static import STATIC

KINDS = {"on-the-fly": FirstPassOptions(), "static": STATIC}


def main() -> None:
    """Print the figures; with --json write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--kind", choices=KINDS, default="on-the-fly")
    add_json_option(parser)
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    bundle = ModelBundle(arguments.model)
    begin = time.perf_counter()
    built = graph_of_bundle(bundle, KINDS[arguments.kind])
    build_seconds = time.perf_counter() - begin
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "built.graph"
        built.save(path)
        begin = time.perf_counter()
        MappedGraph.open(path, validate=False)
        open_seconds = time.perf_counter() - begin
        begin = time.perf_counter()
        MappedGraph.open(path)
        validate_seconds = time.perf_counter() - begin
        content = path.read_bytes()
    same = None
    if bundle.config.first_pass.search == arguments.kind:
        same = content == (bundle.path / bundle.graph_file).read_bytes()
    graph, transitions = built.to_graph(), bundle.transitions
    silent = np.isin(transitions.phone, sorted(bundle.phones.silence))
    emitting = graph.ilabels[graph.ilabels > 0]
    figures = {
        "states": graph.num_states,
        "arcs": graph.num_arcs,
        "self_loops": int(transitions.is_self_loop[emitting].sum()),
        "silence_arcs": int(silent[emitting].sum()),
        "epsilon_arcs": int(graph.num_arcs - len(emitting)),
        "file_bytes": len(content),
        "build_seconds": round(build_seconds, 1),
        "open_seconds": round(open_seconds, 4),
        "open_and_validate_seconds": round(validate_seconds, 4),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "same_file_as_in_the_model": same,
    }
    print_rows(
        f"Graph {arguments.kind}", [{"": name, "value": value} for name, value in figures.items()]
    )
    write_json(arguments.json, figures)


if __name__ == "__main__":
    main()
