"""Determinisation of a state-level lattice on words."""

from __future__ import annotations

import logging

from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding import _lattice
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice, check_scale

_LOG = logging.getLogger(__name__)


def determinize(
    lattice: Lattice,
    acoustic_scale: float,
    beam: float,
    *,
    max_memory: int = 200_000_000,
) -> CompactLattice:
    """Determinises on words: one path for each word sequence, its best one.

    As Kaldi's ``lattice-determinize-pruned`` (Povey et al., "Generating exact lattices in the
    WFST framework", ICASSP 2012). Paths are compared by total cost, then by graph cost, then by
    their transition-ids, so that the result does not depend on the order of arcs.

    Args:
        lattice: from the search.
        acoustic_scale: factor of the acoustic costs in comparisons.
        beam: word sequences worse than the best by more are left out. A lattice that the search
            pruned to a beam has more of them, made of arcs that are each on a better path; a beam
            wider by 2 keeps nearly all for little time.
        max_memory: bytes for subsets of states, beside what is in proportion to the lattice. If
            they do not suffice, the beam is smaller, which a warning says and
            `CompactLattice.beam` tells.

    Raises:
        UsageError: an impossible option.
        SpeechError: the lattice has no complete path.
    """
    if not beam > 0.0:
        raise UsageError(f"lattice beam: expected a number > 0, found {beam}")
    check_scale("acoustic_scale", acoustic_scale)
    check_max_memory(max_memory)
    try:
        arrays = _lattice.determinize(
            lattice.sources,
            lattice.targets,
            lattice.tids,
            lattice.words,
            lattice.graph_costs,
            lattice.acoustic_costs,
            lattice.final_costs,
            acoustic_scale,
            beam,
            max_memory,
        )
    except ValueError as error:
        raise SpeechError(str(error)) from error
    return compact_lattice(
        arrays, beam, reached_final=lattice.reached_final, symbols=lattice.symbols
    )


def check_max_memory(max_memory: int) -> None:
    """Raises `UsageError` for a negative limit."""
    if max_memory < 0:
        raise UsageError(f"max_memory: expected a number >= 0, found {max_memory}")


def compact_lattice(
    arrays: _lattice.CompactArrays, beam: float, *, reached_final: bool, symbols: tuple[str, ...]
) -> CompactLattice:
    """The lattice of native arrays; logs a warning if its beam is less than was asked for."""
    compact = CompactLattice(*arrays, reached_final=reached_final, symbols=symbols)
    if compact.beam < beam:
        _LOG.warning(
            "lattice determinisation ran into its memory limit: beam %.2f instead of %.2f",
            compact.beam,
            beam,
        )
    return compact
