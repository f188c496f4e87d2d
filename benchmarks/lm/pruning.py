"""Count cut-offs beside relative-entropy pruning: perplexity at the same number of n-grams.

    python -m benchmarks.lm.pruning TEXT --dev DIR... [--order N] [--cutoffs LIST]
        [--sizes LIST] [--json FILE]

Estimates three models from the text: with cut-offs; without; and without by absolute discounting,
whose lower orders are the text's marginals. The second is then pruned to the n-grams that the
first has, with histories' probabilities of its own and with those of the third (SRILM's
-prune-history-lm), and so is the third; with --sizes, to these numbers of n-grams above unigrams
too. Perplexities are on the transcripts of the data directories, unknown words left out; all models
have the same words.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common.report import add_json_option, write_json
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.io.files import read_lines
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.model.perplexity import perplexity
from recognizer.lm.model.prune import history_probs, prune_ngrams, pruning_losses
from recognizer.lm.ngram.model import NgramModel

Row = dict[str, Any]


class Table:
    """Rows of the result, shown as they come."""

    def __init__(self, dev: Sequence[Path]) -> None:
        self.dev = {
            "/".join(path.parts[-2:]): [" ".join(u.words) for u in read_corpus(path)]
            for path in dev
        }
        self.rows: list[Row] = []

    def add(self, name: str, model: NgramModel) -> None:
        """Measure a model."""
        automaton = NgramAutomaton.from_model(model)
        row: Row = {"model": name, "ngrams_by_order": list(model.counts)}
        row["ngrams_above_unigrams"] = sum(model.counts[1:])
        for data, lines in self.dev.items():
            row[data] = round(perplexity(automaton, lines).perplexity, 2)
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def add_pruned(
        self,
        name: str,
        model: NgramModel,
        sizes: Sequence[int],
        histories: Sequence[npt.NDArray[np.floating]],
    ) -> None:
        """Measure a model pruned to several sizes."""
        losses = pruning_losses(model, histories)
        for ngrams in sizes:
            self.add(name, prune_ngrams(model, ngrams=ngrams, losses=losses))


def main() -> None:
    """Print the rows; with --json write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--dev", type=Path, nargs="+", required=True)
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--cutoffs", default="0,1,1,1,1", help="of the model to compare with")
    parser.add_argument("--sizes", default="", help="more sizes to prune to")
    add_json_option(parser)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    table = Table(arguments.dev)

    def model(**options: Any) -> NgramModel:
        chosen = EstimateOptions(
            order=arguments.order, discount_fallback=(0.5, 1.0, 1.5), **options
        )
        return estimate_ngrams(read_lines(arguments.text), options=chosen).model

    cut = model(cutoffs=tuple(int(count) for count in arguments.cutoffs.split(",")))
    sizes = [sum(cut.counts[1:]), *(int(size) for size in arguments.sizes.split(",") if size)]
    table.add(f"Kneser-Ney, cut-offs {arguments.cutoffs}", cut)
    del cut
    absolute = model(continuation_counts=False)
    histories = history_probs(absolute)
    table.add("absolute discounting", absolute)
    table.add_pruned("absolute discounting, pruned", absolute, sizes, histories)
    del absolute
    whole = model()  # of the same n-grams, in the same order
    table.add("Kneser-Ney", whole)
    name = "Kneser-Ney, pruned, histories by absolute discounting"
    table.add_pruned(name, whole, sizes, histories)
    table.add_pruned("Kneser-Ney, pruned, histories by itself", whole, sizes, history_probs(whole))
    print(f"{time.perf_counter() - begin:.0f} seconds", file=sys.stderr)
    write_json(arguments.json, {"rows": table.rows})


if __name__ == "__main__":
    main()
