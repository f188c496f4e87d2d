r"""Word lattices in HTK's Standard Lattice Format (The HTK Book, chapter "SLF").

A header (``VERSION=1.0``, ``UTTERANCE=``, scales, ``N=`` nodes and ``L=`` links), a line for each
node (``I=``, time ``t=`` in seconds) and each link (``J=``, from ``S=`` to ``E=``, word ``W=``,
acoustic and language model natural log likelihoods ``a=`` and ``l=``, unscaled). Numbers are
printed so that they read back the same. Transition-ids have no place in the format.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import isfinite, log

import numpy as np

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import read_lines, replace_text
from recognizer.decoding.lattice.assembly import (
    FileArc,
    FileEnd,
    assemble_compact,
    assemble_state_level,
    is_deterministic,
)
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice

NULL = "!NULL"
"""The word of links without one."""


@dataclass(frozen=True, eq=False)
class SlfLattice:
    """What a file in SLF holds.

    Attributes:
        utterance: its id, empty where the file does not say.
        lattice: compact if it is deterministic on words, otherwise state-level, without
            transition-ids, for `recognizer.decoding.lattice.determinization.determinize`. Language
            model scores have the file's scale and word penalty in them. The transition-ids of a
            compact one are 0, which only tells how many frames an arc has.
        acoustic_scale: of the header, 1 where it does not say.
    """

    utterance: str
    lattice: CompactLattice | Lattice
    acoustic_scale: float


def write_slf(
    path: str | os.PathLike[str],
    utterance: str,
    lattice: CompactLattice,
    frame_shift: float,
    acoustic_scale: float,
) -> None:
    """Writes a lattice, whole or not at all; compressed if the name ends in ``.gz``.

    The language model scores ``l=`` are the negated graph costs, which hold pronunciations and
    transitions too. Links without a word lead from the final states to the one end node.

    Args:
        path: the file.
        utterance: id for the header.
        lattice: determinised on words.
        frame_shift: seconds from one frame to the next.
        acoustic_scale: for the header; scores are written unscaled.

    Raises:
        UsageError: the frame shift or the scale is not positive and finite.
        SpeechError: the file cannot be written.
    """
    _check_frame_shift(frame_shift)
    if not 0.0 < acoustic_scale < float("inf"):
        raise UsageError(f"acoustic_scale: expected a finite number > 0, found {acoustic_scale}")
    finals = np.flatnonzero(np.isfinite(lattice.final_graph_costs)).tolist()
    end = lattice.num_states
    frames = [*lattice.state_frames.tolist(), lattice.num_frames]
    lines = [
        "VERSION=1.0\n",
        f"UTTERANCE={_escaped(utterance)}\n",
        f"acscale={acoustic_scale!r} lmscale=1.0 wdpenalty=0.0\n",
        f"start=0 end={end}\n",
        f"N={end + 1} L={lattice.num_arcs + len(finals)}\n",
    ]
    # Microseconds: a product like 3 * 0.01 is not printed with its rounding error.
    lines += [
        f"I={node} t={round(frame * frame_shift, 6)!r}\n" for node, frame in enumerate(frames)
    ]
    links = [
        *zip(
            lattice.sources.tolist(),
            lattice.targets.tolist(),
            (_escaped(lattice.symbols[word]) for word in lattice.words.tolist()),
            lattice.acoustic_costs.tolist(),
            lattice.graph_costs.tolist(),
            strict=True,
        ),
        *(
            (
                state,
                end,
                NULL,
                float(lattice.final_acoustic_costs[state]),
                float(lattice.final_graph_costs[state]),
            )
            for state in finals
        ),
    ]
    lines += [
        f"J={i} S={source} E={target} W={word} a={-acoustic!r} l={-graph!r}\n"
        for i, (source, target, word, acoustic, graph) in enumerate(links)
    ]
    with replace_text(path) as stream:
        stream.writelines(lines)


def read_slf(
    path: str | os.PathLike[str], frame_shift: float, symbols: Sequence[str] | None = None
) -> SlfLattice:
    """Reads a lattice, of this program or another.

    Words may stand on links or on the nodes that they lead to; fields that mean nothing here are
    passed over.

    Args:
        path: the file, plain or compressed (.gz, .xz, .zst).
        frame_shift: seconds from one frame to the next; times are rounded to whole frames.
        symbols: word of each id, symbol 0 for none; by default those of the file, as they come.

    Raises:
        UsageError: the frame shift is not positive and finite.
        SpeechError: the file is malformed (names the line), has sub-lattices, or a word that the
            symbols have not.
    """
    _check_frame_shift(frame_shift)
    reader = _Reader(path, frame_shift, symbols)
    with closing(read_lines(path)) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.lstrip().startswith("#"):
                reader.add(f"{path}:{number}", line)
    return reader.finish()


def _check_frame_shift(frame_shift: float) -> None:
    if not 0.0 < frame_shift < float("inf"):
        raise UsageError(f"frame_shift: expected a finite number > 0, found {frame_shift}")


# Long names of fields, and the short ones that the rest of this file uses.
_SHORT = {
    **{"VERSION": "V", "UTTERANCE": "U", "SUBLAT": "S", "NODES": "N", "LINKS": "L"},
    **{"time": "t", "WORD": "W", "START": "S", "END": "E", "acoustic": "a", "language": "l"},
}
_FIELD = re.compile(
    r"\s*([A-Za-z][A-Za-z0-9_]*)="
    r"""("(?:\\.|[^"\\])*"(?=\s|$)|'(?:\\.|[^'\\])*'(?=\s|$)|(?:\\.|[^\s\\])*)"""
)


def _fields(line: str, place: str) -> dict[str, str]:
    """Names and values of a line, ``name=value`` each."""
    fields = {}
    at = 0
    line = line.rstrip()
    while at < len(line):
        found = _FIELD.match(line, at)
        if found is None:
            raise SpeechError(f"{place}: expected name=value, found {line[at:].strip()!r}")
        name, value = found.groups()
        fields[name] = _unescaped(value)
        at = found.end()
    return fields


def _escaped(text: str) -> str:
    """As HTK writes names: a backslash before what it would take for something else."""
    text = text.replace("\\", "\\\\").replace(" ", "\\040").replace("\t", "\\011")
    return "\\" + text if text[:1] in ("'", '"') else text


def _unescaped(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if "\\" not in value:
        return value
    # Octal codes are of bytes: together they may be one UTF-8 letter.
    packed = re.sub(
        rb"\\([0-7]{3}|.)",
        lambda m: bytes([int(m[1], 8) & 255]) if len(m[1]) == 3 else m[1],
        value.encode(),
        flags=re.DOTALL,
    )
    return packed.decode("utf-8", errors="replace")


class _Reader:
    """The lines of a file, taken one by one."""

    def __init__(
        self, path: str | os.PathLike[str], frame_shift: float, symbols: Sequence[str] | None
    ) -> None:
        self._path = path
        self._frame_shift = frame_shift
        self._ids = {symbol: i for i, symbol in enumerate(symbols or ("<eps>",))}
        self._symbols = None if symbols is None else tuple(symbols)
        self._header: dict[str, str] = {}
        self._header_place = f"{path}:1"
        self._frames: dict[int, int | None] = {}
        self._node_words: dict[int, str] = {}
        self._links: list[tuple[str, dict[str, str]]] = []
        self._link_numbers: set[int] = set()

    def add(self, place: str, line: str) -> None:
        fields = _fields(line, place)
        if "I" in fields:
            self._add_node(place, {_SHORT.get(name, name): value for name, value in fields.items()})
        elif "J" in fields:
            fields = {_SHORT.get(name, name): value for name, value in fields.items()}
            number = _integer(fields, "J", place)
            if number in self._link_numbers:
                raise SpeechError(f"{place}: expected link {number} once, found it twice")
            self._link_numbers.add(number)
            self._links.append((place, fields))
        elif "SUBLAT" in fields or line.strip() == ".":
            raise SpeechError(f"{place}: expected one lattice, found a sub-lattice")
        else:
            self._header_place = place
            self._header.update(fields)

    def _add_node(self, place: str, fields: Mapping[str, str]) -> None:
        node = _integer(fields, "I", place)
        if node in self._frames:
            raise SpeechError(f"{place}: expected node {node} once, found it twice")
        if "L" in fields:
            raise SpeechError(f"{place}: expected one lattice, found a sub-lattice")
        time = _number(fields, "t", place, None)
        self._frames[node] = None if time is None else round(time / self._frame_shift)
        if fields.get("W", NULL) != NULL:
            self._node_words[node] = fields["W"]

    def _header_number(self, name: str, default: float) -> float:
        value = _number(self._header, name, f"{self._path}: header", default)
        assert value is not None
        return value

    def finish(self) -> SlfLattice:
        place = str(self._path)
        for long, short, found, what in (
            ("NODES", "N", len(self._frames), "nodes"),
            ("LINKS", "L", len(self._links), "links"),
        ):
            name = long if long in self._header else short
            expected = _integer(self._header, name, f"{place}: header")
            if expected != found:
                raise SpeechError(f"{place}: expected {expected} {what}, found {found}")
        links = [self._link(where, fields) for where, fields in self._links]
        start = self._terminal("start", {target for _, target, *_ in links})
        end = self._terminal("end", {source for source, *_ in links})
        # A link without a word into the end says what ending in its source costs.
        arcs: list[FileArc] = []
        ends: dict[int, FileEnd] = {}
        for source, target, word, acoustic, graph in links:
            unknown = (0,) * self._span(source, target)
            if target == end and word == 0 and source not in ends:
                ends[source] = FileEnd(source, graph, acoustic, unknown)
            else:
                arcs.append(FileArc(source, target, word, graph, acoustic, unknown))
        if not ends or any(arc.target == end for arc in arcs):
            ends[end] = FileEnd(end)
        symbols = self._symbols or tuple(self._ids)
        lattice: CompactLattice | Lattice
        if is_deterministic(arcs):
            lattice = assemble_compact(start, arcs, list(ends.values()), symbols, place)
        else:
            frames = {node: frame or 0 for node, frame in self._frames.items()}
            lattice = assemble_state_level(
                start,
                [FileArc(a.source, a.target, a.word, a.graph_cost, a.acoustic_cost) for a in arcs],
                [FileEnd(e.state, e.graph_cost, e.acoustic_cost) for e in ends.values()],
                symbols,
                place,
                frames=frames,
            )
        utterance = self._header.get("UTTERANCE", self._header.get("U", ""))
        return SlfLattice(utterance, lattice, self._header_number("acscale", 1.0))

    def _span(self, source: int, target: int) -> int:
        """Frames from one node to another; none where a time is not known."""
        begin, end = self._frames[source], self._frames[target]
        return 0 if begin is None or end is None else end - begin

    def _terminal(self, name: str, others: set[int]) -> int:
        """The start (no link leads to it) or the end (none leaves it)."""
        if name in self._header:
            node = _integer(self._header, name, f"{self._path}: header")
            if node not in self._frames:
                raise SpeechError(f"{self._path}: {name}: expected a node, found {node}")
            return node
        found = [node for node in self._frames if node not in others]
        if len(found) != 1:
            raise SpeechError(f"{self._path}: expected one {name} node, found {len(found)}")
        return found[0]

    def _link(self, place: str, fields: Mapping[str, str]) -> tuple[int, int, int, float, float]:
        """Source, target, word id, acoustic cost, graph cost."""
        nodes = []
        for name in ("S", "E"):
            node = _integer(fields, name, place)
            if node not in self._frames:
                raise SpeechError(f"{place}: {name}: expected a node of the file, found {node}")
            nodes.append(node)
        if self._span(*nodes) < 0:
            raise SpeechError(
                f"{place}: expected a link forward in time, found one from node {nodes[0]} "
                f"to {nodes[1]}"
            )
        word = fields.get("W", NULL)
        if word == NULL:
            word = self._node_words.get(nodes[1], NULL)
        number = 0 if word == NULL else self._word_id(word, place)
        # HTK: total = acscale * a + lmscale * l + wdpenalty for each word, as log likelihoods.
        language = self._header_number("lmscale", 1.0) * self._log("l", fields, place)
        if number:
            language += self._header_number("wdpenalty", 0.0)
        return nodes[0], nodes[1], number, -self._log("a", fields, place), -language

    def _word_id(self, word: str, place: str) -> int:
        if self._symbols is None:
            return self._ids.setdefault(word, len(self._ids))
        number = self._ids.get(word, 0)
        if number == 0:
            raise SpeechError(f"{place}: expected a word of the symbol table, found {word!r}")
        return number

    def _log(self, name: str, fields: Mapping[str, str], place: str) -> float:
        """A log likelihood, by the header's base brought to the natural one."""
        value = _number(fields, name, place, 0.0)
        assert value is not None
        if "base" not in self._header:
            return value
        base = self._header_number("base", 1.0)
        if not base > 0.0 or base == 1.0:
            raise SpeechError(
                f"{self._path}: header: base: expected the base of a logarithm, found {base}"
            )
        return value * log(base)


def _integer(fields: Mapping[str, str], name: str, place: str) -> int:
    value = fields.get(name)
    if value is None:
        raise SpeechError(f"{place}: expected a field {name}=, found none")
    if not (value.isascii() and value.isdigit() and int(value) < 1 << 31):
        raise SpeechError(f"{place}: {name}: expected an integer >= 0, found {value!r}")
    return int(value)


def _number(
    fields: Mapping[str, str], name: str, place: str, default: float | None
) -> float | None:
    value = fields.get(name)
    if value is None:
        return default
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise SpeechError(f"{place}: {name}: expected a finite number, found {value!r}")
    return number
