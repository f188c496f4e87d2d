"""A model's network trained on with state-level minimum Bayes risk, over the model's own lattices.

As Kaldi's ``steps/nnet2/make_denlats.sh`` and ``train_discriminative``: the training sets are
decoded with the network and a unigram language model, so that many words compete, and the network
learns to expect few wrong frames among the paths of these lattices.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recognizer.am.training.criteria.smbr_options import SmbrOptions
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.io.console import console, progress_bar
from recognizer.data.io.options import to_table
from recognizer.data.parallel.threads import thread_map
from recognizer.decoding.lattice.lattice import Lattice
from recognizer.decoding.search.on_the_fly import OnTheFlyDecoder
from recognizer.decoding.search.search import SearchOptions
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.automaton.ngrams import ngram_model
from recognizer.lm.ngram.model import NgramModel
from recognizer.model.bundle import ModelBundle
from recognizer.model.config import FirstPassOptions
from recognizer.model.first_pass_graph import graph_of_bundle
from recognizer.pipelines.acoustic.aligned_corpus import LabelledCorpus
from recognizer.pipelines.acoustic.network_stages import NETWORK_FILE, feature_tables, tell_result
from recognizer.pipelines.acoustic.network_training import labelled_utterances, train_network
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.acoustic.training_modes import require_torch
from recognizer.pipelines.sequence.lattice_targets import lattice_utterances

if TYPE_CHECKING:
    from recognizer.am.training.train import TrainingUtterance

_DENSE = SearchOptions(beam=13.0, lattice_beam=6.0, max_active=3000)


@dataclass(frozen=True)
class SmbrTraining:
    """State-level minimum Bayes risk: its lattices and its criterion.

    Attributes:
        search: beams of the search that makes the lattices. Its acoustic scale is the criterion's.
        graph_scale: factor of the lattices' graph costs.
        criterion: scale and smoothing.
    """

    search: SearchOptions = field(default=_DENSE)
    graph_scale: float = 1.0
    criterion: SmbrOptions = SmbrOptions()


def unigram_decoder(model: ModelBundle, options: SearchOptions) -> OnTheFlyDecoder:
    """A search of the model's words with the first pass's unigram probabilities alone."""
    first_pass = model.config.first_pass
    if first_pass.search == "static":
        graph = graph_of_bundle(model, FirstPassOptions("on-the-fly", first_pass.backoff))
    else:
        graph = model.graph
    known = ngram_model(model.first_pass_lm)
    unigrams = replace(
        known.levels[0], log10_backoffs=np.zeros_like(known.levels[0].log10_backoffs)
    )
    automaton = NgramAutomaton.from_model(NgramModel(known.vocabulary, (unigrams,)))
    return OnTheFlyDecoder(graph, None, automaton, options)


def train_smbr(
    model: ModelBundle,
    corpora: Sequence[LabelledCorpus],
    smbr: SmbrTraining,
    options: AcousticOptions,
    work: Path,
    directory: Path,
    initial: Path,
    *,
    jobs: int = 1,
) -> None:
    """Train a model's network on and write it to `NETWORK_FILE`; its priors stay.

    Args:
        model: whose network it is, and which makes the lattices.
        corpora: training sets, whose features lie in ``work`` / "features" if they are kept.
        smbr: lattices and criterion.
        options: of the training.
        work: parent of the stages' directories.
        directory: of this training.
        initial: file of the network that it starts from, outputs and all.
        jobs: threads that make lattices.

    Raises:
        SpeechError: the training was interrupted, or its data cannot be used.
        DivergedError: its loss is not finite any more.
    """
    require_torch()
    from recognizer.am.training.criteria.smbr import Smbr

    scale = smbr.criterion.acoustic_scale
    decoder = unigram_decoder(model, replace(smbr.search, acoustic_scale=scale))
    acoustic = model.acoustic_model

    def decode(features: npt.NDArray[np.float32]) -> Lattice:
        return decoder.decode(acoustic.scores(features))

    given = list(labelled_utterances(corpora, feature_tables(corpora, options, work)))
    utterances, excluded = _with_lattices(given, decode, model, smbr, jobs)
    for line in excluded.lines():
        console.print(line, markup=False, highlight=False)
    result = train_network(
        utterances,
        acoustic.num_outputs,
        options,
        directory,
        criterion=Smbr(model.network.log_priors, smbr.criterion),
        initial=initial,
        metadata={"corpora": [corpus.name for corpus in corpora], "smbr": to_table(smbr)},
    )
    assert result.best is not None  # as it is finished
    tell_result(result, f"held-out expected frame accuracy {result.best['accuracy']:.2%}")
    shutil.copyfile(result.best_path, directory / NETWORK_FILE)


def _with_lattices(
    given: Sequence[TrainingUtterance],
    decode: Callable[[npt.NDArray[np.float32]], Lattice],
    model: ModelBundle,
    smbr: SmbrTraining,
    jobs: int,
) -> tuple[list[TrainingUtterance], Exclusions]:
    def one(utterance: TrainingUtterance) -> tuple[list[TrainingUtterance], Exclusions]:
        excluded = Exclusions()
        utterances = list(
            lattice_utterances(
                [utterance],
                decode,
                model.transitions.pdf,
                silence=model.transitions.silence_pdfs,
                graph_scale=smbr.graph_scale,
                exclusions=excluded,
            )
        )
        return utterances, excluded

    made: list[TrainingUtterance] = []
    excluded = Exclusions()
    with progress_bar("lattices", len(given)) as advance:
        for utterances, further in thread_map(one, given, jobs):
            made += utterances
            excluded.update(further)
            advance()
    return made, excluded
