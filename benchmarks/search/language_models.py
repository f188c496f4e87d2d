"""The language models of `benchmarks.search`'s third table, from small to large.

    python -m benchmarks.search.language_models --text sentences.txt --out DIR

The text is the recipe's own, a normalised sentence a line: after
`recognizer recipe mini_librispeech --work WORK` it is `WORK/text/sentences.txt`. Every model is a
first pass's as in `docs/guides/language-models.md`: one 5-gram over the model's lexicon that counts
occurrences in all orders, pruned by relative entropy to each size. Sizes are in millions of
n-grams, unigrams included. For each of them DIR gets `SIZE.arpa.gz`, for building a static graph,
and `SIZE.automaton`, which a search on the fly maps into memory. Files that are there already are
kept, so that an interrupted run can go on. 23 million n-grams take about 7 GiB of memory.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from recognizer.data.io.console import console
from recognizer.data.io.files import read_lines
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.model.prune import prune_ngrams, pruning_losses
from recognizer.model.bundle import ModelBundle
from recognizer.model.files import DEFAULT_MODEL

SIZES = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 5.0, 10.0, 23.0)
"""Millions of n-grams."""

ORDER = 5


def arpa_path(directory: Path, millions: float) -> Path:
    """Where the model of a size is, as text."""
    return directory / f"{millions:g}M.arpa.gz"


def automaton_path(directory: Path, millions: float) -> Path:
    """Where the model of a size is, for mapping into memory."""
    return directory / f"{millions:g}M.automaton"


def write_models(text: Path, model: Path, directory: Path, sizes: tuple[float, ...]) -> None:
    """Writes what is missing of the files of all sizes."""
    begin = time.monotonic()

    def say(what: str) -> None:
        console.print(f"{time.monotonic() - begin:5.0f} s  {what}", highlight=False)

    directory.mkdir(parents=True, exist_ok=True)
    missing = [size for size in sizes if not arpa_path(directory, size).exists()]
    if missing:
        vocabulary = ModelBundle(model).lexicon.words
        say(f"estimating a {ORDER}-gram over {len(vocabulary):,} words from {text}")
        options = EstimateOptions(order=ORDER, continuation_counts=False)
        whole = estimate_ngrams(read_lines(text), vocabulary, options).model
        say(f"{sum(whole.counts):,} n-grams {whole.counts}; how much each of them matters")
        losses = pruning_losses(whole)
        for size in missing:
            above_unigrams = round(size * 1e6) - len(whole.vocabulary)
            pruned = prune_ngrams(whole, ngrams=above_unigrams, losses=losses)
            path = arpa_path(directory, size)
            write_arpa(pruned, path, decimals=3)
            say(f"{path}: {sum(pruned.counts):,} n-grams {pruned.counts}")
        del whole, losses
    for size in sizes:
        path = automaton_path(directory, size)
        if not path.exists():
            NgramAutomaton.from_model(read_arpa(arpa_path(directory, size))).save(path)
            say(f"{path}: {path.stat().st_size / 2**20:,.0f} MiB")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--text", type=Path, required=True, help="normalised, a sentence a line")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="has the vocabulary")
    parser.add_argument("--out", type=Path, required=True, help="directory of the models")
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="million n-grams")
    arguments = parser.parse_args()
    write_models(arguments.text, arguments.model, arguments.out, tuple(arguments.sizes))


if __name__ == "__main__":
    main()
