"""Kaldi's transition model (`final.mdl`) and decision tree (`tree`), read as Kaldi writes them.

Ids are Kaldi's: phones, transition-states and transition-ids count from 1, pdf-ids from 0. A
transition-state is a (phone, HMM state, forward pdf, self-loop pdf); its transition-ids are the
arcs of its HMM state in the topology, in order (`transition-model.h` and `hmm-topology.h` there).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines
from recognizer.data.io.kaldi_stream import KaldiReader, open_kaldi

IntArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

PDF_CLASS = -1
"""Key of the HMM state's pdf-class in a tree's questions; other keys are context positions."""

_MOST = 10_000_000
_DEEPEST = 200


@dataclass(frozen=True)
class KaldiState:
    """A state of a phone's HMM.

    Attributes:
        forward_pdf_class: -1 for a state that emits nothing.
        self_loop_pdf_class: differs from the forward one only in chain models.
        transitions: destination and initial probability of each arc.
    """

    forward_pdf_class: int
    self_loop_pdf_class: int
    transitions: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class KaldiTransitions:
    """A transition model, as arrays by transition-id; index 0 holds -1 or False.

    Attributes:
        topology: the states of each phone, by phone id.
        phone: int32 `[I + 1]`.
        hmm_state: int32.
        pdf: int32, pdf-id.
        transition_state: int32.
        is_self_loop: whether the arc stays in its state.
        ends_phone: whether it goes to the phone's final state.
        log_prob: float32 `[I + 1]`, natural log.
    """

    topology: Mapping[int, tuple[KaldiState, ...]]
    phone: IntArray
    hmm_state: IntArray
    pdf: IntArray
    transition_state: IntArray
    is_self_loop: BoolArray
    ends_phone: BoolArray
    log_prob: FloatArray

    @property
    def num_transition_ids(self) -> int:
        """Number of transition-ids, which are 1..num_transition_ids."""
        return len(self.pdf) - 1

    @property
    def num_pdfs(self) -> int:
        """One more than the highest pdf-id; a tree may know of more."""
        return 1 + int(self.pdf.max())

    def pdfs_of(self, phones: Sequence[int]) -> frozenset[int]:
        """The pdf-ids of all states of these phones."""
        return frozenset(self.pdf[1:][np.isin(self.phone[1:], phones)].tolist())


@dataclass(frozen=True)
class EventMap:
    """A node of a tree; exactly one of the forms below.

    Attributes:
        answer: of a leaf (CE).
        key: what a question is about: -1 the pdf-class, otherwise the position in the context.
        yes_set: the values for which `children[0]` holds, otherwise `children[1]` (SE); None where
            `children` are by value (TE).
        children: None where there is no child.
    """

    answer: int | None = None
    key: int = 0
    yes_set: frozenset[int] | None = None
    children: tuple[EventMap | None, ...] = ()

    def map(self, event: Mapping[int, int]) -> int | None:
        """The answer for values by key, None if there is none."""
        node: EventMap | None = self
        while node is not None and node.answer is None:
            value = event.get(node.key)
            if value is None:
                return None
            if node.yes_set is not None:
                node = node.children[0 if value in node.yes_set else 1]
            else:
                node = node.children[value] if 0 <= value < len(node.children) else None
        return None if node is None else node.answer

    def answers(self) -> set[int]:
        """All answers below this node."""
        found: set[int] = set()
        stack: list[EventMap | None] = [self]
        while stack:
            node = stack.pop()
            if node is None:
                continue
            if node.answer is not None:
                found.add(node.answer)
            stack += node.children
        return found


@dataclass(frozen=True)
class KaldiTree:
    """A context-dependency tree.

    Attributes:
        width: phones in a context: 1 for monophones, 3 for triphones.
        central: position of the phone itself, from 0.
        to_pdf: the root.
    """

    width: int
    central: int
    to_pdf: EventMap

    @property
    def num_pdfs(self) -> int:
        """One more than the highest pdf-id."""
        return 1 + max(self.to_pdf.answers(), default=-1)

    def pdf(self, context: Sequence[int], pdf_class: int) -> int | None:
        """The pdf-id of a phone's state in its context, None if the tree has none.

        Args:
            context: `width` phone ids, 0 beyond the utterance.
            pdf_class: of the HMM state.
        """
        return self.to_pdf.map({PDF_CLASS: pdf_class, **dict(enumerate(context))})


def read_kaldi_transitions(path: str | os.PathLike[str]) -> KaldiTransitions:
    """Read the transition model at the head of a `final.mdl` (of a GMM or a network), or alone.

    Raises:
        SpeechError: an unreadable file, another one, one that contradicts itself.
    """
    with open_kaldi(path) as reader:
        reader.expect("<TransitionModel>")
        topology = _read_topology(reader)
        extended = reader.expect("<Triples>", "<Tuples>") == "<Tuples>"
        count = reader.integer("a number of transition-states")
        if not 0 < count < _MOST:
            raise reader.error("a number of transition-states", count)
        states = [_read_tuple(reader, topology, extended) for _ in range(count)]
        reader.expect("</Tuples>" if extended else "</Triples>")
        reader.expect("<LogProbs>")
        log_prob = reader.reals("log probabilities")
        columns = _columns(topology, states)
        if len(log_prob) != len(columns):
            raise reader.error(
                f"log probabilities of {len(columns) - 1} transition-ids", len(log_prob) - 1
            )
        reader.expect("</LogProbs>")
        reader.expect("</TransitionModel>")
    phone, hmm_state, pdf, state, loop, ends = np.array(columns, dtype=np.int32).T
    flags = loop.astype(np.bool_), ends.astype(np.bool_)
    return KaldiTransitions(topology, phone, hmm_state, pdf, state, *flags, log_prob)


def read_kaldi_tree(path: str | os.PathLike[str]) -> KaldiTree:
    """Read a file `tree`.

    Raises:
        SpeechError: an unreadable file, another one, a tree without pdfs.
    """
    with open_kaldi(path) as reader:
        reader.expect("ContextDependency")
        width, central = reader.integer("a context's width"), reader.integer("a position")
        if not 0 <= central < width:
            raise reader.error("a context and a position in it", f"{width} and {central}")
        # Before 2011 there was a map to the states' number, which is no longer used.
        if reader.expect("ToPdf", "ToLength") == "ToLength":
            _read_event_map(reader, width)
            reader.expect("ToPdf")
        root = _read_event_map(reader, width)
        reader.expect("EndContextDependency")
        if root is None or not root.answers():
            raise reader.error("a tree with pdf-ids", "none")
    return KaldiTree(width, central, root)


def read_symbols(path: str | os.PathLike[str]) -> dict[int, str]:
    """Read a table of symbols such as `phones.txt`: SYMBOL ID a line.

    Raises:
        SpeechError: an unreadable file, a line of another form, an id that stands twice.
    """
    symbols: dict[int, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not fields[1].isdecimal() or int(fields[1]) in symbols:
            raise SpeechError(
                f"{Path(path)}:{number}: expected a symbol and an id of its own, "
                f"found {line.strip()!r}"
            )
        symbols[int(fields[1])] = fields[0]
    return symbols


def _read_topology(reader: KaldiReader) -> dict[int, tuple[KaldiState, ...]]:
    reader.expect("<Topology>")
    topology = _binary_topology(reader) if reader.binary else _text_topology(reader)
    for phone, states in topology.items():
        for state in states:
            if any(not 0 <= to < len(states) for to, _ in state.transitions):
                raise reader.error(f"phone {phone}: arcs to 0..{len(states) - 1}", state)
    return topology


def _binary_topology(reader: KaldiReader) -> dict[int, tuple[KaldiState, ...]]:
    phones = reader.integers("phones of a topology")
    entry_of = reader.integers("a topology of each phone")
    count = reader.integer("a number of topologies")
    # -1 announces chain models' form, with a pdf-class of its own for self-loops.
    extended = count == -1
    if extended:
        count = reader.integer("a number of topologies")
    entries = []
    for _ in range(count):
        states = []
        for _ in range(reader.integer("a number of states")):
            forward = reader.integer("a pdf-class")
            loop = reader.integer("a self-loop's pdf-class") if extended else forward
            arcs = tuple(
                (reader.integer("a state"), reader.real("a probability"))
                for _ in range(reader.integer("a number of transitions"))
            )
            states.append(KaldiState(forward, loop, arcs))
        entries.append(tuple(states))
    reader.expect("</Topology>")
    topology = {}
    for phone in phones.tolist():
        index = int(entry_of[phone]) if 0 <= phone < len(entry_of) else -1
        if not 0 <= index < len(entries):
            raise reader.error(f"a topology of phone {phone}", "none")
        topology[phone] = entries[index]
    return topology


def _text_topology(reader: KaldiReader) -> dict[int, tuple[KaldiState, ...]]:
    topology: dict[int, tuple[KaldiState, ...]] = {}
    while reader.expect("<TopologyEntry>", "</Topology>") == "<TopologyEntry>":
        reader.expect("<ForPhones>")
        phones = []
        while (found := reader.token("a phone id or </ForPhones>")) != "</ForPhones>":
            if not found.isdecimal():
                raise reader.error("a phone id or </ForPhones>", repr(found))
            phones.append(int(found))
        states: list[KaldiState] = []
        token = reader.expect("<State>", "</TopologyEntry>")
        while token == "<State>":
            states.append(_text_state(reader, len(states)))
            token = reader.expect("<State>", "</TopologyEntry>")
        topology.update(dict.fromkeys(phones, tuple(states)))
    return topology


def _text_state(reader: KaldiReader, number: int) -> KaldiState:
    if (found := reader.integer("a state")) != number:
        raise reader.error(f"state {number}", found)
    forward = loop = -1
    arcs = []
    parts = "<PdfClass>", "<ForwardPdfClass>", "<SelfLoopPdfClass>", "<Transition>", "</State>"
    while (token := reader.expect(*parts)) != "</State>":
        if token == "<Transition>":
            arcs.append((reader.integer("a state"), reader.real("a probability")))
        elif token == "<SelfLoopPdfClass>":
            loop = reader.integer("a pdf-class")
        else:
            forward = loop = reader.integer("a pdf-class")
    return KaldiState(forward, loop, tuple(arcs))


def _read_tuple(
    reader: KaldiReader, topology: Mapping[int, tuple[KaldiState, ...]], extended: bool
) -> tuple[int, int, int, int]:
    phone, state = reader.integer("a phone"), reader.integer("an HMM state")
    forward = reader.integer("a pdf-id")
    loop = reader.integer("a self-loop's pdf-id") if extended else forward
    states = topology.get(phone, ())
    if not 0 <= state < len(states) or forward < 0 or loop < 0:
        raise reader.error(
            "a phone, a state of its topology and its pdf-ids", (phone, state, forward, loop)
        )
    return phone, state, forward, loop


def _columns(
    topology: Mapping[int, tuple[KaldiState, ...]], states: list[tuple[int, int, int, int]]
) -> list[tuple[int, int, int, int, bool, bool]]:
    """Phone, HMM state, pdf, transition-state, self-loop and end of each transition-id from 0."""
    columns = [(-1, -1, -1, -1, False, False)]
    for number, (phone, state, forward, loop) in enumerate(states, start=1):
        final = len(topology[phone]) - 1
        for to, _ in topology[phone][state].transitions:
            stays = to == state
            pdf = loop if stays else forward
            columns.append((phone, state, pdf, number, stays, to == final))
    return columns


def _read_event_map(reader: KaldiReader, width: int, depth: int = 0) -> EventMap | None:
    if depth > _DEEPEST:
        raise reader.error(f"a tree of depth {_DEEPEST} at most", "a deeper one")
    kind = reader.expect("CE", "TE", "SE", "NULL")
    if kind == "NULL":
        return None
    if kind == "CE":
        answer = reader.integer("a pdf-id")
        if answer < 0:
            raise reader.error("a pdf-id", answer)
        return EventMap(answer)
    key = reader.integer("a question's key")
    if not PDF_CLASS <= key < width:
        raise reader.error(f"a question's key of -1..{width - 1}", key)
    if kind == "TE":
        size = reader.integer("a table's size")
        if not 0 <= size < _MOST:
            raise reader.error("a table's size", size)
        reader.expect("(")
        children = tuple(_read_event_map(reader, width, depth + 1) for _ in range(size))
        reader.expect(")")
        return EventMap(None, key, None, children)
    yes_set = frozenset(reader.integers("a question's values").tolist())
    reader.expect("{")
    both = tuple(_read_event_map(reader, width, depth + 1) for _ in range(2))
    if None in both:
        raise reader.error("two children of a question", "NULL")
    reader.expect("}")
    return EventMap(None, key, yes_set, both)
