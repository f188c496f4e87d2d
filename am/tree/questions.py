"""Questions of the decision tree, found by clustering the phones by their sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE, PhoneTable
from recognizer.am.tree.statistics import FloatArray, StatsTable, gaussian_log_likelihood

_POSITION_SETS = ("B", "I", "E", "S", "BS", "ES")


@dataclass(frozen=True)
class Questions:
    """Sets of phone ids that a node may ask for.

    Attributes:
        context: asked of the left and of the right neighbour; 0, the edge of the utterance, is in
            every set that holds the silence.
        centre: asked of the phone itself: sets of word-position variants.
    """

    context: tuple[frozenset[int], ...]
    centre: tuple[frozenset[int], ...]


def cluster(
    counts: FloatArray, sums: FloatArray, squares: FloatArray, variance_floor: float = 0.01
) -> list[frozenset[int]]:
    """Merges items bottom up, each time the pair that loses the least likelihood.

    Items are modelled by one diagonal Gaussian per cluster (Kaldi's `cluster-phones` splits top
    down under the same criterion).

    Args:
        counts: `[N]`, frames of each item.
        sums: `[N, D]`.
        squares: `[N, D]`.
        variance_floor: smallest variance.

    Returns:
        The single items in order, then each merged cluster in the order of merging, without the
        last one, which holds all.
    """
    members = [frozenset((i,)) for i in range(len(counts))]
    found = list(members)
    rows = np.concatenate([counts[:, None], sums, squares], axis=1)
    dim = sums.shape[1]

    def score(stats: FloatArray) -> FloatArray:
        return gaussian_log_likelihood(
            stats[..., 0], stats[..., 1 : 1 + dim], stats[..., 1 + dim :], variance_floor
        )

    while len(members) > 2:
        alone = score(rows)
        first, second = np.triu_indices(len(members), k=1)
        loss = alone[first] + alone[second] - score(rows[first] + rows[second])
        pair = int(np.argmin(loss))
        i, j = int(first[pair]), int(second[pair])
        members[i] = members[i] | members[j]
        rows[i] += rows[j]
        del members[j]
        rows = np.delete(rows, j, axis=0)
        found.append(members[i])
    return found


def make_questions(
    table: StatsTable, phones: PhoneTable, *, hmm_state: int = 1, variance_floor: float = 0.01
) -> Questions:
    """Questions on neighbours (clusters of base phones, word position, silence) and word position.

    Base phones are clustered by the statistics of one HMM state, summed over contexts and word
    positions, as Kaldi's `cluster-phones --pdf-class-list=1`; the variants of a base phone stay
    together. Phones that were never seen are in no cluster. Where all phones have one and the same
    word position, as in alignments without words, nothing asks for it.

    Args:
        table: the statistics.
        phones: the phone table.
        hmm_state: the HMM state whose statistics are used; 1, the middle, is the purest.
        variance_floor: smallest variance.
    """
    bases = phones.base_phones
    number = {base: i for i, base in enumerate(bases)}
    base_of = np.array([number.get(phones.base(i), -1) for i in range(len(phones))])[table.phone]
    use = (base_of >= 0) & (table.hmm_state == hmm_state)
    counts = np.zeros(len(bases))
    sums = np.zeros((len(bases), table.sums.shape[1]))
    squares = np.zeros_like(sums)
    np.add.at(counts, base_of[use], table.counts[use])
    np.add.at(sums, base_of[use], table.sums[use])
    np.add.at(squares, base_of[use], table.squares[use])
    seen = np.flatnonzero(counts > 0)
    context = [
        frozenset(phone for i in members for phone in phones.variants(bases[seen[i]]))
        for members in cluster(counts[seen], sums[seen], squares[seen], variance_floor)
    ]
    silence = frozenset((0, *phones.variants(SILENCE)))
    noise = frozenset(phones.variants(SPOKEN_NOISE))
    of_speech = set(np.unique(table.phone).tolist()) - phones.silence
    seen_positions = {phones.position(i) for i in of_speech}
    positions = [
        frozenset(
            i for i in phones.ids if i not in phones.silence and phones.position(i) in letters
        )
        for letters in (_POSITION_SETS if len(seen_positions) > 1 else ())
    ]
    context += [silence, noise, silence | noise, *positions]
    return Questions(
        tuple(dict.fromkeys(q for q in context if q)), tuple(q for q in positions if q)
    )
