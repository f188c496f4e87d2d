"""Numerator graphs of lattice-free MMI: the phones of an utterance, at about their times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.am.training.criteria.targets import SupervisionGraph
from recognizer.am.tree.contexts import FrameContexts, phone_begins
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.estimation.acceptor import EDGE, NgramAcceptor
from recognizer.pipelines.sequence.denominator import LOG_STEP, ChainPdfs

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class PhoneSegments:
    """The phones of one utterance and when they begin.

    Attributes:
        phones: ids, int32 ``[P]``.
        begins: first input frame of each, ascending, float64 ``[P]``; the first is 0.
        frames: input frames of the utterance.
    """

    phones: IntArray
    begins: npt.NDArray[np.float64]
    frames: int

    @classmethod
    def of(cls, contexts: FrameContexts) -> PhoneSegments:
        """The segments of an alignment ``[T]``."""
        begins = np.flatnonzero(phone_begins(contexts))
        return cls(contexts.phone[begins], begins.astype(np.float64), len(contexts.phone))

    def version(self, frames: int, *, speed: float = 1.0, first: int = 0) -> PhoneSegments:
        """The segments of the same utterance at another speed, without its first frames.

        Args:
            frames: input frames of the version.
            speed: frame t of the version is frame t * speed of the utterance.
            first: frames that the version lacks at its beginning (after the change of speed).
        """
        return PhoneSegments(self.phones, np.maximum(self.begins / speed - first, 0), frames)


@dataclass(frozen=True)
class NumeratorOptions:
    """How exactly the times of an alignment are taken.

    Attributes:
        tolerance: a phone may lie outside of its segment by so many input frames, on either side;
            Kaldi's recipes have 5.
    """

    tolerance: int = 5

    def __post_init__(self) -> None:
        if self.tolerance < 0:
            raise UsageError(f"numerator: tolerance: expected frames >= 0, found {self.tolerance}")


class NumeratorGraphs:
    """Makes numerator graphs whose paths are paths of the denominator graph, with equal weights.

    Args:
        model: the denominator's phone language model.
        pdfs: the denominator's pdfs.
        subsampling: input frames of an output frame, n.
        options: tolerance.
    """

    def __init__(
        self,
        model: NgramAcceptor,
        pdfs: ChainPdfs,
        subsampling: int,
        options: NumeratorOptions | None = None,
    ) -> None:
        self._successors = model.successors()
        self._start = model.start
        self._pdfs = pdfs
        self._subsampling = subsampling
        self._options = options or NumeratorOptions()

    def graph(self, segments: PhoneSegments) -> SupervisionGraph:
        """The graph of one utterance: phone i is left of state i + 1, which repeats its last frame.

        Output frame k is about input frames n * k to n * k + n - 1. A phone may take those output
        frames that its segment, widened by the tolerance, touches.

        Raises:
            SpeechError: more phones than output frames, or a sequence of phones that the phone
                language model has not seen.
        """
        count, step = len(segments.phones), self._subsampling
        frames = -(-segments.frames // step)
        ends = np.append(segments.begins[1:], segments.frames)
        lowest = np.floor(np.maximum(segments.begins - self._options.tolerance, 0) / step)
        highest = np.floor((np.minimum(ends + self._options.tolerance, segments.frames) - 1) / step)
        earliest, latest = _entries(lowest.astype(int), highest.astype(int), frames)
        first, further, log_probs = self._labels(segments.phones)
        last = np.minimum(highest, np.append(latest[1:] - 1, frames - 1)).astype(int)
        # A phone that can have one frame only has no self-loop.
        loops = np.flatnonzero(last > earliest)
        states = np.arange(count)
        return SupervisionGraph(
            sources=np.concatenate((states, loops + 1)).astype(np.int32),
            destinations=np.concatenate((states + 1, loops + 1)).astype(np.int32),
            labels=np.concatenate((first, further[loops])).astype(np.int32),
            log_probs=np.concatenate((log_probs, np.full(len(loops), LOG_STEP))).astype(np.float32),
            first_frames=np.concatenate((earliest, earliest[loops] + 1)).astype(np.int32),
            last_frames=np.concatenate((latest, last[loops])).astype(np.int32),
            final_log_probs=np.append(np.full(count, -np.inf), 0.0).astype(np.float32),
            output_frames=frames,
        )

    def _labels(self, phones: IntArray) -> tuple[IntArray, IntArray, npt.NDArray[np.float64]]:
        """Pdfs of the first and of further frames of each phone, and the weights of beginning."""
        state, left = self._start, EDGE
        rows: list[tuple[int, int, float]] = []
        for phone in phones.tolist():
            following = self._successors.get((state, phone))
            if following is None:
                symbols = self._pdfs.phones.symbols
                raise SpeechError(
                    f"numerator: expected phones in an order that the phone language model has "
                    f"seen, found {symbols[phone]} after {symbols[left]}"
                )
            first, further = self._pdfs.of(left, phone)
            state, log_prob = following
            rows.append((first, further, log_prob + LOG_STEP))
            left = phone
        firsts, furthers, log_probs = zip(*rows, strict=True)
        return (
            np.array(firsts, dtype=np.int32),
            np.array(furthers, dtype=np.int32),
            np.array(log_probs),
        )


def _entries(
    lowest: npt.NDArray[np.int_], highest: npt.NDArray[np.int_], frames: int
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Earliest and latest output frame in which each phone can begin.

    Phones take the frames in order, each one at least, and each only frames of its range.
    """
    count = len(lowest)
    if count > frames:
        raise SpeechError(
            f"numerator: supervision longer than its chunk: {count} phones in {frames} output "
            "frames"
        )
    index = np.arange(count)
    # The first phone begins at 0; each later one after its forerunner, which is at once the running
    # maximum of frame - index. It also must begin before its forerunner's range has ended.
    low = lowest.copy()
    low[0] = 0
    earliest = np.maximum.accumulate(low - index) + index
    high = np.minimum(highest, np.append(0, highest[:-1] + 1))
    latest = np.minimum.accumulate((high - index)[::-1])[::-1] + index
    if (earliest > latest).any():
        phone = int(np.flatnonzero(earliest > latest)[0])
        raise SpeechError(
            f"numerator: supervision longer than its chunk: phone {phone + 1} of {count} cannot "
            f"begin in output frames {earliest[phone]} to {latest[phone]}"
        )
    return earliest, latest
