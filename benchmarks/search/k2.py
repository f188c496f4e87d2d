"""Agreement and speed of the k2 engine and the native search, on a model's graph and real speech.

    python -m benchmarks.search.k2 --data corpora/mini-librispeech/dev [--json FILE]

Needs a k2 built for the installed torch (docs/inside/k2.md). Both engines search the same scores
with the same options, with and without a limit of active states; times are CPU seconds of all
threads.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from examples.k2_engine.engine import K2Decoder
from recognizer.data.corpora.corpus import read_corpus
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.lattice.oracle import oracle
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.model.files import DEFAULT_MODEL
from recognizer.model.first_pass_graph import graph_of_bundle
from recognizer.model.static import STATIC
from recognizer.recognizer import Recognizer

SETTINGS = ((13.0, 7000), (15.0, 7000), (15.0, 10**6))  # beam, max_active
TOLERANCE = 0.01  # of path costs
Scored = list[tuple[np.ndarray, tuple[str, ...]]]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--utterances", type=int, default=50)
    parser.add_argument("--lattice-beam", type=float, default=8.0)
    add_json_option(parser)
    arguments = parser.parse_args()
    recognizer = Recognizer(arguments.model)
    utterances = list(read_corpus(arguments.data))
    step = max(1, len(utterances) // arguments.utterances)
    scored = [
        (recognizer.acoustic_scores(utterance.samples()), tuple(utterance.text.lower().split()))
        for utterance in utterances[::step][: arguments.utterances]
    ]
    graph = graph_of_bundle(recognizer.bundle, STATIC).to_graph()
    rows = []
    for beam, max_active in SETTINGS:
        options = replace(
            recognizer.bundle.config.search,
            beam=beam,
            max_active=max_active,
            lattice_beam=arguments.lattice_beam,
        )
        rows.append(compare(recognizer, graph, scored, options))
    print_rows("The native search and k2", rows)
    write_json(arguments.json, {"rows": rows})


def compare(
    recognizer: Recognizer, graph: DecodingGraph, scored: Scored, options: SearchOptions
) -> dict[str, Any]:
    """One row: both engines on all utterances."""
    pdfs, scale = recognizer.bundle.transitions.pdf, options.acoustic_scale
    native = Decoder(graph, pdfs, options)
    begin = time.process_time()
    k2 = K2Decoder(graph, pdfs, options)
    row: dict[str, Any] = {
        "beam": options.beam,
        "max_active": options.max_active,
        "utterances": len(scored),
        "k2_preparation_seconds": round(time.process_time() - begin, 2),
    }
    seconds, errors = {native: 0.0, k2: 0.0}, {native: 0, k2: 0}
    differences: list[float] = []
    same_words = same_end = 0
    for scores, reference in scored:
        lattices = {}
        for decoder in (native, k2):
            begin = time.process_time()
            lattices[decoder] = decoder.decode(scores)
            seconds[decoder] += time.process_time() - begin
            errors[decoder] += oracle(lattices[decoder], reference).errors
        path, other = (best_path(lattices[decoder], scale) for decoder in (native, k2))
        differences.append(other.cost(scale) - path.cost(scale))
        same_words += other.words == path.words
        same_end += other.complete == path.complete
    frames = sum(len(scores) for scores, _ in scored)
    words = sum(len(reference) for _, reference in scored)
    largest = max(differences, key=abs)
    return row | {
        "frames": frames,
        "same_cost": int(np.sum(np.abs(differences) <= TOLERANCE)),
        "k2_lower_cost": int(np.sum(np.array(differences) < -TOLERANCE)),
        "k2_higher_cost": int(np.sum(np.array(differences) > TOLERANCE)),
        "largest_difference": round(largest, 3) + 0.0,
        "same_words": same_words,
        "same_reached_final": same_end,
        "native_oracle_wer": round(100 * errors[native] / words, 2),
        "k2_oracle_wer": round(100 * errors[k2] / words, 2),
        "native_frames_per_second": round(frames / seconds[native]),
        "k2_frames_per_second": round(frames / seconds[k2]),
    }


if __name__ == "__main__":
    main()
