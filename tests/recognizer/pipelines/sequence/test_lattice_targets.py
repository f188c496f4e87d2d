"""Lattices of the search as targets: expected accuracies by enumeration of the graph's paths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recognizer.am.torch.network_module import NetworkOutputs
from recognizer.am.training.criteria.criterion import ChunkTargets
from recognizer.am.training.criteria.smbr import Smbr
from recognizer.am.training.criteria.smbr_options import SmbrOptions
from recognizer.am.training.criteria.targets import FrameLabels, StateLattice
from recognizer.am.training.train import TrainingUtterance
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.errors import SpeechError
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.pipelines.sequence.lattice_targets import lattice_utterances, state_lattice
from search_toys import Arcs, graph_paths, random_arcs

PDFS = np.array([0, 0, 1, 2, 1, 3, 2], dtype=np.int32)  # of transition-ids 1 to 6
SILENCE = (2, 3)
SCALE = 0.5


def random_case(seed: int) -> tuple[Arcs, np.ndarray, np.ndarray]:
    """A graph with complete paths of four frames, scores, and an alignment."""
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        arcs = random_arcs(rng, states=4, arcs=12, tids=6)
        scores = rng.normal(size=(4, 4)).astype(np.float32)
        if any(graph_paths(arcs, PDFS, scores)):
            return arcs, scores, rng.integers(0, 4, 4).astype(np.int32)
    raise AssertionError("no graph has a path")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("graph_scale", [1.0, 0.7])
def test_accuracy_is_expected_over_all_paths_of_the_graph(seed: int, graph_scale: float) -> None:
    arcs, scores, alignment = random_case(seed)
    options = SearchOptions(
        beam=1e6, lattice_beam=1e6, max_active=1000, min_active=0, acoustic_scale=SCALE
    )
    lattice = Decoder(arcs.graph(), PDFS, options).decode(scores)
    target = state_lattice(lattice, PDFS, alignment, silence=SILENCE, graph_scale=graph_scale)
    assert target.fault(4) == ""
    log_posteriors = torch.from_numpy(scores).double().log_softmax(1)
    weights, rights = [], []
    for path in graph_paths(arcs, PDFS, log_posteriors.numpy()):
        weights.append(-graph_scale * path.graph - SCALE * path.acoustic)
        said = PDFS[list(path.tids)]
        quiet = np.isin(said, SILENCE) & np.isin(alignment, SILENCE)
        rights.append(np.sum((said == alignment) | quiet))
    shares = np.exp(np.array(weights) - np.logaddexp.reduce(weights))
    logits = torch.from_numpy(scores).double().unsqueeze(1)
    outputs = NetworkOutputs(
        logits, torch.eye(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64),
        torch.float64,
    )  # fmt: skip
    whole = np.ones(1, dtype=bool)
    targets = ChunkTargets([target], np.ones((4, 1), dtype=bool), whole, whole)
    result = Smbr(np.zeros(4), SmbrOptions(SCALE, 0.0))(outputs, targets, [])
    assert result.counts[0] == pytest.approx(float(shares @ rights), rel=1e-5)


def test_lattices_that_do_not_fit_are_refused() -> None:
    arcs, scores, alignment = random_case(0)
    lattice = Decoder(arcs.graph(), PDFS, SearchOptions(acoustic_scale=SCALE)).decode(scores)
    with pytest.raises(SpeechError, match="expected 3 frames as in the alignment, found 4"):
        state_lattice(lattice, PDFS, alignment[:3])
    with pytest.raises(SpeechError, match="complete paths"):
        state_lattice(replace(lattice, reached_final=False), PDFS, alignment)


def test_utterances_get_the_lattices_of_their_versions() -> None:
    """Features are the scores themselves here; a version too short for the graph is left out."""
    arcs = Arcs(
        ((0, 1, 1, 1, 0.5), (0, 1, 3, 2, 0.0), (1, 2, 2, 0, 0.0), (2, 2, 4, 0, 0.25)),
        (np.inf, np.inf, 0.0),
    )
    decoder = Decoder(arcs.graph(), PDFS, SearchOptions(acoustic_scale=SCALE, lattice_beam=50.0))
    rng = np.random.default_rng(0)

    def version(frames: int) -> tuple[np.ndarray, FrameLabels]:
        labels = rng.integers(0, 4, frames).astype(np.int32)
        return rng.normal(size=(frames, 4)).astype(np.float32), FrameLabels(labels)

    given = [
        TrainingUtterance("a", *version(5), (version(4), version(1)), shard=3),
        TrainingUtterance("b", *version(1)),
    ]
    exclusions = Exclusions()
    made = list(lattice_utterances(given, decoder.decode, PDFS, exclusions=exclusions))
    assert [(one.id, one.shard, len(one.versions)) for one in made] == [("a", 3, 2)]
    for number, (features, target) in enumerate(made[0].versions):
        source, labels = given[0].versions[number]
        assert features is source
        assert isinstance(target, StateLattice) and isinstance(labels, FrameLabels)
        assert target.fault(4) == ""
        np.testing.assert_array_equal(target.references, labels.labels)
        assert set(target.labels.tolist()) == {0, 1, 2}
    assert exclusions.total == 2
    with pytest.raises(SpeechError, match="b: version 0"):
        list(lattice_utterances(given[1:], decoder.decode, PDFS))
