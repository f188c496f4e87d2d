"""Lattices of our decoder as targets of sequence training with state-level minimum Bayes risk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recognizer.am.training.criteria.targets import FrameLabels, StateLattice
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.lattice import Lattice

if TYPE_CHECKING:
    from recognizer.am.training.train import TrainingUtterance

IntArray = npt.NDArray[np.int32]


def state_lattice(
    lattice: Lattice,
    pdfs: IntArray,
    references: IntArray,
    *,
    silence: Collection[int] = (),
    graph_scale: float = 1.0,
) -> StateLattice:
    """The paths of a state-level lattice, and where they agree with an alignment.

    An output is right in a frame where it is the alignment's; outputs of silence are right wherever
    the alignment has silence, as Kaldi's ``one-silence-class``.

    Args:
        lattice: of the search, with complete paths. Its acoustic costs are not used: training
            computes them anew with the network as it is then.
        pdfs: pdf-id of each transition-id (`TransitionModel.pdf`).
        references: pdf-id of each output frame by the alignment ``[T]``.
        silence: pdf-ids of silence.
        graph_scale: factor of the lattice's graph costs.

    Raises:
        SpeechError: a lattice without a complete path, or of another number of frames.
    """
    if not lattice.reached_final:
        raise SpeechError("lattice: expected complete paths, found none that reach a final state")
    if lattice.num_frames != len(references):
        raise SpeechError(
            f"lattice: expected {len(references)} frames as in the alignment, "
            f"found {lattice.num_frames}"
        )
    labels = np.where(lattice.tids > 0, pdfs[lattice.tids], -1).astype(np.int32)
    frames = np.minimum(lattice.state_frames[lattice.sources], len(references) - 1)
    aligned = references[frames]
    quiet = np.fromiter(silence, dtype=np.int32, count=len(silence))
    right = (labels == aligned) | (np.isin(labels, quiet) & np.isin(aligned, quiet))
    return StateLattice(
        lattice.sources,
        lattice.targets,
        labels,
        (-graph_scale * lattice.graph_costs).astype(np.float32),
        (right & (labels >= 0)).astype(np.float32),
        lattice.state_frames,
        (-graph_scale * lattice.final_costs).astype(np.float32),
        references.astype(np.int32),
    )


def lattice_utterances(
    utterances: Iterable[TrainingUtterance],
    decode: Callable[[npt.NDArray[np.float32]], Lattice],
    pdfs: IntArray,
    *,
    silence: Collection[int] = (),
    graph_scale: float = 1.0,
    exclusions: Exclusions | None = None,
) -> Iterator[TrainingUtterance]:
    """Utterances with frame labels as utterances with lattices, each version with its own.

    Args:
        utterances: with the labels of an alignment, as for training by cross-entropy; features and
            labels equally long.
        decode: the lattice of features ``[T, D]``: those of the trained network's scores, searched
            with a weak language model (Kaldi takes a unigram), since paths are to compete.
        pdfs: see `state_lattice`, like the rest.
        silence: pdf-ids of silence.
        graph_scale: factor of graph costs.
        exclusions: counts versions that cannot be decoded instead of raising.

    Raises:
        SpeechError: naming the utterance, where a version has no complete path.
    """
    from recognizer.am.training.train import TrainingUtterance

    for utterance in utterances:
        versions = []
        for number, (source, _) in enumerate(utterance.versions):
            features, labels = utterance.load(number)
            assert isinstance(labels, FrameLabels)
            try:
                lattice = decode(features.astype(np.float32))
                target = state_lattice(
                    lattice, pdfs, labels.labels, silence=silence, graph_scale=graph_scale
                )
            except SpeechError as error:
                exclude(
                    exclusions, "versions without a lattice",
                    f"{utterance.id}: version {number}: {error}",
                )  # fmt: skip
                continue
            versions.append((source, target))
        if versions:
            (source, target), *others = versions
            yield TrainingUtterance(utterance.id, source, target, tuple(others), utterance.shard)
