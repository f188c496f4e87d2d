"""The decoding graph as graph algebra makes it: HCLG or HCL in contiguous arrays.

Input labels are transition-ids, output labels word ids, weights costs (negated natural logs). Arcs
of a state that consume a frame (emitting) stand before those that do not, so that a search reads
each kind without looking at the other. `recognizer.decoding.graph.mapped_graph` lays it out for the
search and keeps it in a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.fst_arrays import FloatArray, FstArrays, IntArray, LongArray


@dataclass(frozen=True, eq=False)
class DecodingGraph:
    """HCLG for N states and A arcs.

    Attributes:
        start: the start state.
        offsets: int64 `[N + 1]`; arcs of state n are `offsets[n]:offsets[n + 1]`.
        num_emitting: uint32 `[N]`; how many of them, the first ones, have a transition-id.
        ilabels: int32 `[A]`, transition-id, 0 for epsilon.
        olabels: int32 `[A]`, word id, 0 for none.
        costs: float32 `[A]`, negated natural logs.
        next_states: int32 `[A]`.
        final_costs: float32 `[N]`, inf where a state is not final.
        words: word of each id; id 0 is `<eps>`.

    Raises:
        SpeechError: if the arrays do not describe such a graph.
    """

    start: int
    offsets: LongArray
    num_emitting: npt.NDArray[np.uint32]
    ilabels: IntArray
    olabels: IntArray
    costs: FloatArray
    next_states: IntArray
    final_costs: FloatArray
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        states, arcs = len(self.final_costs), len(self.ilabels)
        for name, dtype, length in (
            ("offsets", np.int64, states + 1),
            ("num_emitting", np.uint32, states),
            ("ilabels", np.int32, arcs),
            ("olabels", np.int32, arcs),
            ("costs", np.float32, arcs),
            ("next_states", np.int32, arcs),
            ("final_costs", np.float32, states),
        ):
            array = getattr(self, name)
            if array.dtype != dtype or array.shape != (length,):
                raise SpeechError(
                    f"decoding graph: {name}: expected {np.dtype(dtype).name} [{length}], "
                    f"found {array.dtype} {list(array.shape)}"
                )
            if not array.flags.c_contiguous:
                object.__setattr__(self, name, np.ascontiguousarray(array))
        for holds, expected in (
            (0 <= self.start < states, f"a start state of 0..{states - 1}"),
            (self.offsets[0] == 0 and self.offsets[-1] == arcs, "offsets from 0 to the last arc"),
            (bool((np.diff(self.offsets) >= 0).all()), "ascending offsets"),
            (_within(self.next_states, states), f"next states of 0..{states - 1}"),
            (not arcs or int(self.ilabels.min()) >= 0, "transition-ids of at least 0"),
            (_within(self.olabels, len(self.words)), f"word ids of 0..{len(self.words) - 1}"),
            (bool(np.isfinite(self.costs).all()), "finite costs"),
            (bool((self.final_costs > -np.inf).all()), "final costs that are numbers or inf"),
        ):
            if not holds:
                raise SpeechError(f"decoding graph: expected {expected}")
        if not np.array_equal(self.num_emitting, _emitting_first(self.offsets, self.ilabels)):
            raise SpeechError("decoding graph: expected every state's emitting arcs before others")

    @property
    def num_states(self) -> int:
        """Number of states N."""
        return len(self.final_costs)

    @property
    def num_arcs(self) -> int:
        """Number of arcs A."""
        return len(self.ilabels)

    @classmethod
    def from_arrays(cls, fst: FstArrays, words: tuple[str, ...]) -> DecodingGraph:
        """The graph of a transducer from transition-ids to word ids."""
        # The arcs are sorted by state already; a stable sort puts emitting ones first.
        order = np.argsort(2 * fst.sources.astype(np.int64) + (fst.ilabels == 0), kind="stable")
        counts = np.bincount(fst.sources[fst.ilabels > 0], minlength=fst.num_states)
        return cls(
            start=fst.start,
            offsets=fst.offsets,
            num_emitting=counts.astype(np.uint32),
            ilabels=fst.ilabels[order],
            olabels=fst.olabels[order],
            costs=fst.costs[order],
            next_states=fst.next_states[order],
            final_costs=fst.final_costs,
            words=words,
        )

    def to_arrays(self) -> FstArrays:
        """The graph as a transducer from transition-ids to word ids."""
        sources = np.repeat(np.arange(self.num_states, dtype=np.int32), np.diff(self.offsets))
        return FstArrays(
            self.start,
            sources,
            self.ilabels,
            self.olabels,
            self.costs,
            self.next_states,
            self.final_costs,
        )

    def to_kaldifst(self, transitions_pdf: npt.ArrayLike | None = None) -> Any:
        """The graph as a `kaldifst.StdVectorFst`, for kaldi-decoder and other OpenFst users.

        Args:
            transitions_pdf: pdf-id of each transition-id, `TransitionModel.pdf`. If given, input
                labels become pdf-id + 1 (0 stays epsilon), which is what decoders without a
                transition model read. This is the only place where labels are renamed so.
        """
        arrays = self.to_arrays()
        if transitions_pdf is not None:
            labels = np.asarray(transitions_pdf, dtype=np.int32) + 1
            if arrays.num_arcs and int(arrays.ilabels.max()) >= len(labels):
                raise SpeechError(
                    f"decoding graph: expected transition-ids below {len(labels)}, "
                    f"found {int(arrays.ilabels.max())}"
                )
            labels[0] = 0
            arrays = FstArrays(
                arrays.start,
                arrays.sources,
                labels[arrays.ilabels],
                arrays.olabels,
                arrays.costs,
                arrays.next_states,
                arrays.final_costs,
            )
        return arrays.to_kaldifst()


def _within(array: npt.NDArray[Any], end: int) -> bool:
    return not len(array) or (int(array.min()) >= 0 and int(array.max()) < end)


def _emitting_first(offsets: LongArray, ilabels: IntArray) -> npt.NDArray[np.int64]:
    """Length of each state's leading run of emitting arcs; -1 where others follow an epsilon."""
    emitting: LongArray = np.zeros(len(ilabels) + 1, dtype=np.int64)
    np.cumsum(ilabels > 0, out=emitting[1:])
    counts = emitting[offsets[1:]] - emitting[offsets[:-1]]
    leading = emitting[offsets[:-1] + counts] - emitting[offsets[:-1]]
    result: npt.NDArray[np.int64] = np.where(leading == counts, counts, -1)
    return result
