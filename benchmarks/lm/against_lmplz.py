"""Our estimates beside those of KenLM's lmplz, which must be on the PATH.

Orders 3 and 5, without cut-offs and with (0, 0, 1 and so on): prints, as a table, the n-grams of
both models, how many only one of them has, and the greatest differences of log10 probabilities and
back-offs.

    python -m benchmarks.lm.against_lmplz TEXT [--orders 3,5] [--directory DIR]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.estimation.estimate import EstimateOptions, FileOptions, estimate_ngrams_of_files
from recognizer.lm.model.model_files import WriteOptions
from recognizer.lm.ngram.model import NgramModel, trie_keys


@dataclass(frozen=True)
class Difference:
    """How far two models are apart.

    Attributes:
        ngrams: n-grams of the first, of all orders.
        only_one: n-grams that only one of them has.
        probs: greatest difference of log10 probabilities, of those that both have.
        backoffs: greatest difference of log10 back-offs.
    """

    ngrams: int
    only_one: int
    probs: float
    backoffs: float


def difference(ours: NgramModel, theirs: NgramModel) -> Difference:
    """Compare two models n-gram by n-gram."""
    words = np.array([theirs.word_ids.get(word, -1) for word in ours.vocabulary])
    if len(ours.vocabulary) != len(theirs.vocabulary) or (words < 0).any():
        raise SystemExit("the vocabularies differ")
    rows = np.zeros(0, dtype=np.int64)  # in the other model, by row in the level below
    only_one, probs, backoffs = 0, 0.0, 0.0
    for order, (level, other) in enumerate(zip(ours.levels, theirs.levels, strict=True), start=1):
        parents = rows[level.parents] if order > 1 else level.parents
        wanted = trie_keys(parents, words[level.words]) if order > 1 else words[level.words]
        keys = trie_keys(other.parents, other.words) if order > 1 else other.words
        rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        both = keys[rows] == wanted
        if order > 1:
            both &= parents >= 0
        rows[~both] = -1
        only_one += len(level) + len(other) - 2 * int(both.sum())
        found = rows[both]
        probs = max(probs, _greatest(level.log10_probs[both], other.log10_probs[found]))
        backoffs = max(backoffs, _greatest(level.log10_backoffs[both], other.log10_backoffs[found]))
    return Difference(sum(ours.counts), only_one, probs, backoffs)


def _greatest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.float64) - other).max(initial=0.0))


def lmplz(text: Path, output: Path, options: EstimateOptions, directory: Path) -> None:
    """Estimate with KenLM."""
    cutoffs = [str(options.cutoff(order)) for order in range(1, options.order + 1)]
    subprocess.run(
        ["lmplz", "--order", str(options.order), "--prune", *cutoffs, "--temp_prefix", directory,
         "--memory", "2G", "--text", text, "--arpa", output],
        check=True,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--orders", default="3,5")
    parser.add_argument("--directory", type=Path, help="for temporary files")
    add_json_option(parser)
    arguments = parser.parse_args()
    if shutil.which("lmplz") is None:
        sys.exit("lmplz: not on the PATH")
    rows: list[Row] = []
    for order in map(int, arguments.orders.split(",")):
        for cutoffs in ((), (0, 0, 1)):
            options = EstimateOptions(order, cutoffs[:order])
            with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
                ours, theirs = Path(directory, "ours.arpa"), Path(directory, "theirs.arpa")
                files = FileOptions(write=WriteOptions(decimals=8))
                estimate_ngrams_of_files([arguments.text], ours, options, files=files)
                lmplz(arguments.text, theirs, options, Path(directory))
                found = difference(read_arpa(ours), read_arpa(theirs))
            rows.append(
                {
                    "order": order,
                    "cutoffs": ",".join(map(str, cutoffs)) or "none",
                    "ngrams": found.ngrams,
                    "only_one": found.only_one,
                    "log10_prob": float(found.probs),
                    "log10_backoff": float(found.backoffs),
                }
            )
    print_rows("Greatest differences to lmplz", rows)
    write_json(arguments.json, {"rows": rows})


if __name__ == "__main__":
    main()
