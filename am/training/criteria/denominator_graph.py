"""The denominator of lattice-free MMI: all phone sequences of a language, as one HMM of pdfs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import open_arrays, write_arrays

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]

_KIND, _VERSION = "denominator", 1


@dataclass(frozen=True, eq=False)
class DenominatorGraph:
    """An HMM whose paths are the state sequences that compete with the right ones.

    Every arc spans one output frame and takes one pdf. An utterance begins in `start` and may end
    in any state, since chunks do.

    Attributes:
        sources: state that each arc leaves, int32 ``[A]``.
        destinations: state that it enters, int32 ``[A]``.
        pdfs: output of the network that it takes, int32 ``[A]``.
        log_probs: of language model and topology, natural log, float32 ``[A]``.
        occupancy: probability of finding a path in each state at any time, float32 ``[V]``; the
            leaky HMM jumps into states in this proportion.
        start: state in which utterances begin.
        outputs: pdfs of the tree that it was made with.
    """

    sources: IntArray
    destinations: IntArray
    pdfs: IntArray
    log_probs: FloatArray
    occupancy: FloatArray
    start: int
    outputs: int

    def __post_init__(self) -> None:
        if fault := self._fault():
            raise SpeechError(f"denominator graph: {fault}")

    @property
    def num_states(self) -> int:
        """Number of states V."""
        return len(self.occupancy)

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return len(self.sources)

    def check_outputs(self, outputs: int) -> None:
        """Refuse a network with another number of outputs.

        Raises:
            SpeechError: the graph was made with another tree.
        """
        if outputs != self.outputs:
            raise SpeechError(
                f"denominator graph: expected one of the network's {outputs} outputs, found one "
                f"of {self.outputs} pdfs, of another phone set or tree"
            )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write as mapped arrays."""
        write_arrays(
            path,
            {
                **{name: getattr(self, name) for name in _ROWS},
                "occupancy": self.occupancy,
                "start_outputs": np.array([self.start, self.outputs], dtype=np.int64),
            },
            kind=_KIND,
            version=_VERSION,
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> DenominatorGraph:
        """Read a file of `write`.

        Raises:
            SpeechError: naming the file, if it is missing, damaged or no such graph.
        """
        arrays = open_arrays(path, kind=_KIND, version=_VERSION)
        try:
            start, outputs = (int(value) for value in arrays["start_outputs"])
            rows = {name: np.array(arrays[name]) for name in (*_ROWS, "occupancy")}
        except (KeyError, ValueError) as error:
            raise SpeechError(
                f"{path}: expected arrays of a denominator graph, found {error}"
            ) from None
        try:
            return cls(**rows, start=start, outputs=outputs)
        except SpeechError as error:
            raise SpeechError(f"{path}: {error}") from None

    def _fault(self) -> str:
        arcs, states = len(self.sources), len(self.occupancy)
        if not arcs or not states:
            return f"expected arcs and states, found {arcs} and {states}"
        for name, kind in _ROWS.items():
            row = getattr(self, name)
            if row.shape != (arcs,) or row.dtype != kind:
                return f"expected {name} {kind.__name__} [{arcs}], found {_form(row)}"
        if self.occupancy.ndim != 1 or self.occupancy.dtype != np.float32:
            return f"expected occupancy float32 [V], found {_form(self.occupancy)}"
        for name, limit in (
            ("sources", states),
            ("destinations", states),
            ("pdfs", self.outputs),
        ):
            row = getattr(self, name)
            if row.min() < 0 or row.max() >= limit:
                return f"expected {name} 0 to {limit - 1}, found {row.min()} to {row.max()}"
        if not 0 <= self.start < states:
            return f"expected a start state below {states}, found {self.start}"
        if not np.isfinite(self.log_probs).all():
            return "expected finite log_probs"
        if not (self.occupancy >= 0).all() or not abs(float(self.occupancy.sum()) - 1) < 1e-3:
            return f"expected an occupancy that sums to 1, found {self.occupancy.sum():g}"
        unreachable = np.flatnonzero(~self._reachable())
        if len(unreachable):
            return f"state {unreachable[0]}: expected a way to it from the start, found none"
        ends = np.setdiff1d(np.arange(states), self.sources)
        if len(ends):
            return f"state {ends[0]}: expected an arc that leaves it, found none"
        return ""

    def _reachable(self) -> npt.NDArray[np.bool_]:
        seen = np.zeros(len(self.occupancy), dtype=np.bool_)
        seen[self.start] = True
        while True:
            new = self.destinations[seen[self.sources]]
            if seen[new].all():
                return seen
            seen[new] = True


_ROWS: dict[str, type[np.generic]] = {
    "sources": np.int32,
    "destinations": np.int32,
    "pdfs": np.int32,
    "log_probs": np.float32,
}


def _form(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"
