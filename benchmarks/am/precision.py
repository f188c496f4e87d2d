"""What int8 costs: word error rates of first passes over the posteriors of each precision.

Every precision scores the same features of the same utterances; the search is the model's own, its
best path without a lattice. Differences of posteriors and frames whose best state changed are given
too, against float32.

    python -m benchmarks.am.precision CORPUS --json inference_wer.json
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.am.features.fbank import fbank
from recognizer.am.nnet.inference import AcousticNetwork, log_posteriors
from recognizer.am.nnet.native import PRECISIONS, NativeNetwork, cpu_levels
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.io.console import progress_bar
from recognizer.evaluation.bootstrap import improvement_probability
from recognizer.evaluation.error_counts import ErrorCounts, total
from recognizer.evaluation.word_alignment import count_errors
from recognizer.model.bundle import ModelBundle


@dataclass
class Tally:
    """What the posteriors of one precision led to."""

    model: AcousticNetwork
    counts: list[ErrorCounts] = field(default_factory=list)
    difference: float = 0.0
    differences: float = 0.0
    same_best: int = 0
    same_words: int = 0


def main() -> None:
    """Recognise the corpus with each precision and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="corpus with transcripts")
    parser.add_argument("--model", type=Path, help="model directory (default: the package's)")
    parser.add_argument("--limit", type=int, help="only so many utterances, spread over the corpus")
    parser.add_argument("--level", choices=cpu_levels(), help="of instructions (default fastest)")
    add_json_option(parser)
    arguments = parser.parse_args()
    bundle = ModelBundle(arguments.model)
    network, options = bundle.network, bundle.config.features
    tallies = {
        precision: Tally(NativeNetwork(network, precision, level=arguments.level))
        for precision in PRECISIONS
    }
    decoder = bundle.decoder(bundle.config.search)
    corpus = list(read_corpus(arguments.data))
    if arguments.limit:
        corpus = corpus[:: max(1, len(corpus) // arguments.limit)][: arguments.limit]
    frames = 0
    with progress_bar("utterances", len(corpus)) as advance:
        for utterance in corpus:
            features = fbank(utterance.samples(), options)
            frames += len(features)
            expected = None
            expected_words: tuple[str, ...] = ()
            for tally in tallies.values():
                scores = log_posteriors(tally.model, features)
                words = tuple(decoder.decode_best(scores - network.log_priors).words)
                if expected is None:
                    expected, expected_words = scores, words
                tally.counts.append(count_errors(utterance.words, words))
                difference = np.abs(scores - expected)
                tally.difference = max(tally.difference, float(difference.max()))
                tally.differences += float(difference.mean(1).sum())
                tally.same_best += int((scores.argmax(1) == expected.argmax(1)).sum())
                tally.same_words += words == expected_words
            advance()
    rows = []
    before = tallies["float32"].counts
    for name, tally in tallies.items():
        counts = total(tally.counts)
        row = {
            "precision": name,
            "wer": round(counts.wer, 3),
            "wer_change": round(counts.wer - total(before).wer, 3),
            "errors": counts.errors,
            "words": counts.words,
            "improvement_probability": improvement_probability(before, tally.counts),
            "largest_difference": tally.difference,
            "mean_difference": tally.differences / frames,
            "same_best_state": tally.same_best / frames,
            "same_words": tally.same_words,
            "utterances": len(corpus),
        }
        rows.append(row)
    print_rows(f"{len(corpus)} utterances", rows)
    write_json(arguments.json, {"rows": rows})


if __name__ == "__main__":
    main()
