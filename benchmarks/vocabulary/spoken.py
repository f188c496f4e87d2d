"""Utterances with their acoustic scores, both passes over any graph, and what they find."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.common.report import Row
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.data.text.rules import text_rules
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.rescoring.rescore import Rescorer
from recognizer.decoding.search.search import SearchOptions
from recognizer.decoding.vocabulary.extension import ExtendedGraph
from recognizer.decoding.vocabulary.phrases import WeightedPhrase
from recognizer.evaluation.word_alignment import align
from recognizer.recognizer import Recognizer


@dataclass(frozen=True)
class Spoken:
    """An utterance: its acoustic scores, what is said, and how long it is."""

    scores: npt.NDArray[np.float32]
    words: tuple[str, ...]
    seconds: float


def normal_words(utterance: Utterance) -> tuple[str, ...]:
    """What is said, in the normal form of the set's text rules."""
    return tuple(text_rules(utterance.text_rules).normalize(utterance.text).split())


def read_spoken(
    recognizer: Recognizer,
    corpora: Path,
    names: Iterable[str],
    most: int | None = None,
    wanted: Callable[[tuple[str, ...]], bool] = lambda words: True,
) -> list[Spoken]:
    """Utterances of the sets, at most so many of each, those whose words are wanted."""
    spoken = []
    for name in names:
        taken = 0
        for utterance in read_corpus(corpora / name).utterances:
            words = normal_words(utterance)
            if taken == most or not wanted(words):
                continue
            taken += 1
            spoken.append(as_spoken(recognizer, utterance, words))
    return spoken


def as_spoken(recognizer: Recognizer, utterance: Utterance, words: tuple[str, ...]) -> Spoken:
    """An utterance whose scores have been computed."""
    samples = utterance.samples()
    return Spoken(recognizer.acoustic_scores(samples), words, len(samples) / SAMPLE_RATE)


class Passes:
    """Both passes of a model over any graph, and the time that the first one takes."""

    def __init__(
        self,
        recognizer: Recognizer,
        extended: ExtendedGraph | None = None,
        phrases: Sequence[WeightedPhrase] = (),
        search: SearchOptions | None = None,
    ) -> None:
        bundle = recognizer.bundle
        self._bundle = bundle
        self._search = search or recognizer.search
        self._rescoring = recognizer.rescoring
        self._decoder = bundle.decoder(self._search, extended, phrases)
        self._rescorer = Rescorer(
            bundle.first_pass_scores,
            bundle.rescoring_lm,
            self._decoder.graph.words,
            None if extended is None else extended.scored_as,
        )
        self.seconds = 0.0

    def words(self, scores: npt.NDArray[np.float32]) -> tuple[str, ...]:
        """The words of an utterance."""
        begin = time.process_time()
        raw = self._decoder.decode(scores)
        self.seconds += time.process_time() - begin
        scale = self._search.acoustic_scale
        lattice = determinize(raw, scale, self._search.determinization_beam)
        limits = self._bundle.config.lattice.rescoring
        return self._rescorer.rescore(lattice, scale, self._rescoring, limits).best.words


def measure(
    name: str,
    passes: Passes,
    spoken: Sequence[Spoken],
    words: Collection[str],
    aside: Collection[str] | None = None,
) -> Row:
    """Errors, and how often given words are found where they are said and where they are not.

    Args:
        name: of the row.
        passes: find the words of utterances.
        spoken: the utterances.
        words: those that are looked for.
        aside: errors of other words are counted without these, so that rows with several lists of
            words compare; None: `words`.
    """
    aside = words if aside is None else aside
    said = found = false = errors = length = others = 0
    false_elsewhere, seconds_elsewhere = 0, 0.0
    for one in spoken:
        recognized = passes.words(one.scores)
        pairs = align(one.words, recognized)
        errors += sum(pair.operation != "C" for pair in pairs)
        others += sum(pair.operation != "C" and pair.reference not in aside for pair in pairs)
        length += len(one.words)
        expected = Counter(word for word in one.words if word in words)
        given = Counter(word for word in recognized if word in words)
        said += expected.total()
        found += (expected & given).total()
        false += (given - expected).total()
        if not expected:
            false_elsewhere += given.total()
            seconds_elsewhere += one.seconds
    frames = sum(len(one.scores) for one in spoken)
    return {
        "words": name,
        "said": said,
        "found": found,
        "recall": found / said if said else None,
        "false": false,
        "precision": found / (found + false) if found + false else None,
        "false an hour elsewhere": 3600 * false_elsewhere / seconds_elsewhere
        if seconds_elsewhere
        else None,
        "errors": errors,
        "WER": 100 * errors / length,
        "errors of others": others,
        "% of others": 100 * others / (length - said) if length > said else None,
        "ms of search per frame": 1000 * passes.seconds / frames,
    }
