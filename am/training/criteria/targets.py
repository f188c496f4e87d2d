"""What an utterance's outputs are compared with: four kinds of target, and how each is cut.

A network reads input frames and gives output rows. Times of targets are counted in *output frames*:
a network that gives one row for each input frame has as many of both; one that gives a row for
every third input frame has a third as many. Each kind of target can be cut into the pieces that
belong to consecutive output frames, which is all that batching asks of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True)
class FrameLabels:
    """A class for each output frame, such as the pdf-id of a forced alignment.

    Attributes:
        labels: ``[T]`` integers from 0.
    """

    labels: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def output_frames(self) -> int:
        """Output frames that the target spans, T."""
        return len(self.labels)

    def fault(self, outputs: int) -> str:
        """What is wrong with the target for a network of so many outputs; "" if nothing is."""
        if self.labels.ndim != 1 or not np.issubdtype(self.labels.dtype, np.integer):
            return f"expected integer labels [T], found {_form(self.labels)}"
        return _range_fault("labels", self.labels, outputs)

    def cut(self, begin: int, end: int) -> FrameLabels:
        """The labels of output frames ``begin`` to ``end - 1``."""
        return FrameLabels(self.labels[begin:end])


@dataclass(frozen=True)
class TokenSequence:
    """The tokens of an utterance in order, without times: it can only be taken whole.

    Attributes:
        tokens: ``[U]`` integers from 0.
    """

    tokens: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def output_frames(self) -> None:
        """It spans whatever the utterance does."""
        return None

    def fault(self, outputs: int) -> str:
        """What is wrong with the target for a network of so many outputs; "" if nothing is."""
        if self.tokens.ndim != 1 or not np.issubdtype(self.tokens.dtype, np.integer):
            return f"expected integer tokens [U], found {_form(self.tokens)}"
        return _range_fault("tokens", self.tokens, outputs)

    def cut(self, begin: int, end: int) -> TokenSequence:
        """The whole sequence, which only an utterance's first piece has.

        Raises:
            ValueError: for any other piece.
        """
        if begin:
            raise ValueError(f"a token sequence has no piece that begins at output frame {begin}")
        return self


@dataclass(frozen=True)
class SupervisionGraph:
    """A graph whose paths are the label sequences that are right (or that compete).

    Every arc spans one output frame. An arc may be taken in some output frames only: a lattice that
    is unrolled over time gives each arc its one frame, the alignment of a transcript within a
    tolerance gives a few, and a graph without times gives all.

    Attributes:
        sources: state that each arc leaves ``[A]``; state 0 is where the utterance begins.
        destinations: state that it enters ``[A]``.
        labels: output of the network that it takes, from 0 ``[A]``.
        log_probs: its weight ``[A]`` float32, natural log.
        first_frames: first output frame in which it may be taken ``[A]``.
        last_frames: last such frame ``[A]``.
        final_log_probs: weight of ending in each state ``[V]`` float32, natural log; -inf where the
            utterance must not end.
        output_frames: T, length of every path.
    """

    sources: IntArray
    destinations: IntArray
    labels: IntArray
    log_probs: npt.NDArray[np.float32]
    first_frames: IntArray
    last_frames: IntArray
    final_log_probs: npt.NDArray[np.float32]
    output_frames: int

    def __len__(self) -> int:
        return self.output_frames

    def fault(self, outputs: int) -> str:
        """What is wrong with the target for a network of so many outputs; "" if nothing is."""
        arcs, states = len(self.sources), len(self.final_log_probs)
        rows = {
            "sources": self.sources,
            "destinations": self.destinations,
            "labels": self.labels,
            "log_probs": self.log_probs,
            "first_frames": self.first_frames,
            "last_frames": self.last_frames,
        }
        for name, row in rows.items():
            if row.shape != (arcs,):
                return f"graph: expected {name} of {arcs} arcs, found {_form(row)}"
        for name, limit in (
            ("sources", states),
            ("destinations", states),
            ("labels", outputs),
            ("first_frames", self.output_frames),
            ("last_frames", self.output_frames),
        ):
            if fault := _range_fault(name, rows[name], limit):
                return f"graph: {fault}"
        if not np.isfinite(self.log_probs).all():
            return "graph: expected finite log_probs"
        return ""

    def cut(self, begin: int, end: int) -> SupervisionGraph:
        """The arcs that may be taken in output frames ``begin`` to ``end - 1``.

        States keep their numbers, so that what a criterion knows of them passes from one piece to
        the next; frames are counted from ``begin``.
        """
        kept = (self.first_frames < end) & (self.last_frames >= begin)
        return SupervisionGraph(
            self.sources[kept],
            self.destinations[kept],
            self.labels[kept],
            self.log_probs[kept],
            np.maximum(self.first_frames[kept] - begin, 0).astype(np.int32),
            np.minimum(self.last_frames[kept], end - 1).astype(np.int32) - np.int32(begin),
            self.final_log_probs,
            end - begin,
        )


@dataclass(frozen=True)
class StateLattice:
    """Paths that a decoder found likely, and what is right in each output frame.

    States are in topological order, state 0 is where the utterance begins; arcs are sorted by
    source. It can only be taken whole, since every path is compared with the average of all.

    Attributes:
        sources: state that each arc leaves, int32 ``[A]``.
        destinations: state that it enters, int32 ``[A]``.
        labels: output of the network that it takes in the frame of its source, or -1 if it takes
            no frame, int32 ``[A]``.
        log_probs: weight of language model and transitions, natural log, float32 ``[A]``.
        accuracies: 1 where an arc's output is right in its frame, else 0, float32 ``[A]``; which
            outputs are as good as each other is up to who makes the lattice.
        state_frames: output frames before each state, int32 ``[V]``.
        final_log_probs: weight of ending in each state, natural log, float32 ``[V]``; -inf in all
            states that are not after the last frame.
        references: the right output of each frame, -1 where there is none, int32 ``[T]``.
    """

    sources: IntArray
    destinations: IntArray
    labels: IntArray
    log_probs: npt.NDArray[np.float32]
    accuracies: npt.NDArray[np.float32]
    state_frames: IntArray
    final_log_probs: npt.NDArray[np.float32]
    references: IntArray

    def __len__(self) -> int:
        return len(self.references)

    @property
    def output_frames(self) -> int:
        """Output frames that the target spans, T."""
        return len(self.references)

    def fault(self, outputs: int) -> str:
        """What is wrong with the target for a network of so many outputs; "" if nothing is."""
        arcs, states, frames = len(self.sources), len(self.state_frames), len(self)
        for name, size in (
            ("sources", arcs),
            ("destinations", arcs),
            ("labels", arcs),
            ("log_probs", arcs),
            ("accuracies", arcs),
            ("state_frames", states),
            ("final_log_probs", states),
            ("references", frames),
        ):
            row = getattr(self, name)
            real = name in ("log_probs", "accuracies", "final_log_probs")
            kind = np.dtype(np.float32 if real else np.int32)
            if row.shape != (size,) or row.dtype != kind:
                return f"lattice: expected {name} {kind} [{size}], found {_form(row)}"
        for name, least, limit in (
            ("sources", 0, states),
            ("destinations", 0, states),
            ("labels", -1, outputs),
            ("state_frames", 0, frames + 1),
            ("references", -1, outputs),
        ):
            if fault := _range_fault(name, getattr(self, name), limit, least):
                return f"lattice: {fault}"
        if not (np.isfinite(self.log_probs).all() and np.isfinite(self.accuracies).all()):
            return "lattice: expected finite log_probs and accuracies"
        if (self.destinations <= self.sources).any() or (np.diff(self.sources) < 0).any():
            return "lattice: expected states in topological order, and arcs sorted by source"
        steps = self.state_frames[self.destinations] - self.state_frames[self.sources]
        if not states or self.state_frames[0] or (steps != (self.labels >= 0)).any():
            return "lattice: expected a start at frame 0 and states as many frames apart as arcs"
        finals = self.final_log_probs > -np.inf
        if not finals.any() or (self.state_frames[finals] != frames).any():
            return f"lattice: expected final states after frame {frames}, and no others"
        return ""

    def cut(self, begin: int, end: int) -> StateLattice:
        """The whole lattice.

        Raises:
            ValueError: for any other piece.
        """
        if begin or end != len(self):
            raise ValueError(f"a lattice has no piece of output frames {begin} to {end - 1}")
        return self


def _range_fault(name: str, values: npt.NDArray[Any], limit: int, least: int = 0) -> str:
    if len(values) and not least <= values.min() <= values.max() < limit:
        return f"expected {name} {least} to {limit - 1}, found {values.min()} to {values.max()}"
    return ""


def _form(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"


Target = FrameLabels | TokenSequence | SupervisionGraph | StateLattice
"""What one utterance is trained on."""
