"""Words that a model lacks, added at run time: how many are found, what they cost."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from math import log

from benchmarks.common.report import Row
from benchmarks.vocabulary.spoken import Passes, Spoken, measure
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.graph.hcl import build_hcl
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.search.search import SearchOptions
from recognizer.decoding.vocabulary.extension import AddedWord, ExtendableGraph, ExtendedGraph
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.words import UNKNOWN_LOG_WEIGHT, NewWord, added_words

_VARIANTS = 2  # of a pronunciation, as `recognizer.vocabulary.words` has
_WIDE_BEAM, _WIDE_ACTIVE = 16.0, 7000


class Vocabulary:
    """A model whose graph has only some of its words, or all of them.

    Its language models stay as they are. Words that are taken out are unknown ones when they are
    added again: the language model's own estimate of them is not used.

    Args:
        recognizer: the model at work.
        words: those that the graph has; None: all of the model's.
    """

    def __init__(self, recognizer: Recognizer, words: Collection[str] | None = None) -> None:
        self.recognizer = recognizer
        self._words = words

    @cached_property
    def known(self) -> set[str]:
        """The words of the graph."""
        own = set(self.recognizer.bundle.graph.words)
        return own if self._words is None else own & set(self._words)

    @cached_property
    def extendable(self) -> ExtendableGraph:
        """The graph as words can be added to it."""
        bundle = self.recognizer.bundle
        if self._words is None:
            return bundle.extendable_graph
        return ExtendableGraph(self._hcl, bundle.tree, bundle.transitions, bundle.config.graph)

    @cached_property
    def _hcl(self) -> DecodingGraph:
        bundle = self.recognizer.bundle
        words = [word for word in bundle.graph.words[1:] if word in self.known]
        parts = (bundle.lexicon, bundle.phones, bundle.tree, bundle.transitions)
        return build_hcl(*parts, words, bundle.config.graph)

    def without_words(self) -> ExtendedGraph | None:
        """The graph without added words; None: the model's own."""
        if self._words is None:
            return None
        graph = MappedGraph.from_graph(self._hcl, self.recognizer.bundle.transitions.pdf)
        return ExtendedGraph(graph, self._hcl.words, len(self._hcl.words))

    def with_words(
        self, words: Sequence[str], log_weight: float = UNKNOWN_LOG_WEIGHT
    ) -> ExtendedGraph:
        """The graph with unknown words, whose pronunciations are not given."""
        bundle = self.recognizer.bundle
        if self._words is None:
            new = [NewWord(word) for word in words]
            added = added_words(bundle, new, unknown_log_weight=log_weight)
        else:
            added = [
                AddedWord(entry.word, entry.phones, -log_weight - log(entry.probability))
                for entry in bundle.pronouncer.pronounce(words, _VARIANTS)
            ]
        return self.extendable.extend(added)


def wide(search: SearchOptions) -> SearchOptions:
    """Beams with which hardly anything is lost."""
    return replace(search, beam=_WIDE_BEAM, max_active=_WIDE_ACTIVE)


def unknown_words(vocabulary: Vocabulary, spoken: Iterable[Spoken]) -> list[str]:
    """The words that are said and that the model lacks."""
    return sorted({word for one in spoken for word in one.words} - vocabulary.known)


def unknown_and_distractors(
    vocabulary: Vocabulary,
    spoken: Sequence[Spoken],
    others: Sequence[str],
    parts: Collection[str],
    log_weights: Sequence[float],
) -> list[Row]:
    """The sets' unknown words without and with others, by the weight of unknown words."""
    recognizer = vocabulary.recognizer
    unknown = unknown_words(vocabulary, spoken)
    without = Passes(recognizer, vocabulary.without_words())
    rows = [{"log weight": None, **measure("none", without, spoken, unknown)}]

    def with_words(name: str, words: Sequence[str], weight: float, search: SearchOptions) -> None:
        passes = Passes(recognizer, vocabulary.with_words(words, weight), search=search)
        found = measure(name, passes, spoken, set(words), set(unknown))
        rows.append({"log weight": weight, **found})

    for weight in log_weights:
        if "unknown" in parts:
            with_words(f"{len(unknown)} unknown", unknown, weight, recognizer.search)
        if "distractors" in parts:
            words = [*unknown, *others]
            with_words(f"and {len(others)} others", words, weight, recognizer.search)
        if "beams" in parts:
            with_words(
                f"{len(unknown)} unknown, wide beams", unknown, weight, wide(recognizer.search)
            )
    return rows


def distractors(
    vocabulary: Vocabulary, candidates: Iterable[str], said: Collection[str], count: int, seed: int
) -> list[str]:
    """Random words that the model lacks and nobody says."""
    is_word = vocabulary.recognizer.bundle.text_rules.is_word
    words = [
        word
        for word in dict.fromkeys(candidates)
        if word not in vocabulary.known and word not in said and is_word(word)
    ]
    return random.Random(seed).sample(words, min(count, len(words)))


def removed(recognizer: Recognizer, spoken: Sequence[Spoken], count: int, seed: int) -> list[Row]:
    """Words that are said, with the whole graph, without them, and with them added again.

    The language models keep them, so that an added word is scored as itself.
    """
    bundle = recognizer.bundle
    graph = bundle.graph
    said = sorted({word for one in spoken for word in one.words} & set(graph.words))
    gone = set(random.Random(seed).sample(said, min(count, len(said))))
    rest = Vocabulary(recognizer, [word for word in graph.words[1:] if word not in gone])
    added = [
        AddedWord(word, entry.phones, -log(entry.probability), word)
        for word in sorted(gone)
        for entry in bundle.lexicon[word]
    ]
    return [
        measure(name, Passes(recognizer, extended), spoken, gone)
        for name, extended in (
            ("whole graph", None),
            (f"without {len(gone)}", rest.without_words()),
            (f"{len(gone)} added again", rest.extendable.extend(added)),
        )
    ]


def times(vocabulary: Vocabulary, spoken: Sequence[Spoken], seed: int, repeat: int) -> list[Row]:
    """Lists of several lengths: to add them, to search with them, memory.

    What has to be made of the model once, before the first list, is timed apart ("seconds once").
    The passes over the utterances take turns, so that all lists meet the same state of the
    machine; of each list, the fastest pass counts.
    """
    recognizer = vocabulary.recognizer
    begin = time.process_time()
    extendable = vocabulary.extendable
    once = time.process_time() - begin
    rows: list[Row] = []
    every: list[Passes] = []
    for count in (0, 10, 1000, 10000):
        added = [
            AddedWord(word, phones, -UNKNOWN_LOG_WEIGHT)
            for word, phones in made_words(vocabulary, count, seed)
        ]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.process_time()
        extended = extendable.extend(added) if added else None
        every.append(Passes(recognizer, extended))
        seconds = time.process_time() - begin
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        rows.append(
            {
                "words": count,
                "seconds once": once,
                "seconds to add": seconds,
                "more memory, MiB": memory / 1024,
            }
        )
    fastest = [float("inf")] * len(every)
    for _ in range(repeat):
        for row, passes in enumerate(every):
            passes.seconds = 0.0
            for one in spoken:
                passes.words(one.scores)
            fastest[row] = min(fastest[row], passes.seconds)
    return [
        {**row, "seconds of search": seconds, "ratio": seconds / fastest[0]}
        for row, seconds in zip(rows, fastest, strict=True)
    ]


def made_words(vocabulary: Vocabulary, count: int, seed: int) -> list[tuple[str, tuple[str, ...]]]:
    """Words that no lexicon has, with pronunciations: the halves of two words of the lexicon.

    A large model has nearly all words of the dictionary, too few are left for a long list.
    """
    lexicon = vocabulary.recognizer.bundle.lexicon
    words = [word for word in lexicon.words if word.isalpha() and len(word) > 3]
    chance = random.Random(seed)
    found: dict[str, tuple[str, ...]] = {}
    while len(found) < count:
        one, other = chance.sample(words, 2)
        word = one[: len(one) // 2] + other[len(other) // 2 :]
        first, last = lexicon[one][0].phones, lexicon[other][0].phones
        phones = first[: (len(first) + 1) // 2] + last[len(last) // 2 :]
        if word not in lexicon and word not in vocabulary.known:
            found[word] = phones
    return list(found.items())
