"""Size of a model's decoding graph, and what building and loading it take.

    python benchmarks/graph.py [--model DIR] [--json FILE]

Builds the graph anew from the model's lexicon, tree, transitions and first-pass language model,
and compares it with the one in the model directory.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import time
from pathlib import Path

import numpy as np

from decoding.build import GraphOptions, build_graph
from decoding.graph import DecodingGraph
from lm.arpa import read_arpa
from recognizer.bundle import DEFAULT_MODEL, FIRST_PASS, GRAPH, ModelBundle


def main() -> None:
    """Print the figures; with --json write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    bundle = ModelBundle(arguments.model)
    record = bundle.config.graph
    parts = (bundle.lexicon, bundle.phones, bundle.tree, bundle.transitions)
    grammar = read_arpa(bundle.path / FIRST_PASS)
    begin = time.perf_counter()
    built = build_graph(
        *parts,
        grammar,
        GraphOptions(
            self_loop_scale=record.self_loop_scale,
            transition_scale=record.transition_scale,
            silence_probability=record.silence_probability,
        ),
    )
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    graph = DecodingGraph.load(bundle.path / GRAPH)
    load_seconds = time.perf_counter() - begin
    transitions = bundle.transitions
    silent = np.isin(transitions.phone, sorted(bundle.phones.silence))
    emitting = graph.ilabels[graph.ilabels > 0]
    figures = {
        "states": graph.num_states,
        "arcs": graph.num_arcs,
        "self_loops": int(transitions.is_self_loop[emitting].sum()),
        "silence_arcs": int(silent[emitting].sum()),
        "epsilon_arcs": int(graph.num_arcs - len(emitting)),
        "file_bytes": (bundle.path / GRAPH).stat().st_size,
        "build_seconds": round(seconds, 1),
        "load_seconds": round(load_seconds, 2),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "same_as_in_the_model": bool(
            built.num_arcs == graph.num_arcs
            and np.array_equal(built.ilabels, graph.ilabels)
            and np.array_equal(built.costs, graph.costs)
            and np.array_equal(built.next_states, graph.next_states)
        ),
    }
    for name, value in figures.items():
        print(f"{name:>22}  {value:,}" if type(value) is int else f"{name:>22}  {value}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
