"""Alignments of many utterances, whichever model makes them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from recognizer.data.alignments.alignment import Alignment
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import as_speech_error
from recognizer.data.io.console import progress_bar
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.parallel.threads import thread_map
from recognizer.data.text.transcripts import is_tag
from recognizer.decoding.alignment.align import Aligner, ForcedPath
from recognizer.decoding.alignment.tolerance import Tolerance

IntArray = npt.NDArray[np.int32]
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class AlignedSet:
    """Alignments of many utterances.

    Attributes:
        found: the path of each utterance, by its id.
        failed: why, by the id of each utterance that could not be aligned.
        unknown: transcript words outside the lexicon, aligned with spoken noise, and their counts;
            tags are no words and not among them.
    """

    found: dict[str, ForcedPath]
    failed: dict[str, str]
    unknown: Counter[str]

    @cached_property
    def paths(self) -> dict[str, IntArray]:
        """Transition-ids ``[T]`` by utterance id."""
        return {key: path.tids for key, path in self.found.items()}

    @property
    def frames(self) -> int:
        """Number of aligned frames."""
        return sum(len(path.tids) for path in self.found.values())

    @property
    def log_prob(self) -> float:
        """Mean log score per aligned frame (natural log, scaled as in alignment)."""
        total = sum(path.log_prob for path in self.found.values())
        return total / max(self.frames, 1)


class CorpusAligner(Protocol):
    """What aligns whole corpora: Gaussian mixtures or a network."""

    @property
    def lexicon(self) -> Lexicon:
        """Pronunciations; words outside it are aligned with spoken noise."""
        ...

    @property
    def frame_shift(self) -> float:
        """Seconds from one frame of a path to the next."""
        ...

    def align(
        self,
        utterances: Sequence[Utterance],
        jobs: int | None = None,
        tolerance: Tolerance | None = None,
        *,
        scored: bool = False,
    ) -> AlignedSet:
        """Align utterances with their transcripts; those that fail are listed, not dropped.

        Args:
            utterances: what to align.
            jobs: threads; None for one a core.
            tolerance: lets words be skipped and garbage be said; None for transcripts as they are.
            scored: compare paths with what the model alone finds likeliest (`ForcedPath.scores`).
        """
        ...

    def hear(
        self, utterances: Sequence[Utterance], others: Sequence[str], jobs: int | None = None
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """What is said in utterances by language models of their own transcripts.

        Args:
            utterances: with at least one word each.
            others: words that may be said in any of them.
            jobs: threads; None for one a core.

        Returns:
            Words by utterance, and why, by the id of each utterance that cannot be heard.
        """
        ...

    def segments(self, utterance: Utterance, path: ForcedPath) -> Alignment:
        """Words and phones of an utterance's path, in seconds."""
        ...


def collect(
    ids: Sequence[str],
    words: Sequence[Sequence[str]],
    find: Callable[[int], ForcedPath],
    aligner: Aligner,
    jobs: int | None,
) -> AlignedSet:
    """Align utterances on several threads.

    Args:
        ids: the utterances.
        words: their transcripts, with tags of noise.
        find: aligns the utterance of an index; its `SpeechError` makes the utterance a failed one.
        aligner: knows which words are unknown.
        jobs: threads; None for one a core.
    """

    def attempt(index: int) -> ForcedPath | str:
        if not words[index] and aligner.tolerance is None:
            return "no words in its transcript"
        try:
            return find(index)
        except Exception as error:
            return str(as_speech_error(error))

    paths: dict[str, ForcedPath] = {}
    failed: dict[str, str] = {}
    with progress_bar("aligning", len(ids)) as advance:
        for key, found in zip(ids, parallel(attempt, range(len(ids)), jobs), strict=True):
            if isinstance(found, str):
                failed[key] = found
            else:
                paths[key] = found
            advance()
    unknown = Counter(word for said in words for word in aligner.unknown(said) if not is_tag(word))
    return AlignedSet(paths, failed, unknown)


def collect_heard(
    ids: Sequence[str], hear: Callable[[int], tuple[str, ...]], jobs: int | None
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """What `hear` says of utterances by index, and why of those where it raises an error."""

    def attempt(index: int) -> tuple[str, ...] | str:
        try:
            return hear(index)
        except Exception as error:
            return str(as_speech_error(error))

    heard: dict[str, tuple[str, ...]] = {}
    failed: dict[str, str] = {}
    for key, found in zip(ids, parallel(attempt, range(len(ids)), jobs), strict=True):
        if isinstance(found, str):
            failed[key] = found
        else:
            heard[key] = found
    return heard, failed


def parallel(function: Callable[[In], Out], items: Iterable[In], jobs: int | None) -> Iterator[Out]:
    """Map in order on ``jobs`` threads (None: one a core); numpy and native code run freely."""
    return thread_map(function, items, jobs or os.cpu_count() or 1)
