r"""Words at run time: recall, precision, errors elsewhere, time and memory.

    python -m benchmarks.vocabulary mini-librispeech/dev excerpts80/dev --corpora CORPORA \
        --json vocabulary.json

Five parts:

``unknown``: the words of the sets that the model lacks are added without pronunciations.
``distractors``: beside them, random words of the language's dictionary that nobody says.
``removed``: random words are taken out of the graph and added again.
``time``: how long it takes to add words and to search with them; memory that a list takes.
``grammar``: 100 commands, spoken by programs, through a grammar of them, and 100 utterances of the
sets, which are to be rejected; how long it takes to compile a list of sentences.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.common.report import Row, add_json_option, output, print_rows, write_json
from benchmarks.vocabulary.grammar import OUTSIDE, compile_times, grammar
from recognizer.data.audio.reading import Samples
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.text.rules import text_rules
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.rescoring.rescore import Rescorer
from recognizer.decoding.vocabulary.extension import AddedWord, ExtendableGraph, ExtendedGraph
from recognizer.evaluation.word_alignment import align
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.words import NewWord, added_words

PARTS = ("unknown", "distractors", "removed", "time", "grammar")


@dataclass(frozen=True)
class Spoken:
    """An utterance: its acoustic scores and what is said."""

    scores: npt.NDArray[np.float32]
    words: tuple[str, ...]


class Passes:
    """Both passes of a model over any graph, and the time that they take."""

    def __init__(self, recognizer: Recognizer, extended: ExtendedGraph | None = None) -> None:
        bundle = recognizer.bundle
        self._bundle = bundle
        self._options = (recognizer.search, recognizer.rescoring)
        self._decoder = bundle.decoder(recognizer.search, extended)
        self._rescorer = Rescorer(
            bundle.first_pass_scores,
            bundle.rescoring_lm,
            self._decoder.graph.words,
            None if extended is None else extended.scored_as,
        )
        self.seconds = 0.0

    def words(self, scores: npt.NDArray[np.float32]) -> tuple[str, ...]:
        """The words of an utterance."""
        search, rescoring = self._options
        begin = time.process_time()
        raw = self._decoder.decode(scores)
        self.seconds += time.process_time() - begin
        lattice = determinize(raw, search.acoustic_scale, search.determinization_beam)
        limits = self._bundle.config.lattice.rescoring
        return self._rescorer.rescore(lattice, search.acoustic_scale, rescoring, limits).best.words


def measure(name: str, passes: Passes, spoken: Sequence[Spoken], words: set[str]) -> Row:
    """Errors, and how often the given words are found where they are said and where not."""
    said = found = false = errors = length = others = 0
    for one in spoken:
        recognized = passes.words(one.scores)
        pairs = align(one.words, recognized)
        errors += sum(pair.operation != "C" for pair in pairs)
        others += sum(pair.operation != "C" and pair.reference not in words for pair in pairs)
        length += len(one.words)
        expected = Counter(word for word in one.words if word in words)
        given = Counter(word for word in recognized if word in words)
        said += expected.total()
        found += (expected & given).total()
        false += (given - expected).total()
    frames = sum(len(one.scores) for one in spoken)
    return {
        "words": name,
        "said": said,
        "found": found,
        "recall": found / said if said else None,
        "false": false,
        "errors": errors,
        "of": length,
        "errors of others": others,
        "ms of search per frame": 1000 * passes.seconds / frames,
    }


def unknown_and_distractors(
    recognizer: Recognizer, spoken: Sequence[Spoken], count: int, parts: Iterable[str], seed: int
) -> list[Row]:
    """The sets' unknown words without and with others."""
    known = set(recognizer.bundle.graph.words)
    unknown = sorted({word for one in spoken for word in one.words} - known)
    rows = [measure("none", Passes(recognizer), spoken, set(unknown))]
    extendable = recognizer.bundle.extendable_graph

    def with_words(name: str, words: Sequence[str]) -> None:
        added = added_words(recognizer.bundle, [NewWord(word) for word in words])
        passes = Passes(recognizer, extendable.extend(added))
        rows.append(measure(name, passes, spoken, set(words)))

    if "unknown" in parts:
        with_words(f"{len(unknown)} unknown", unknown)
    if "distractors" in parts:
        others = distractors(recognizer, set(unknown), count, seed)
        with_words(f"and {len(others)} others", [*unknown, *others])
    return rows


def distractors(recognizer: Recognizer, said: set[str], count: int, seed: int) -> list[str]:
    """Random words of the language's dictionary that the model lacks and nobody says."""
    bundle = recognizer.bundle
    dictionary = bundle.text_rules.dictionary()
    assert dictionary is not None
    phones = set(bundle.phones.base_phones)
    words = [
        word
        for word in dictionary.words
        if word not in bundle.lexicon
        and word not in said
        and bundle.text_rules.is_word(word)
        and all(set(entry.phones) <= phones for entry in dictionary[word])
    ]
    return random.Random(seed).sample(words, min(count, len(words)))


def removed(recognizer: Recognizer, spoken: Sequence[Spoken], count: int, seed: int) -> list[Row]:
    """Words that are said, with the whole graph, without them, and with them added again."""
    bundle = recognizer.bundle
    graph = bundle.graph
    said = sorted({word for one in spoken for word in one.words} & set(graph.words))
    gone = set(random.Random(seed).sample(said, min(count, len(said))))
    rest = [word for word in graph.words[1:] if word not in gone]
    parts = (bundle.lexicon, bundle.phones, bundle.tree, bundle.transitions)
    hcl = build_hcl(*parts, rest, bundle.config.graph)
    extendable = ExtendableGraph(hcl, bundle.tree, bundle.transitions, bundle.config.graph)
    added = [
        AddedWord(word, entry.phones, -float(np.log(entry.probability)), word)
        for word in sorted(gone)
        for entry in bundle.lexicon[word]
    ]
    return [
        measure("whole graph", Passes(recognizer), spoken, gone),
        measure(
            f"{len(gone)} added again", Passes(recognizer, extendable.extend(added)), spoken, gone
        ),
    ]


def times(recognizer: Recognizer, spoken: Sequence[Spoken], seed: int) -> list[Row]:
    """Lists of several lengths: to add them, to search with them, memory."""
    bundle = recognizer.bundle
    extendable = bundle.extendable_graph
    dictionary = bundle.text_rules.dictionary()
    assert dictionary is not None
    rows: list[Row] = []
    for count in (0, 10, 1000, 10000):
        words = distractors(recognizer, set(), count, seed)
        added = [
            AddedWord(word, entry.phones, -8.0) for word in words for entry in dictionary[word]
        ]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.process_time()
        extended = extendable.extend(added) if added else None
        passes = Passes(recognizer, extended)
        seconds = time.process_time() - begin
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        for one in spoken:
            passes.words(one.scores)
        rows.append(
            {
                "words": count,
                "seconds to add": seconds,
                "more memory, MiB": memory / 1024,
                "search": passes.seconds,
                "ratio": passes.seconds / rows[0]["search"] if rows else 1.0,
            }
        )
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.vocabulary",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sets", nargs="+", metavar="SET")
    parser.add_argument("--corpora", type=Path, default=Path(), help="Where the sets are.")
    parser.add_argument("--model", help="A model directory [default: English].")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--utterances", type=int, help="At most so many of each set.")
    parser.add_argument("--unknown-only", action="store_true", help="Only those with such words.")
    parser.add_argument("--distractors", type=int, default=1000)
    parser.add_argument("--removed", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    add_json_option(parser)
    options = parser.parse_args()
    recognizer = Recognizer(options.model)
    known = set(recognizer.bundle.graph.words)
    spoken: list[Spoken] = []
    outside: list[Samples] = []
    for name in options.sets:
        taken = 0
        for utterance in read_corpus(options.corpora / name).utterances:
            if len(outside) < OUTSIDE:
                outside.append(utterance.samples())
            if options.parts == ["grammar"]:
                continue
            words = tuple(text_rules(utterance.text_rules).normalize(utterance.text).split())
            if options.unknown_only and known.issuperset(words):
                continue
            if taken == options.utterances:
                break
            taken += 1
            spoken.append(Spoken(recognizer.acoustic_scores(utterance.samples()), words))
    output().print(f"{len(spoken)} utterances, {sum(len(one.words) for one in spoken)} words")
    tables: dict[str, list[Row]] = {}
    if {"unknown", "distractors"} & set(options.parts):
        tables["words that the model lacks"] = unknown_and_distractors(
            recognizer, spoken, options.distractors, options.parts, options.seed
        )
    if "removed" in options.parts:
        tables["words removed and added again"] = removed(
            recognizer, spoken, options.removed, options.seed
        )
    if "time" in options.parts:
        tables["time and memory"] = times(recognizer, spoken, options.seed)
    if "grammar" in options.parts:
        tables["a grammar of 100 commands"] = grammar(recognizer, outside)
        tables["compiling a list of sentences"] = compile_times(recognizer)
    for title, rows in tables.items():
        print_rows(title, rows)
    write_json(options.json, tables)


if __name__ == "__main__":
    main()
