r"""Open and closed vocabulary on one acoustic model: word error rates, and words no lexicon holds.

    python -m benchmarks.recognition.units MODEL --corpora CORPORA \
        --data mini-librispeech/dev --json units.json

The model has pieces of words and graphemic pronunciations (`recognizer recipe
mini_librispeech_pieces`). Beside it stands a model of whole words: same network, tree and
search, with the word list and the language models of another model (the shipped one), each word
spelled. Both decode the same network outputs. LM scale and word insertion penalty are chosen for
each on all sets together, as `recognizer tune` does. Words outside the other model's lexicon are
counted, and said how they came out.
"""

from __future__ import annotations

import argparse
import functools
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.common.report import add_json_option, write_json
from recognizer.data.corpora.corpus import Corpus, Utterance, read_corpus
from recognizer.data.io.console import console, progress_bar
from recognizer.data.lexicon.graphemes import graphemic_lexicon
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.rescoring.rescore import RescoringOptions
from recognizer.evaluation.bootstrap import wer_interval
from recognizer.evaluation.error_counts import ErrorCounts, total
from recognizer.evaluation.evaluate import each_utterance
from recognizer.evaluation.tune import Grid
from recognizer.evaluation.word_alignment import align, count_errors
from recognizer.model import bundle, files
from recognizer.model.bundle import ModelBundle
from recognizer.model.files import DEFAULT_MODEL
from recognizer.model.first_pass_graph import graph_of_bundle
from recognizer.recognizer import Recognizer

Words = tuple[str, ...]


@dataclass
class System:
    """What one model made of every utterance.

    Attributes:
        name: of its units.
        first: words of the first pass, by utterance.
        second: words of the second pass, by combination and utterance.
    """

    name: str
    first: list[Words] = field(default_factory=list)
    second: dict[RescoringOptions, list[Words]] = field(default_factory=dict)


def main() -> None:
    """Decode, choose, count, print, write."""
    arguments = _arguments()
    grid = Grid((0.1,), tuple(arguments.lm_scales), tuple(arguments.penalties))
    corpora = [replace(read_corpus(arguments.corpora / name), name=name) for name in arguments.data]
    if arguments.utterances:
        corpora = [replace(c, utterances=c.utterances[: arguments.utterances]) for c in corpora]
    pieces, words = ModelBundle(arguments.model), ModelBundle(arguments.words)
    word_model(pieces, words, arguments.work)
    systems = [System("words"), System("pieces")]
    work = functools.partial(decode, (arguments.work, arguments.model), grid)
    for corpus in corpora:
        with progress_bar(corpus.name, len(corpus)) as advance:
            for answers in each_utterance(corpus, work, arguments.jobs):
                for system, (first, second) in zip(systems, answers, strict=True):
                    system.first.append(first)
                    for options, found in zip(grid.rescoring, second, strict=True):
                        system.second.setdefault(options, []).append(found)
                advance()
    rows = [row for system in systems for row in rows_of(system, corpora, words.lexicon)]
    for row in rows:
        console.print(
            f"{row['units']}, {row['data']}: first pass {row['first_pass']['wer']:.2f} %, rescored "
            f"{row['rescored']['wer']:.2f} % ({row['low']:.2f} to {row['high']:.2f}), "
            f"{row['rescored']['insertions']} ins, {row['rescored']['deletions']} del, "
            f"{row['rescored']['substitutions']} sub; LM scale {row['options']['lm_scale']:g}, "
            f"penalty {row['options']['word_insertion_penalty']:g}; {row['spelled']} of "
            f"{len(row['outside'])} words outside the lexicon right"
        )
        for reference, hypothesis in row["outside"]:
            console.print(f"  {reference} -> {hypothesis}", highlight=False)
    write_json(arguments.json, {"rows": rows})


def word_model(pieces: ModelBundle, words: ModelBundle, directory: Path) -> ModelBundle:
    """A model of whole words on the acoustic model of `pieces`, every word of `words` spelled."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in (files.ACOUSTIC, files.TREE, files.PHONES, files.TRANSITIONS):
        shutil.copyfile(pieces.path / name, directory / name)
    for name in (files.FIRST_PASS, words.rescoring_file):
        shutil.copyfile(words.path / name, directory / name)
    graphemic_lexicon(words.lexicon.words).lexicon.write(directory / files.LEXICON)
    config = replace(pieces.config, units="words", results=())
    # The graph is made by a bundle, which wants one: an empty file until it is there.
    (directory / pieces.graph_file).touch()
    graph_of_bundle(bundle.write_config(directory, config)).save(directory / pieces.graph_file)
    return bundle.write_config(directory, config)


def decode(
    models: tuple[Path, ...], grid: Grid, utterance: Utterance
) -> list[tuple[Words, list[Words]]]:
    """Words of the first pass, and of the second with every combination, of each model.

    The models have one network, whose outputs are computed once.
    """
    recognizers = _recognizers(models)
    scores = recognizers[0].acoustic_scores(utterance.samples())
    answers = []
    for recognizer in recognizers:
        lattice = recognizer.first_pass(scores)
        first = recognizer.path_words(recognizer.first_best(lattice))
        answers.append((first, recognizer.second_passes(lattice, grid.rescoring)))
    return answers


@functools.lru_cache(maxsize=1)
def _recognizers(models: tuple[Path, ...]) -> tuple[Recognizer, ...]:
    return tuple(Recognizer(model) for model in models)


def rows_of(system: System, corpora: Sequence[Corpus], lexicon: Lexicon) -> list[dict[str, Any]]:
    """A row for each corpus, with the combination that has the lowest mean error rate."""
    parts, first = [], 0
    for corpus in corpora:
        parts.append(slice(first, first + len(corpus)))
        first += len(corpus)

    def counts(found: Sequence[Words], index: int) -> list[ErrorCounts]:
        pairs = zip(corpora[index], found[parts[index]], strict=True)
        return [count_errors(utterance.words, words) for utterance, words in pairs]

    def mean(options: RescoringOptions) -> float:
        found = system.second[options]
        rates = [total(counts(found, i)).wer for i in range(len(corpora))]
        return sum(rates) / len(rates)

    best = min(system.second, key=mean)
    rows = []
    for index, corpus in enumerate(corpora):
        found = system.second[best]
        rescored = counts(found, index)
        interval = wer_interval(rescored)
        outside = [
            (pair.reference, pair.hypothesis)
            for utterance, words in zip(corpus, found[parts[index]], strict=True)
            for pair in align(utterance.words, words)
            if pair.reference is not None and pair.reference not in lexicon
        ]
        rows.append(
            {
                "units": system.name,
                "data": corpus.name,
                "options": asdict(best),
                "first_pass": _rates(total(counts(system.first, index))),
                "rescored": _rates(total(rescored)),
                "low": interval.low,
                "high": interval.high,
                "outside": outside,
                "spelled": sum(reference == hypothesis for reference, hypothesis in outside),
            }
        )
    return rows


def _rates(counts: ErrorCounts) -> dict[str, float]:
    return {"wer": counts.wer, **asdict(counts)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="model directory with pieces for units")
    parser.add_argument("--words", type=Path, default=DEFAULT_MODEL, help="model of words")
    parser.add_argument("--corpora", type=Path, required=True, help="directory of the sets")
    parser.add_argument("--data", nargs="+", required=True, help="sets with transcripts")
    parser.add_argument(
        "--work", type=Path, default=Path("build/benchmark-units"), help="for the model of words"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--utterances", type=int, help="of each set, so many only")
    parser.add_argument("--lm-scales", type=float, nargs="+", default=(0.9, 1.0, 1.1, 1.2, 1.3))
    parser.add_argument("--penalties", type=float, nargs="+", default=(-0.5, 0.0, 0.5, 1.0))
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
