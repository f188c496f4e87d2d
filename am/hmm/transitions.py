"""The transition model: transition-ids and their probabilities, as Kaldi's `TransitionModel`.

A transition-state is a triple (phone, HMM state, pdf-id); a transition-id is a transition-state
with one of its arcs in the topology. Both are 1-based; id 0 is epsilon. A transition-id thus names
the phone even where the tree shares pdfs between phones.

Order of ids in paths, in graphs as in alignments, is that of Kaldi's `--reorder=true`: a state is
entered by its forward transition, the self-loops follow. A visit of n frames to a state is one
frame with a forward transition-id, then n - 1 frames with the self-loop's; and a phone starts
exactly at the frames whose transition-id leaves HMM state 0 forwards.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.data.errors import SpeechError
from recognizer.data.io.json_io import read_json, write_json

IntArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

_KIND = "transition-model"


class TransitionModel:
    """Transition-ids with their pdf, phone, state and probability.

    The arrays are indexed by transition-id; index 0 (epsilon) holds -1, False and 0.

    Attributes:
        topology: the HMM states of each phone.
        phones: the phone table.
        tuples: the sorted (phone, HMM state, pdf) triples; transition-state s is `tuples[s - 1]`.
        pdf: int32, pdf-id (0-based).
        phone: int32, phone id.
        hmm_state: int32.
        arc: int32, index of the arc within the HMM state's transitions.
        transition_state: int32, 1-based.
        is_self_loop: whether the arc stays in its state.
        ends_phone: whether the arc goes to the final state.
        is_silence: whether the phone is one of `PhoneTable.silence`.
        log_prob: float32, natural log; the arcs of a transition-state sum to one.
    """

    def __init__(
        self, topology: Topology, phones: PhoneTable, tuples: Iterable[tuple[int, int, int]]
    ) -> None:
        self.topology = topology
        self.phones = phones
        self.tuples = tuple(sorted((int(p), int(s), int(pdf)) for p, s, pdf in tuples))
        self._check_tuples()
        columns: list[tuple[int, int, int, int, int, bool, bool, float]] = [
            (-1, -1, -1, -1, 0, False, False, 0.0)
        ]
        first = [0]
        for index, (phone, state, pdf) in enumerate(self.tuples):
            first.append(len(columns))
            states = topology.states(phone)
            for arc, (to, probability) in enumerate(states[state].transitions):
                loop, ends = to == state, to == len(states)
                log_prob = math.log(probability)
                columns.append((pdf, phone, state, arc, index + 1, loop, ends, log_prob))
        table = list(zip(*columns, strict=True))
        self.pdf: IntArray = _frozen(np.array(table[0], dtype=np.int32))
        self.phone: IntArray = _frozen(np.array(table[1], dtype=np.int32))
        self.hmm_state: IntArray = _frozen(np.array(table[2], dtype=np.int32))
        self.arc: IntArray = _frozen(np.array(table[3], dtype=np.int32))
        self.transition_state: IntArray = _frozen(np.array(table[4], dtype=np.int32))
        self.is_self_loop: BoolArray = _frozen(np.array(table[5], dtype=np.bool_))
        self.ends_phone: BoolArray = _frozen(np.array(table[6], dtype=np.bool_))
        self.is_silence: BoolArray = _frozen(np.isin(self.phone, sorted(phones.silence)))
        self.log_prob: FloatArray = _frozen(np.array(table[7], dtype=np.float32))
        self._first: IntArray = np.array(first, dtype=np.int32)
        self._states = {triple: i + 1 for i, triple in enumerate(self.tuples)}
        loops = np.zeros(len(self.tuples) + 1, dtype=np.int32)
        loop_ids = np.flatnonzero(self.is_self_loop)
        loops[self.transition_state[loop_ids]] = loop_ids
        #: Transition-id of the self-loop of each transition-id's state, 0 where it has none.
        self.self_loop: IntArray = _frozen(loops[self.transition_state])

    @property
    def silence_pdfs(self) -> frozenset[int]:
        """The pdf-ids of every state of every silence phone."""
        return frozenset(self.pdf[self.is_silence].tolist())

    def _check_tuples(self) -> None:
        if len(set(self.tuples)) != len(self.tuples):
            raise SpeechError("transition model: expected distinct (phone, state, pdf) triples")
        covered = {(phone, state) for phone, state, _ in self.tuples}
        needed = {
            (phone, state)
            for phone in self.phones.ids
            for state in range(self.topology.num_states(phone))
        }
        for phone, state in sorted(covered ^ needed):
            found = "none" if (phone, state) in needed else "one"
            expected = "a pdf" if found == "none" else "no pdf"
            raise SpeechError(
                f"transition model: phone {phone} state {state}: expected {expected}, found {found}"
            )
        pdfs = {pdf for _, _, pdf in self.tuples}
        if pdfs and (min(pdfs) < 0 or max(pdfs) + 1 != len(pdfs)):
            raise SpeechError(
                f"transition model: expected pdf-ids 0..n-1 without gaps, found {len(pdfs)} "
                f"between {min(pdfs)} and {max(pdfs)}"
            )

    @property
    def num_pdfs(self) -> int:
        """Number of pdf-ids."""
        return 1 + int(self.pdf.max())

    @property
    def num_transition_ids(self) -> int:
        """Number of transition-ids, which are 1..num_transition_ids."""
        return len(self.pdf) - 1

    @property
    def num_transition_states(self) -> int:
        """Number of transition-states, which are 1..num_transition_states."""
        return len(self.tuples)

    def transition_id(self, phone: int, hmm_state: int, pdf: int, arc_index: int) -> int:
        """The transition-id of an arc (an index into the HMM state's transitions).

        Raises:
            SpeechError: if there is no such transition-state or arc.
        """
        state = self._states.get((phone, hmm_state, pdf))
        if state is None:
            raise SpeechError(
                f"transition model: expected a known (phone, state, pdf), "
                f"found ({phone}, {hmm_state}, {pdf})"
            )
        arcs = len(self.topology.states(phone)[hmm_state].transitions)
        if not 0 <= arc_index < arcs:
            raise SpeechError(
                f"transition model: phone {phone} state {hmm_state}: expected an arc below {arcs}, "
                f"found {arc_index}"
            )
        return int(self._first[state]) + arc_index

    def scaled_log_probs(self, self_loop_scale: float, transition_scale: float) -> FloatArray:
        """Log probabilities as they enter a decoding graph (Kaldi's `GetScaledTransitionLogProb`).

        A self-loop of probability p gets `self_loop_scale * log p`; another arc of probability q
        gets `transition_scale * log(q / (1 - p)) + self_loop_scale * log(1 - p)`.

        Returns:
            float32 `[num_transition_ids + 1]`, natural log; index 0 is 0.
        """
        probability = np.exp(self.log_prob.astype(np.float64))
        loop = np.where(self.self_loop > 0, probability[self.self_loop], 0.0)
        leave = np.log1p(-np.where(self.is_self_loop, 0.0, loop))
        scaled = np.where(
            self.is_self_loop,
            self_loop_scale * self.log_prob,
            transition_scale * (self.log_prob - leave) + self_loop_scale * leave,
        ).astype(np.float32)
        scaled[0] = 0.0
        return scaled

    def counts(self, transition_ids: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """How often each transition-id occurs in an alignment, float64 `[num_ids + 1]`."""
        ids = self.checked_ids(transition_ids)
        return np.bincount(ids, minlength=len(self.pdf)).astype(np.float64)

    def update(
        self, counts: npt.ArrayLike, *, floor: float = 0.01, min_count: float = 5.0
    ) -> TransitionModel:
        """Re-estimates the probabilities by maximum likelihood, as Kaldi's `MleUpdate`.

        The model itself stays as it is; a new one is returned.

        Args:
            counts: `[num_transition_ids + 1]`, occurrences of each transition-id; index 0 unused.
            floor: smallest probability of an arc.
            min_count: transition-states seen less often keep their probabilities.

        Raises:
            SpeechError: if the counts have another length or are negative or not finite.
        """
        seen = np.array(counts, dtype=np.float64)
        if seen.shape != self.log_prob.shape:
            raise SpeechError(
                f"transition counts: expected shape {self.log_prob.shape}, found {seen.shape}"
            )
        if not np.isfinite(seen).all() or seen.min() < 0:
            raise SpeechError("transition counts: expected finite numbers of at least 0")
        log_prob = self.log_prob.copy()
        for state in range(1, self.num_transition_states + 1):
            arcs = self._arcs(state)
            total = seen[arcs].sum()
            if total >= min_count and total > 0:
                log_prob[arcs] = np.log(_floored(seen[arcs] / total, floor))
        return self._with_log_prob(log_prob)

    def _arcs(self, state: int) -> slice:
        first = int(self._first[state])
        end = len(self.pdf) if state == len(self.tuples) else int(self._first[state + 1])
        return slice(first, end)

    def _with_log_prob(self, log_prob: FloatArray) -> TransitionModel:
        model = copy.copy(self)
        model.log_prob = _frozen(log_prob)
        return model

    def checked_ids(self, transition_ids: npt.ArrayLike) -> IntArray:
        """The ids as int32 `[T]`.

        Raises:
            SpeechError: if an id is none of this model's.
        """
        ids = np.asarray(transition_ids, dtype=np.int32)
        if ids.ndim != 1:
            raise SpeechError(f"alignment: expected shape [T], found {ids.shape}")
        if ids.size and (ids.min() < 1 or ids.max() > self.num_transition_ids):
            frame = int(np.flatnonzero((ids < 1) | (ids > self.num_transition_ids))[0])
            raise SpeechError(
                f"alignment: frame {frame}: expected a transition-id of "
                f"1..{self.num_transition_ids}, found {ids[frame]}"
            )
        return ids

    def phone_starts(self, transition_ids: npt.ArrayLike) -> IntArray:
        """First frames of the phones in an alignment `[T]`: forward transitions of state 0.

        Returns:
            int32 `[N]`, ascending; the first one is 0.

        Raises:
            SpeechError: if the first frame starts no phone, or an id is unknown.
        """
        ids = self.checked_ids(transition_ids)
        starts = np.flatnonzero((self.hmm_state[ids] == 0) & ~self.is_self_loop[ids])
        if ids.size and (not starts.size or starts[0] != 0):
            raise SpeechError("alignment: frame 0: expected the start of a phone, found its middle")
        return starts.astype(np.int32)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the model as JSON; the phone table is a file of its own."""
        value: dict[str, Any] = {
            "num_phones": len(self.phones),
            "topology": self.topology.to_json(),
            "tuples": [list(triple) for triple in self.tuples],
            # The shortest digits that give the same float32.
            "log_probs": [float(str(p)) for p in self.log_prob[1:]],
        }
        write_json(path, _KIND, value)

    @classmethod
    def read(cls, path: str | os.PathLike[str], phones: PhoneTable) -> TransitionModel:
        """Reads a file of `write`.

        Raises:
            SpeechError: naming the file and the field, if anything is missing or does not fit.
        """
        value = read_json(path, _KIND)
        if value.get("num_phones") != len(phones):
            raise SpeechError(
                f"{path}: num_phones: expected {len(phones)} as in the phone table, "
                f"found {value.get('num_phones')!r}"
            )
        try:
            topology = Topology.from_json(value.get("topology"))
            try:
                triples = [(int(p), int(s), int(pdf)) for p, s, pdf in value["tuples"]]
            except (KeyError, TypeError, ValueError):
                raise SpeechError("tuples: expected a list of [phone, state, pdf]") from None
            model = cls(topology, phones, triples)
            try:
                log_prob = np.array(value["log_probs"], dtype=np.float32)
            except (KeyError, TypeError, ValueError):
                raise SpeechError("log_probs: expected a list of numbers") from None
            if log_prob.shape != (model.num_transition_ids,):
                raise SpeechError(
                    f"log_probs: expected {model.num_transition_ids} numbers, "
                    f"found shape {log_prob.shape}"
                )
            sums = np.bincount(model.transition_state[1:], np.exp(log_prob, dtype=np.float64))[1:]
            if not np.all(np.abs(sums - 1) < 1e-3):
                state = 1 + int(np.flatnonzero(~(np.abs(sums - 1) < 1e-3))[0])
                raise SpeechError(
                    f"log_probs: transition-state {state}: expected probabilities that sum to 1, "
                    f"found {sums[state - 1]:.4f}"
                )
        except SpeechError as error:
            raise SpeechError(f"{path}: {error}") from None
        return model._with_log_prob(np.concatenate([np.zeros(1, np.float32), log_prob]))


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array


def _floored(probability: npt.NDArray[np.float64], floor: float) -> npt.NDArray[np.float64]:
    """Raises small probabilities to the floor; the others share what is left in proportion.

    Kaldi floors and renormalises three times, which may leave a sum slightly off one; this is the
    fixed point of that.
    """
    floor = min(floor, 1.0 / len(probability))
    low = np.zeros(len(probability), dtype=np.bool_)
    result = probability
    while True:
        more = low | (result < floor)
        if (more == low).all():
            return result
        low = more
        rest = probability[~low]
        result = np.full(len(probability), floor)
        if rest.size:
            result[~low] = rest / rest.sum() * (1 - floor * low.sum())
