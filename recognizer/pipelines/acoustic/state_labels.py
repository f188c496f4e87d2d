"""Labels of frames from state-level alignments, without a tree of our own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recognizer.alignment.sources import AlignmentSource
from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.io.json_io import read_json, write_json
from recognizer.pipelines.acoustic.aligned_corpus import LabelledCorpus

IntArray = npt.NDArray[np.int32]

_KIND = "states"
# Alignments in seconds are cut at frames; what is left of a gap below this is rounding.
_GAP = 1e-4


@dataclass(frozen=True)
class StateInventory:
    """The classes that a network tells apart, in the order of its outputs.

    Attributes:
        names: of each class: pdf-ids in decimal for Kaldi's alignments, else the states' labels.
        silence: indices of the classes of silence and noise.
    """

    names: tuple[str, ...]
    silence: frozenset[int]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write as JSON."""
        write_json(path, _KIND, {"names": list(self.names), "silence": sorted(self.silence)})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> StateInventory:
        """Read a file of `write`.

        Raises:
            SpeechError: a missing file or another one.
        """
        value = read_json(path, _KIND)
        names, silence = value.get("names"), value.get("silence")
        if (
            not isinstance(names, list)
            or not isinstance(silence, list)
            or not all(isinstance(name, str) for name in names)
            or not all(isinstance(i, int) and 0 <= i < len(names) for i in silence)
        ):
            raise SpeechError(f"{path}: expected names of states and indices of silence among them")
        return cls(tuple(names), frozenset(silence))


def state_inventory(
    sources: Sequence[AlignmentSource], alignments: Iterable[Alignment]
) -> StateInventory:
    """The classes of state-level alignments.

    Kaldi's are the pdf-ids of the model and tree beside them; all sets need as many. Others' are
    the labels that occur, sorted.

    Args:
        sources: where the alignments are.
        alignments: all of them; read only where the labels tell the classes.

    Raises:
        SpeechError: alignments without states, or sets whose classes are not the same.
    """
    of_kaldi = [source for source in sources if source.kind == "kaldi"]
    if of_kaldi:
        if len(of_kaldi) < len(sources):
            other = next(source for source in sources if source.kind != "kaldi")
            raise SpeechError(f"{other.path}: expected Kaldi's alignments as in the other sets")
        counts = {source.path: source.kaldi_num_pdfs() for source in of_kaldi}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{path}: {count}" for path, count in counts.items())
            raise SpeechError(f"expected sets aligned with one model, found pdfs of {found}")
        silence: set[int] = set()
        for source in of_kaldi:
            names = source.kaldi_phones()
            quiet = [phone for phone, name in names.items() if source.is_silence(name)]
            silence |= source.kaldi_model().pdfs_of(quiet)
        number = next(iter(counts.values()))
        return StateInventory(tuple(map(str, range(number))), frozenset(silence))
    silent_names: dict[str, bool] = {}
    for alignment in alignments:
        for state, phone in _with_phones(alignment):
            silent = phone in (SILENCE, SPOKEN_NOISE)
            silent_names[state] = silent_names.get(state, True) and silent
    if not silent_names:
        paths = ", ".join(str(source.path) for source in sources)
        raise SpeechError(f"{paths}: expected alignments of states, found none")
    ordered = sorted(silent_names)
    silence = {i for i, name in enumerate(ordered) if silent_names[name]}
    return StateInventory(tuple(ordered), frozenset(silence))


def label_frames(alignment: Alignment, numbers: Mapping[str, int], frame_shift: float) -> IntArray:
    """The class of each frame that an alignment covers, int32 `[T]`.

    Args:
        alignment: with states.
        numbers: class by name.
        frame_shift: seconds from one frame to the next.

    Raises:
        SpeechError: no states, time without a state, or an unknown state.
    """
    if not alignment.states:
        raise SpeechError(f"{alignment.utterance}: expected states, found none")
    reached = 0.0
    for segment in alignment.states:
        if segment.start > reached + _GAP:
            raise SpeechError(
                f"{alignment.utterance}: expected a state at {reached:g} s, "
                f"found the next one at {segment.start:g} s"
            )
        if segment.label not in numbers:
            raise SpeechError(
                f"{alignment.utterance}: at {segment.start:g} s: expected one of {len(numbers)} "
                f"states, found {segment.label!r}"
            )
        reached = segment.end
    edges = np.rint([segment.end / frame_shift for segment in alignment.states]).astype(np.int64)
    lengths = np.diff(edges, prepend=0)
    labels = np.array([numbers[segment.label] for segment in alignment.states], np.int32)
    return np.repeat(labels, lengths)


def label_corpus(
    name: str,
    utterances: Sequence[Utterance],
    alignments: Iterable[Alignment],
    inventory: StateInventory,
    frame_shift: float,
    exclusions: Exclusions | None = None,
) -> LabelledCorpus:
    """A training set with the labels of its alignments; utterances without one are left out.

    Args:
        name: of its feature files.
        utterances: the corpus.
        alignments: of some or all of them.
        inventory: the classes.
        frame_shift: seconds from one frame to the next.
        exclusions: counts alignments that give no labels instead of raising.

    Raises:
        SpeechError: see `label_frames`.
    """
    numbers = {state: i for i, state in enumerate(inventory.names)}
    labels: dict[str, IntArray] = {}
    for alignment in alignments:
        try:
            labels[alignment.utterance] = label_frames(alignment, numbers, frame_shift)
        except SpeechError as error:
            exclude(exclusions, "states that give no labels", f"{name}: {error}")
    kept = tuple(utterance for utterance in utterances if utterance.id in labels)
    return LabelledCorpus(name, kept, labels)


def _with_phones(alignment: Alignment) -> Iterable[tuple[str, str]]:
    """The label of each state with the phone in which it lies, empty where there is none."""
    phones = iter(alignment.phones)
    phone = next(phones, None)
    for state in alignment.states:
        middle = (state.start + state.end) / 2
        while phone is not None and phone.end <= middle:
            phone = next(phones, None)
        inside = phone is not None and phone.start <= middle
        yield state.label, phone.label if phone is not None and inside else ""
