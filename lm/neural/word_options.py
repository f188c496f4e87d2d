"""The shape of a neural language model over words. Nothing here imports torch.

Words are numbered by their frequency in the training text: 0 is `</s>`, which also begins a
sentence, and 1 is `<unk>`. Names of a model's tensors, with V words, W the width, U units, C words
of the shortlist, K clusters of rarer words, of S words and D dimensions each:

======================================  =============  ============================================
``embedding.weight``                    ``[V, W]``     vectors of the words read; absent if tied
``softmax.head.weight``, ``.bias``      ``[C + K, W]``,  the shortlist's words, then the clusters
                                        ``[C + K]``
``softmax.tails.{k}.0.weight``          ``[D, W]``     a cluster's projection
``softmax.tails.{k}.1.weight``          ``[S, D]``     a cluster's words
``core.weight_ih_l{n}``, ``_hh_l{n}``   ``[4U, W]``    LSTM: gate rows in the order i, f, g, o
``core.bias_ih_l{n}``, ``_hh_l{n}``     ``[4U]``       two biases, as torch has them
``core.weight_hr_l{n}``                 ``[W, U]``     recurrent projection, where U is not W
``core.*``                                             NTM: `recognizer.lm.neural.ntm`
======================================  =============  ============================================
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from recognizer.data.errors import UsageError
from recognizer.lm.neural.options import NtmOptions

END_ID = 0
UNKNOWN_ID = 1


class Cluster(NamedTuple):
    """Some of the rarer words: those from `first` on, `size` of them, in `dimension` dimensions."""

    first: int
    size: int
    dimension: int


@dataclass(frozen=True)
class WordNetworkOptions:
    """Shape of a neural language model.

    The output layer is an adaptive softmax (Grave, Joulin, Cisse, Grangier and Jegou 2017): the
    most frequent words have an output each, rarer ones share the output of their cluster and have
    one of fewer dimensions in it.

    Attributes:
        core: "lstm", with a recurrent projection (Sak, Senior and Beaufays 2014), or "ntm", a
            Neural Turing Machine with an LSTM as its controller.
        width: dimension of the vectors of words that the core reads, and of its output.
        layers: of the LSTM, or of the controller.
        units: cells of a layer; in an LSTM at least `width`, and if equal, without projection.
        cutoffs: the number of each cluster's first word; there are no clusters beyond the
            vocabulary.
        divisor: each cluster has so many times fewer dimensions than the one before.
        tied: the words' vectors at the input are those of the output, multiplied by the root of
            the width (Press and Wolf 2017; Baevski and Auli 2019).
        slots: of an NTM's memory.
        slot_width: of an NTM's memory.
        read_heads: of an NTM.
        write_heads: of an NTM.
    """

    core: Literal["lstm", "ntm"] = "lstm"
    width: int = 256
    layers: int = 1
    units: int = 512
    cutoffs: tuple[int, ...] = (4000, 20000)
    divisor: int = 4
    tied: bool = True
    slots: int = 64
    slot_width: int = 32
    read_heads: int = 1
    write_heads: int = 1

    def __post_init__(self) -> None:
        if self.core not in ("lstm", "ntm"):
            raise UsageError(f"core: expected lstm or ntm, found {self.core!r}")
        for name in ("width", "layers", "units", "divisor"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}: expected a number above 0, found {getattr(self, name)}")
        if self.core == "lstm" and self.units < self.width:
            raise UsageError(
                f"units: expected at least the width of {self.width}, found {self.units}"
            )
        if not all(one < next_one for one, next_one in pairwise((1, *self.cutoffs))):
            raise UsageError(
                f"cutoffs: expected rising numbers of words above 1, found {list(self.cutoffs)}"
            )
        if self.core == "ntm":
            assert self.ntm is not None  # its options are checked

    @property
    def ntm(self) -> NtmOptions:
        """The options of an NTM core.

        Raises:
            UsageError: an impossible size, such as a memory without slots.
        """
        return NtmOptions(
            inputs=self.width,
            outputs=self.width,
            layers=self.layers,
            units=self.units,
            slots=self.slots,
            width=self.slot_width,
            read_heads=self.read_heads,
            write_heads=self.write_heads,
        )

    def shortlist(self, words: int) -> int:
        """How many of so many words have an output of their own."""
        return next((cutoff for cutoff in self.cutoffs if cutoff < words), words)

    def clusters(self, words: int) -> tuple[Cluster, ...]:
        """The clusters of so many words."""
        ends = [cutoff for cutoff in self.cutoffs if cutoff < words] + [words]
        return tuple(
            Cluster(first, end - first, max(1, self.width // self.divisor ** (number + 1)))
            for number, (first, end) in enumerate(pairwise(ends))
        )

    def shapes(self, words: int) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor of a model of so many words."""
        clusters = self.clusters(words)
        outputs = self.shortlist(words) + len(clusters)
        found: dict[str, tuple[int, ...]] = {
            "softmax.head.weight": (outputs, self.width),
            "softmax.head.bias": (outputs,),
        }
        if not self.tied:
            found["embedding.weight"] = (words, self.width)
        for number, cluster in enumerate(clusters):
            found[f"softmax.tails.{number}.0.weight"] = (cluster.dimension, self.width)
            found[f"softmax.tails.{number}.1.weight"] = (cluster.size, cluster.dimension)
        core = self._lstm_shapes() if self.core == "lstm" else self._ntm_shapes()
        return {**found, **{f"core.{name}": shape for name, shape in core.items()}}

    def _lstm_shapes(self) -> dict[str, tuple[int, ...]]:
        gates = 4 * self.units
        found: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            found[f"weight_ih_l{layer}"] = found[f"weight_hh_l{layer}"] = (gates, self.width)
            found[f"bias_ih_l{layer}"] = found[f"bias_hh_l{layer}"] = (gates,)
            if self.units != self.width:
                found[f"weight_hr_l{layer}"] = (self.width, self.units)
        return found

    def _ntm_shapes(self) -> dict[str, tuple[int, ...]]:
        options = self.ntm
        gates, units, slots, width = 4 * self.units, self.units, self.slots, self.slot_width
        heads, read = options.read_heads + options.write_heads, options.read_heads * width
        emitted = heads * (width + 2 * options.shift_range + 4) + options.write_heads * 2 * width
        found: dict[str, tuple[int, ...]] = {
            "from_input.weight": (gates, self.width),
            "from_input.bias": (gates,),
            "from_read.weight": (gates, read),
            "to_heads.weight": (emitted, units),
            "to_heads.bias": (emitted,),
            "to_output.weight": (self.width, units + read),
            "to_output.bias": (self.width,),
            "initial_memory": (slots, width),
            "initial_weighting": (heads, slots),
            "initial_read": (options.read_heads, width),
            "initial_hidden": (self.layers, units),
            "initial_cells": (self.layers, units),
        }
        for layer in range(self.layers):
            found[f"recurrent.{layer}.weight"] = (gates, units)
            if layer:
                found[f"deeper.{layer - 1}.weight"] = (gates, units)
                found[f"deeper.{layer - 1}.bias"] = (gates,)
        return found
