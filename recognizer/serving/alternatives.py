"""The likeliest word sequences of utterances, with times: Vosk's alternatives."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from recognizer.decoding.lattice.lattice import BestPath
from recognizer.decoding.lattice.paths import n_best
from recognizer.recognition.passes import Passes
from recognizer.recognition.times import frame_seconds
from recognizer.streaming.events import Final

TimedWord = tuple[str, float, float]
"""A word, its start and its end in seconds."""

Alternative = tuple[list[TimedWord], float]
"""Words and the log-likelihood of the whole."""


def alternatives(passes: Passes, finals: Sequence[Final], count: int) -> list[Alternative]:
    """The best word sequences of utterances that follow each other, the best first.

    Of several utterances the first alternatives are joined, then the second ones, and so on; an
    utterance that has fewer gives its last one.

    Args:
        passes: of the recogniser that found them.
        finals: the utterances.
        count: how many at most.

    Returns:
        At least one; the score is the natural log of acoustic scores, scaled as in the search, and
        of the large language model.
    """
    found = [_of_one(passes, final, count) for final in finals] or [[([], 0.0)]]
    joined = []
    for rank in range(max(len(one) for one in found)):
        chosen = [one[min(rank, len(one) - 1)] for one in found]
        words = [word for words, _ in chosen for word in words]
        joined.append((words, sum(score for _, score in chosen)))
    return joined


def _of_one(passes: Passes, final: Final, count: int) -> list[Alternative]:
    lattice = final.result.lattice
    if lattice is None:
        return [([], 0.0)]
    scale = passes.search.acoustic_scale
    return [
        (
            _words(passes, path, final),
            -path.graph_cost - scale * path.acoustic_cost,
        )
        for path in itertools.islice(n_best(lattice, scale), count)
    ]


def _words(passes: Passes, path: BestPath, final: Final) -> list[TimedWord]:
    shift = passes.acoustic_model.output_frame_shift
    joined = [one.word for one in passes.joined(path.words)]

    def seconds(frame: int) -> float:
        return frame_seconds(frame, shift, start=final.start, end=final.end)

    times = passes.bundle.labels.word_times(path, joined)
    return [(word, seconds(first), seconds(end)) for word, first, end in times]
