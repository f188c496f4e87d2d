"""The decoding graph: HCLG as contiguous arrays, and its file.

Input labels are transition-ids, output labels word ids, weights costs (negated natural logs). Arcs
of a state that consume a frame (emitting) stand before those that do not, so that a search walks
each kind without looking at the other.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
import zstandard

from data.errors import SpeechError
from data.files import replace_file
from decoding.fst_arrays import FloatArray, FstArrays, IntArray, LongArray

_FORMAT = "decoding-graph"
_VERSION = 1
_LEVEL = 19  # graphs are packed once and unpacked often; the level costs nothing in unpacking
_MAX_SIZE = 1 << 34  # bytes of an unpacked graph that a header may ask for


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

    @classmethod
    def from_kaldifst(cls, fst: Any, words: tuple[str, ...]) -> DecodingGraph:
        """The graph of a `kaldifst.StdVectorFst` from transition-ids to word ids."""
        return cls.from_arrays(FstArrays.from_kaldifst(fst), words)

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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the graph: safetensors within zstd, each column as narrow as its values allow."""
        values, indices = np.unique(self.costs, return_inverse=True)
        sources = self.to_arrays().sources
        tensors = {
            "num_emitting": _narrow(self.num_emitting),
            "num_epsilon": _narrow(np.diff(self.offsets) - self.num_emitting),
            "ilabels": _narrow(self.ilabels),
            "olabels": _narrow(self.olabels),
            "cost_values": values,
            "cost_indices": _narrow(indices.reshape(-1)),
            "state_steps": self.next_states - sources,
            "final_costs": self.final_costs,
            "words": np.frombuffer("\n".join(self.words).encode(), dtype=np.uint8),
        }
        header = {"format": _FORMAT, "version": _VERSION, "start": self.start}
        # As one field, since safetensors writes several in an order that changes from run to run.
        content = safetensors.numpy.save(tensors, {"header": json.dumps(header)})
        packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)
        with replace_file(path) as temporary:
            temporary.write_bytes(packed)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DecodingGraph:
        """Reads a file of `save`.

        Raises:
            SpeechError: naming the file, if it is missing, damaged or no decoding graph.
        """
        content = _unpack(path)
        try:
            header = _header(content)
            if (header.get("format"), header.get("version")) != (_FORMAT, _VERSION):
                raise SpeechError(
                    f"{path}: expected a {_FORMAT} of version {_VERSION}, "
                    f"found {header.get('format')!r} of version {header.get('version')!r}"
                )
            tensors = safetensors.numpy.load(content)
            emitting = tensors["num_emitting"].astype(np.int64)
            counts = emitting + tensors["num_epsilon"]
            sources = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
            return cls(
                start=int(header["start"]),
                offsets=np.concatenate((np.zeros(1, np.int64), np.cumsum(counts))),
                num_emitting=emitting.astype(np.uint32),
                ilabels=tensors["ilabels"].astype(np.int32),
                olabels=tensors["olabels"].astype(np.int32),
                costs=tensors["cost_values"][tensors["cost_indices"]],
                next_states=tensors["state_steps"] + sources,
                final_costs=tensors["final_costs"],
                words=tuple(tensors["words"].tobytes().decode().split("\n")),
            )
        except SpeechError as error:
            message = str(error)
            raise SpeechError(
                message if message.startswith(str(path)) else f"{path}: {message}"
            ) from None
        except (KeyError, IndexError, TypeError, ValueError, safetensors.SafetensorError) as error:
            raise SpeechError(f"{path}: expected a decoding graph, found {error!r}") from None


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


def _narrow(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same non-negative integers in the smallest unsigned type."""
    largest = int(array.max()) if len(array) else 0
    return array.astype(np.min_scalar_type(largest))


def _unpack(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 (the path may be a string)
            packed = stream.read()
    except OSError as error:
        raise SpeechError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 < size <= _MAX_SIZE:
            raise SpeechError(f"{path}: expected a decoding graph, found no size in its header")
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise SpeechError(f"{path}: expected a zstd file: {error}") from None


def _header(content: bytes) -> dict[str, Any]:
    """Our own fields in the header of a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    fields = json.loads(header["__metadata__"]["header"])
    if not isinstance(fields, dict):
        raise ValueError("no fields in the header")
    return fields
