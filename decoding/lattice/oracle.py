"""How good a lattice is: the word errors of its best possible path, and how dense it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.data.errors import SpeechError
from recognizer.decoding import _lattice
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice, lattice_words, scaled_costs


@dataclass(frozen=True)
class Oracle:
    """The path of a lattice that is nearest to a reference.

    Attributes:
        words: its words.
        substitutions: words in the place of others.
        insertions: words that the reference has not.
        deletions: words that only the reference has.
    """

    words: tuple[str, ...]
    substitutions: int
    insertions: int
    deletions: int

    @property
    def errors(self) -> int:
        """Levenshtein distance of the path from the reference."""
        return self.substitutions + self.insertions + self.deletions


def oracle(lattice: Lattice | CompactLattice, reference: Sequence[str]) -> Oracle:
    """The fewest word errors of any path, as Kaldi's ``lattice-oracle``.

    Errors of all kinds count alike, and costs do not matter. Where several paths or alignments
    are equally near, one of them is chosen, always the same.

    Args:
        lattice: either kind.
        reference: the words that were spoken.

    Raises:
        SpeechError: the lattice has no complete path.
    """
    ids = lattice_words(lattice)
    arcs, finals = scaled_costs(lattice, 0.0)
    try:
        substitutions, insertions, deletions, words = _lattice.oracle(
            lattice.sources,
            lattice.targets,
            lattice.words,
            arcs,
            finals,
            # Words that no arc has are errors in any case.
            np.array([ids.get(word, -1) for word in reference], dtype=np.int32),
        )
    except ValueError as error:
        raise SpeechError(str(error)) from error
    return Oracle(
        tuple(lattice.symbols[word] for word in words.tolist()),
        substitutions,
        insertions,
        deletions,
    )


def density(lattice: Lattice | CompactLattice) -> float:
    """How many arcs cross a frame, the mean over frames, as Kaldi's ``lattice-depth``.

    What a final state of a compact lattice still holds counts as an arc.

    Raises:
        SpeechError: the lattice has no frames.
    """
    if lattice.num_frames == 0:
        raise SpeechError("lattice: expected frames, found none")
    crossing = int(np.count_nonzero(lattice.tids))
    if isinstance(lattice, CompactLattice):
        crossing += len(lattice.final_tids)
    return crossing / lattice.num_frames
