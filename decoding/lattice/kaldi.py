"""Kaldi's text archives of lattices, as ``lattice-copy ark:lat.1 ark,t:-`` writes them.

An utterance is a line with its id, a line for each arc and final state, and an empty line. Fields
are separated by a tab: in a `CompactLattice` source, target, word, and
``graph,acoustic,tid_tid_tid``; in a state-level `Lattice` source, target, transition-id, word, and
``graph,acoustic``; a final state has its number and its weight. Costs are unscaled; weights that
are all zero are left out; the first state is the start. Numbers are printed so that they read back
the same. Whether words are ids or symbols (``utils/int2sym.pl -f 3``) must be known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from math import isfinite

import numpy as np

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text
from recognizer.decoding.lattice.assembly import (
    FileArc,
    FileEnd,
    assemble_compact,
    assemble_state_level,
    is_deterministic,
)
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice


def write_kaldi_lattices(
    path: str | os.PathLike[str],
    lattices: Iterable[tuple[str, Lattice | CompactLattice]],
    *,
    word_symbols: bool = False,
) -> None:
    """Writes a text archive, whole or not at all.

    Args:
        path: the file; compressed if its name ends in ``.gz``.
        lattices: utterance ids and lattices; each kind in its own form.
        word_symbols: write words as symbols instead of ids.

    Raises:
        SpeechError: an utterance id that is empty or has white space, or the file cannot be
            written.
    """
    with replace_text(path) as stream:
        for utterance, lattice in lattices:
            if not utterance or len(utterance.split()) != 1 or utterance != utterance.strip():
                raise SpeechError(
                    f"{path}: expected an utterance id without white space, found {utterance!r}"
                )
            word: Callable[[int], str] = lattice.symbols.__getitem__ if word_symbols else str
            stream.write(f"{utterance} \n")
            if isinstance(lattice, CompactLattice):
                stream.writelines(_compact_lines(lattice, word))
            else:
                stream.writelines(_state_level_lines(lattice, word))
            stream.write("\n")


def _compact_lines(lattice: CompactLattice, word: Callable[[int], str]) -> Iterator[str]:
    graph, acoustic = lattice.graph_costs.tolist(), lattice.acoustic_costs.tolist()
    offsets = lattice.tid_offsets.tolist()
    targets, words = lattice.targets.tolist(), lattice.words.tolist()
    arc_offsets = lattice.arc_offsets.tolist()
    for state in range(lattice.num_states):
        for arc in range(arc_offsets[state], arc_offsets[state + 1]):
            tids = lattice.tids[offsets[arc] : offsets[arc + 1]]
            weight = _compact_weight(graph[arc], acoustic[arc], tids)
            yield f"{state}\t{targets[arc]}\t{word(words[arc])}{weight}\n"
        if np.isfinite(lattice.final_graph_costs[state]):
            first, last = lattice.final_tid_offsets[state : state + 2]
            weight = _compact_weight(
                float(lattice.final_graph_costs[state]),
                float(lattice.final_acoustic_costs[state]),
                lattice.final_tids[first:last],
            )
            yield f"{state}{weight}\n"


def _compact_weight(
    graph: float, acoustic: float, tids: np.ndarray[tuple[int], np.dtype[np.int32]]
) -> str:
    if graph == 0.0 and acoustic == 0.0 and len(tids) == 0:
        return ""
    return f"\t{graph!r},{acoustic!r},{'_'.join(map(str, tids.tolist()))}"


def _state_level_lines(lattice: Lattice, word: Callable[[int], str]) -> Iterator[str]:
    # A float32's own shortest decimals, not those of its double.
    graph = [str(cost) for cost in lattice.graph_costs]
    acoustic = [str(cost) for cost in lattice.acoustic_costs]
    sources, targets = lattice.sources.tolist(), lattice.targets.tolist()
    tids, words = lattice.tids.tolist(), lattice.words.tolist()
    arc = 0
    for state, final_cost in enumerate(lattice.final_costs):
        while arc < lattice.num_arcs and sources[arc] == state:
            zero = lattice.graph_costs[arc] == 0.0 and lattice.acoustic_costs[arc] == 0.0
            weight = "" if zero else f"\t{graph[arc]},{acoustic[arc]}"
            yield f"{state}\t{targets[arc]}\t{tids[arc]}\t{word(words[arc])}{weight}\n"
            arc += 1
        if np.isfinite(final_cost):
            yield f"{state}\n" if final_cost == 0.0 else f"{state}\t{final_cost!s},0\n"


def read_kaldi_lattices(
    path: str | os.PathLike[str], symbols: Sequence[str], *, word_symbols: bool = False
) -> Iterator[tuple[str, Lattice | CompactLattice]]:
    """The lattices of a text archive, one after the other.

    A `CompactLattice` that is not deterministic on words (``lattice-align-words`` leaves arcs
    without one) comes as the state-level lattice of the same paths, for
    `recognizer.decoding.lattice.determinization.determinize`. States are renumbered where they are
    not in topological order. The form does not tell whether the search reached a final state: it
    is assumed.

    Args:
        path: the file, plain or compressed (.gz, .xz, .zst).
        symbols: word of each id; symbol 0 is no word.
        word_symbols: words are symbols, not ids.

    Raises:
        SpeechError: the file is malformed (names the line).
    """
    words = _Words(tuple(symbols), word_symbols)
    with closing(read_lines(path)) as stream:
        lines = enumerate(stream, start=1)
        for number, line in lines:
            if not line.strip():
                continue
            fields = line.split()
            if len(fields) != 1:
                raise SpeechError(
                    f"{path}:{number}: expected an utterance id alone, found {line!r}"
                )
            utterance = _Utterance(path, number, words)
            for at, row in lines:
                if not row.strip():
                    break
                utterance.add(at, row)
            yield fields[0], utterance.lattice()


class _Words:
    """From the file's words to ids."""

    def __init__(self, symbols: tuple[str, ...], by_symbol: bool) -> None:
        self.symbols = symbols
        self._ids = {symbol: i for i, symbol in enumerate(symbols)} if by_symbol else None

    def id(self, field: str, place: str) -> int:
        if self._ids is not None:
            word = self._ids.get(field, -1)
            if word < 0:
                raise SpeechError(f"{place}: expected a word of the symbol table, found {field!r}")
            return word
        word = _integer(field, place, "a word id")
        if word >= len(self.symbols):
            raise SpeechError(
                f"{place}: expected a word id below {len(self.symbols)}, found {word}"
            )
        return word


class _Utterance:
    """The lines of one utterance, read one by one."""

    def __init__(self, path: str | os.PathLike[str], number: int, words: _Words) -> None:
        self._path = path
        self._number = number  # line of the id
        self._words = words
        self._compact: bool | None = None  # not known before the first line that tells
        self._start: int | None = None
        self._arcs: list[FileArc] = []
        self._ends: dict[int, FileEnd] = {}

    def add(self, number: int, line: str) -> None:
        place = f"{self._path}:{number}"
        fields = line.split()
        state = _integer(fields[0], place, "a state")
        if self._start is None:
            self._start = state
        if len(fields) <= 2:
            graph, acoustic, tids = self._weight(fields[1:], place)
            if state in self._ends:
                raise SpeechError(f"{place}: expected state {state} to be final once, found twice")
            self._ends[state] = FileEnd(state, graph, acoustic, tids)
            return
        # An acceptor has one label on an arc, a transducer two; the weight may be missing.
        compact = len(fields) == 3 or (len(fields) == 4 and "," in fields[3])
        self._agree(compact, place)
        if len(fields) > (4 if compact else 5):
            raise SpeechError(f"{place}: expected at most 5 fields, found {len(fields)}")
        target = _integer(fields[1], place, "a state")
        word = self._words.id(fields[2 if compact else 3], place)
        graph, acoustic, tids = self._weight(fields[3 if compact else 4 :], place)
        if not compact:
            tid = _integer(fields[2], place, "a transition-id")
            tids = (tid,) if tid else ()
        self._arcs.append(FileArc(state, target, word, graph, acoustic, tids))

    def _agree(self, compact: bool, place: str) -> None:
        if self._compact is None:
            self._compact = compact
        if self._compact != compact:
            kinds = ("a Lattice", "a CompactLattice")
            raise SpeechError(
                f"{place}: expected a line of {kinds[self._compact]} as before, "
                f"found one of {kinds[compact]}"
            )

    def _weight(self, fields: list[str], place: str) -> tuple[float, float, tuple[int, ...]]:
        if not fields:
            return 0.0, 0.0, ()
        parts = fields[0].split(",")
        if len(parts) not in (2, 3):
            raise SpeechError(
                f"{place}: expected a weight graph,acoustic or graph,acoustic,tids, "
                f"found {fields[0]!r}"
            )
        self._agree(len(parts) == 3, place)
        costs = []
        for part in parts[:2]:
            try:
                costs.append(float(part))
            except ValueError:
                costs.append(float("nan"))
            if not isfinite(costs[-1]):
                raise SpeechError(f"{place}: expected a finite cost, found {part!r}")
        tids = parts[2].split("_") if parts[2:] and parts[2] else []
        return costs[0], costs[1], tuple(_integer(tid, place, "a transition-id") for tid in tids)

    def lattice(self) -> Lattice | CompactLattice:
        place = f"{self._path}:{self._number}"
        if self._start is None:
            raise SpeechError(f"{place}: expected a lattice, found no line of it")
        compact = self._compact is not False and is_deterministic(self._arcs)
        assemble = assemble_compact if compact else assemble_state_level
        ends = list(self._ends.values())
        return assemble(self._start, self._arcs, ends, self._words.symbols, place)


def _integer(field: str, place: str, what: str) -> int:
    if not (field.isascii() and field.isdigit() and int(field) < 1 << 31):
        raise SpeechError(f"{place}: expected {what}, found {field!r}")
    return int(field)
