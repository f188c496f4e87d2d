"""Weighted transducers as arrays, and their way into kaldifst and back.

kaldifst (OpenFst) does the algebra of graphs; reading its objects arc by arc from Python would take
minutes for millions of arcs. OpenFst's own binary format holds the same in one block, which numpy
lays out and takes apart.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]
LongArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

# fst::FstHeader: magic number, FST type, arc type, version, flags, properties, start, states, arcs.
_MAGIC = 2125659606
_TYPES = b"".join(struct.pack("<i", len(name)) + name for name in (b"vector", b"standard"))
_REST = struct.Struct("<iiQqqq")
_VERSION = 2
_EXPANDED_MUTABLE = 3  # the two properties that every VectorFst has; the rest are unknown


@dataclass(frozen=True, eq=False)
class FstArrays:
    """A transducer over the tropical semiring; labels are 0 for epsilon.

    Attributes:
        start: the start state, -1 if the transducer is empty.
        sources: int32 `[A]`, state that each arc leaves, ascending.
        ilabels: int32 `[A]`.
        olabels: int32 `[A]`.
        costs: float32 `[A]`.
        next_states: int32 `[A]`.
        final_costs: float32 `[N]`, inf where a state is not final.
    """

    start: int
    sources: IntArray
    ilabels: IntArray
    olabels: IntArray
    costs: FloatArray
    next_states: IntArray
    final_costs: FloatArray

    @property
    def num_states(self) -> int:
        """Number of states N."""
        return len(self.final_costs)

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return len(self.sources)

    @property
    def offsets(self) -> LongArray:
        """Arcs of state n are `offsets[n]:offsets[n + 1]`, int64 `[N + 1]`."""
        return np.searchsorted(self.sources, np.arange(self.num_states + 1)).astype(np.int64)

    @classmethod
    def from_arcs(
        cls,
        sources: npt.ArrayLike,
        ilabels: npt.ArrayLike,
        olabels: npt.ArrayLike,
        costs: npt.ArrayLike,
        next_states: npt.ArrayLike,
        final_costs: npt.ArrayLike,
        start: int = 0,
    ) -> FstArrays:
        """A transducer from arcs in any order; each state's arcs keep their order."""
        order = np.argsort(np.asarray(sources, dtype=np.int32), kind="stable")
        return cls(
            start,
            np.asarray(sources, dtype=np.int32)[order],
            np.asarray(ilabels, dtype=np.int32)[order],
            np.asarray(olabels, dtype=np.int32)[order],
            np.asarray(costs, dtype=np.float32)[order],
            np.asarray(next_states, dtype=np.int32)[order],
            np.asarray(final_costs, dtype=np.float32),
        )

    def depth_first(self) -> FstArrays:
        """The same with states numbered in the order of a depth-first visit from the start.

        States that follow each other on paths then lie together in memory; states that no path
        from the start reaches disappear.
        """
        offsets, targets = self.offsets.tolist(), self.next_states.tolist()
        number = [-1] * self.num_states
        visited: list[int] = []
        stack = [self.start] if self.start >= 0 else []
        while stack:
            state = stack.pop()
            if number[state] < 0:
                number[state] = len(visited)
                visited.append(state)
                onward = targets[offsets[state] : offsets[state + 1]]
                stack += [target for target in reversed(onward) if number[target] < 0]
        numbers = np.array(number, dtype=np.int32)
        kept = numbers[self.sources] >= 0
        return FstArrays.from_arcs(
            numbers[self.sources[kept]],
            self.ilabels[kept],
            self.olabels[kept],
            self.costs[kept],
            numbers[self.next_states[kept]],
            self.final_costs[visited],
            start=0 if visited else -1,
        )

    def to_kaldifst(self) -> Any:
        """The same as a `kaldifst.StdVectorFst`."""
        import kaldifst

        with tempfile.TemporaryDirectory(prefix="fst-") as folder:
            path = Path(folder, "fst")
            path.write_bytes(self._to_bytes())
            fst = kaldifst.StdVectorFst.read(str(path))
        if fst is None:
            raise RuntimeError("kaldifst cannot read an FST in OpenFst's binary format")
        return fst

    @classmethod
    def from_kaldifst(cls, fst: Any) -> FstArrays:
        """The arrays of a `kaldifst.StdVectorFst`."""
        with tempfile.TemporaryDirectory(prefix="fst-") as folder:
            path = Path(folder, "fst")
            fst.write(str(path))
            return cls._from_bytes(path.read_bytes())

    def _to_bytes(self) -> bytes:
        header = struct.pack("<i", _MAGIC) + _TYPES
        header += _REST.pack(
            _VERSION, 0, _EXPANDED_MUTABLE, self.start, self.num_states, self.num_arcs
        )
        # In words of 32 bits: a state is its final cost and its number of arcs in 64 bits, then
        # four words for each arc.
        offsets = self.offsets
        body = np.zeros(3 * self.num_states + 4 * self.num_arcs, dtype=np.int32)
        states = 3 * np.arange(self.num_states) + 4 * offsets[:-1]
        body[states] = self.final_costs.view(np.int32)
        body[states + 1] = np.diff(offsets)
        arcs = 4 * np.arange(self.num_arcs) + 3 * (self.sources.astype(np.int64) + 1)
        body[arcs] = self.ilabels
        body[arcs + 1] = self.olabels
        body[arcs + 2] = self.costs.view(np.int32)
        body[arcs + 3] = self.next_states
        return header + body.astype("<i4").tobytes()

    @classmethod
    def _from_bytes(cls, content: bytes) -> FstArrays:
        prefix = struct.pack("<i", _MAGIC) + _TYPES
        if not content.startswith(prefix):
            raise RuntimeError("expected OpenFst's binary format of a vector FST")
        version, flags, _, start, num_states, _ = _REST.unpack_from(content, len(prefix))
        if version != _VERSION or flags:
            raise RuntimeError(
                f"expected version {_VERSION} of OpenFst's vector FST without symbols, "
                f"found version {version}, flags {flags}"
            )
        body = np.frombuffer(content, dtype="<i4", offset=len(prefix) + _REST.size)
        # Where a state's record begins is known only once the one before is read, hence a loop.
        starts = np.empty(num_states, dtype=np.int64)
        words = memoryview(content)[len(prefix) + _REST.size :].cast("i")
        position = 0
        for state in range(num_states):
            starts[state] = position
            position += 3 + 4 * words[position + 1]
        counts = body[starts + 1] if num_states else np.zeros(0, dtype=np.int32)
        sources = np.repeat(np.arange(num_states, dtype=np.int32), counts)
        arcs = 4 * np.arange(len(sources)) + 3 * (sources.astype(np.int64) + 1)
        return cls(
            int(start),
            sources,
            body[arcs],
            body[arcs + 1],
            body[arcs + 2].view(np.float32),
            body[arcs + 3],
            body[starts].view(np.float32) if num_states else np.zeros(0, dtype=np.float32),
        )
