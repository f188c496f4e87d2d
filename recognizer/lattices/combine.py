"""The lattices of several systems combined, utterance by utterance, and scored."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.data.alignments.alignment import Segment
from recognizer.data.alignments.ctm import ctm_line
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import check_directory, replace_text
from recognizer.decoding.lattice.combination import SystemLattice, combine
from recognizer.decoding.lattice.mbr import MbrResult
from recognizer.decoding.lattice.paths import best_path
from recognizer.evaluation.bootstrap import paired_difference
from recognizer.evaluation.counts_table import counts_table
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.transcript_files import (
    TranscriptOptions,
    check_known,
    read_transcripts,
    write_trn,
)
from recognizer.evaluation.word_alignment import count_errors
from recognizer.lattices.directory import LatticeDirectory, UtteranceLattice
from recognizer.lm.units.pieces import JoinedWord, join_pieces, whole_words

_Join = Callable[[Sequence[str]], tuple[JoinedWord, ...]]


@dataclass(frozen=True)
class CombinedWord:
    """A word that several systems chose together.

    Attributes:
        word: the word.
        start: seconds from the utterance's beginning, expected over all paths.
        end: seconds.
        confidence: probability that the word was said there, as far as the systems know.
    """

    word: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True)
class CombinedUtterance:
    """What several systems say of an utterance.

    Attributes:
        utterance: its id.
        words: of the combination.
        systems: the words of each system's best path; None where it lacks the utterance.
    """

    utterance: str
    words: tuple[CombinedWord, ...]
    systems: tuple[tuple[str, ...] | None, ...]

    @property
    def text(self) -> tuple[str, ...]:
        """The words of the combination alone."""
        return tuple(one.word for one in self.words)


def combine_directories(
    directories: Sequence[LatticeDirectory], weights: Sequence[float] | None = None
) -> Iterator[CombinedUtterance]:
    """Combine the systems' lattices of each utterance by minimum Bayes risk.

    The first directory is read utterance by utterance; the lattices of the others are held in
    memory where they come in another order.

    Args:
        directories: of two systems or more, or of one, of which minimum Bayes risk is then taken.
        weights: of the systems, all the same by default.

    Yields:
        The utterances of the first directory in its order, then those that only others have. Where
        a system lacks an utterance, the others decide.

    Raises:
        UsageError: no directory, systems of different units, or weights that do not fit.
        SpeechError: a damaged file, or an utterance twice in a directory.
    """
    if not directories:
        raise UsageError("expected at least one directory of lattices, found none")
    weights = [1.0] * len(directories) if weights is None else list(weights)
    if len(weights) != len(directories):
        raise UsageError(f"expected {len(directories)} weights, found {len(weights)}")
    if not all(0.0 < weight < float("inf") for weight in weights):
        raise UsageError(f"expected finite weights above 0, found {weights}")
    units = {one.settings.units for one in directories}
    if len(units) > 1:
        raise UsageError(f"expected systems of the same units, found {sorted(units)}")
    join = join_pieces if units == {"pieces"} else whole_words
    readers = [_Reader(one) for one in directories]
    for reader in readers:
        for name in reader.names():
            found = [other.take(name) for other in readers]
            systems = [
                SystemLattice(
                    lattice=one.lattice,
                    acoustic_scale=one.settings.acoustic_scale,
                    weight=weight,
                    frame_shift=one.settings.frame_shift,
                    times=one.times,
                )
                for one, weight in zip(found, weights, strict=True)
                if one is not None
            ]
            # Each system's scale is for its own probabilities; here is one for their mean.
            scales = [one.settings.confidence_scale for one in found if one is not None]
            result = combine(systems, sum(scales) / len(scales))
            yield CombinedUtterance(
                name,
                _words(result, join),
                tuple(None if one is None else _best_words(one, join) for one in found),
            )


class _Reader:
    """The lattices of a directory by name, read no further than is needed."""

    def __init__(self, directory: LatticeDirectory) -> None:
        self._path = directory.path
        self._lattices = directory.lattices()
        self._held: dict[str, UtteranceLattice] = {}
        self._seen: set[str] = set()

    def names(self) -> Iterator[str]:
        """Names of the lattices that nobody has taken, each until it is taken."""
        while self._held or self._read():
            yield next(iter(self._held))

    def take(self, name: str) -> UtteranceLattice | None:
        """The lattice of this name; None if there is none."""
        while name not in self._held and self._read():
            pass
        return self._held.pop(name, None)

    def _read(self) -> bool:
        found = next(self._lattices, None)
        if found is None:
            return False
        if found.utterance in self._seen:
            raise SpeechError(
                f"{self._path}: utterance {found.utterance!r}: expected each once, found it twice"
            )
        self._seen.add(found.utterance)
        self._held[found.utterance] = found
        return True


def _best_words(found: UtteranceLattice, join: _Join) -> tuple[str, ...]:
    words = best_path(found.lattice, found.settings.acoustic_scale).words
    return tuple(one.word for one in join(words))


def _words(result: MbrResult, join: _Join) -> tuple[CombinedWord, ...]:
    """A word of several pieces is as likely as the least likely of them."""
    words = []
    latest = 0.0
    for one in join(result.words):
        times, confidences = result.times[one.first : one.end], result.confidences
        # Expected times of neighbours may overlap a little, which no CTM may have.
        start = max(times[0][0], latest)
        latest = max(times[-1][1], start)
        confidence = min(confidences[one.first : one.end])
        words.append(CombinedWord(one.word, start, latest, confidence))
    return tuple(words)


@dataclass(frozen=True)
class CombinationScores:
    """Word errors of systems and of their combination.

    Attributes:
        names: of the systems.
        systems: of each, the errors of its best paths by utterance.
        combination: errors of the combination by utterance.
    """

    names: tuple[str, ...]
    systems: tuple[tuple[ErrorCounts, ...], ...]
    combination: tuple[ErrorCounts, ...]

    def table(self) -> str:
        """Two Markdown tables: the errors of all, and the paired bootstrap over utterances."""
        rows = [*zip(self.names, self.systems, strict=True), ("combination", self.combination)]
        lines = [
            counts_table("system", rows),
            "| combination less | difference | 95 % | combination is better |",
            "| --- | ---: | ---: | ---: |",
        ]
        for name, counts in zip(self.names, self.systems, strict=True):
            found = paired_difference(counts, self.combination)
            lines.append(
                f"| {name} | {found.difference:+.2f} | {found.low:+.2f} to {found.high:+.2f} | "
                f"{found.improvement_probability:.4f} |"
            )
        return "\n".join(lines) + "\n"


def score_combination(
    found: Sequence[CombinedUtterance],
    names: Sequence[str],
    reference: str | os.PathLike[str],
    options: TranscriptOptions | None = None,
) -> CombinationScores:
    """Compare a combination and its systems with what was said.

    Args:
        found: utterances of `combine_directories`.
        names: of the systems.
        reference: a file of transcripts (``trn``, ``text`` or ``ctm``); utterances that a system
            lacks count as deleted.
        options: how the words are compared.

    Raises:
        SpeechError: a damaged file, or an utterance without a reference.
    """
    options = options or TranscriptOptions()
    said = read_transcripts(Path(reference), options=options)
    by_name = {one.utterance: one for one in found}
    check_known(said, by_name, "the lattices")

    def counts(words: dict[str, tuple[str, ...]]) -> tuple[ErrorCounts, ...]:
        return tuple(
            count_errors(transcript, options.words(" ".join(words.get(name, ()))))
            for name, transcript in said.items()
        )

    systems = []
    for number in range(len(names)):
        words = {name: one.systems[number] for name, one in by_name.items()}
        systems.append(counts({name: text for name, text in words.items() if text is not None}))
    combined = counts({name: one.text for name, one in by_name.items()})
    return CombinationScores(tuple(names), tuple(systems), combined)


def write_combination(
    directory: str | os.PathLike[str], found: Sequence[CombinedUtterance]
) -> None:
    """Write ``hyp.trn``, ``text`` as Kaldi's, and ``words.ctm`` with confidences.

    Raises:
        SpeechError: the directory cannot be written.
    """
    directory = Path(directory)
    check_directory(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpeechError(f"{directory}: cannot be made: {error.strerror}") from error
    write_trn(directory / "hyp.trn", ((one.utterance, one.text) for one in found))
    with replace_text(directory / "text") as stream:
        stream.writelines(f"{' '.join((one.utterance, *one.text))}\n" for one in found)
    with replace_text(directory / "words.ctm") as stream:
        for one in found:
            for word in one.words:
                segment = Segment(word.word, word.start, word.end, word.confidence)
                stream.write(ctm_line(one.utterance, segment) + "\n")
