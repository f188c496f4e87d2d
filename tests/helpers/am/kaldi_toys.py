"""Kaldi's trees in its binary form, written down for tests."""

from __future__ import annotations

import struct
from typing import Any

# A tree is an int (a leaf), None, ("TE", key, [children]) or ("SE", key, [values], yes, no).
Event = Any


def integer(value: int) -> bytes:
    """A number as Kaldi's WriteBasicType writes an int32."""
    return b"\x04" + struct.pack("<i", value)


def event_map(node: Event) -> bytes:
    """An event map in Kaldi's binary form."""
    if node is None:
        return b"NULL "
    if isinstance(node, int):
        return b"CE " + integer(node)
    if node[0] == "TE":
        _, key, children = node
        size = b"\xfc" + struct.pack("<I", len(children))
        body = b"".join(map(event_map, children))
        return b"TE " + integer(key) + size + b"( " + body + b") "
    _, key, values, yes, no = node
    members = b"\x04" + struct.pack("<i", len(values)) + struct.pack(f"<{len(values)}i", *values)
    return b"SE " + integer(key) + members + b"{ " + event_map(yes) + event_map(no) + b"} "


def tree(node: Event, width: int = 3, central: int = 1) -> bytes:
    """A whole tree file."""
    head = b"\0BContextDependency " + integer(width) + integer(central)
    return head + b"ToPdf " + event_map(node) + b"EndContextDependency "


PHONES = ["SIL", "SPN", *(f"{p}_{at}" for p in ("AA", "K") for at in "BEIS")]
"""Phones by id from 1: silences, then the word-position variants in Kaldi's order."""

_THREE = "".join(
    f"<State> {i} <PdfClass> {i} <Transition> {i} 0.75 <Transition> {i + 1} 0.25 </State>\n"
    for i in range(3)
)
_FIVE = (
    "<State> 0 <PdfClass> 0 "
    + "".join(f"<Transition> {to} 0.25 " for to in range(4))
    + "</State>\n"
    + "".join(
        f"<State> {i} <PdfClass> {i} "
        + "".join(f"<Transition> {to} 0.25 " for to in range(1, 5))
        + "</State>\n"
        for i in (1, 2, 3)
    )
    + "<State> 4 <PdfClass> 4 <Transition> 4 0.75 <Transition> 5 0.25 </State>\n"
)


def _entry(phones: str, states: str, final: int) -> str:
    return (
        f"<TopologyEntry>\n<ForPhones>\n{phones}\n</ForPhones>\n{states}"
        f"<State> {final} </State>\n</TopologyEntry>\n"
    )


TOPOLOGY = (
    "<Topology>\n" + _entry("3 4 5 6 7 8 9 10", _THREE, 3) + _entry("1 2", _FIVE, 5)
    + "</Topology>\n"
)  # fmt: skip
"""Kaldi's usual topology of `PHONES`."""

CHAIN_TOPOLOGY = (
    "<Topology>\n"
    + _entry(
        "1 2 3 4 5 6 7 8 9 10",
        "<State> 0 <ForwardPdfClass> 0 <SelfLoopPdfClass> 1 <Transition> 0 0.5 "
        "<Transition> 1 0.5 </State>\n",
        1,
    )
    + "</Topology>\n"
)
"""The topology of chain models."""

TRIPHONES: Event = (
    "SE", 1, [1, 2],
    ("TE", 1, [None, ("TE", -1, [0, 1, 2, 3, 4]), ("TE", -1, [5, 6, 7, 8, 9])]),
    (
        "SE", 1, [3, 4, 5, 6],
        ("TE", -1, [10, ("SE", 0, [0, 1, 2], 11, ("SE", 2, [7, 9], 12, 13)), 14]),
        (
            "SE", -1, [0],
            ("SE", 0, [3, 5], 15, 16),
            ("SE", 1, [8, 10], ("TE", -1, [None, 17, 18]), ("SE", 2, [0, 1], 19, 12)),
        ),
    ),
)  # fmt: skip
"""A triphone tree over `PHONES` in which two phones share pdf 12 and states of K share some."""

CHAIN: Event = ("TE", 0, [None, *(("TE", -1, [2 * i, 2 * i + 1]) for i in range(10))])
"""Monophones of the chain topology."""
