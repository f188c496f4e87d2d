"""The stages from aligned corpora to a network trained with lattice-free MMI.

Povey et al. 2016, "Purely sequence-trained neural networks for ASR based on lattice-free MMI";
the stages are those of Kaldi's chain recipes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recognizer.am.tree.contexts import FrameContexts
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.data.io.options import to_table
from recognizer.lm.estimation.acceptor import NgramAcceptor, estimate_acceptor
from recognizer.pipelines.acoustic.aligned_corpus import AcousticInputs, AlignedCorpus
from recognizer.pipelines.acoustic.network_stages import (
    NETWORK_FILE,
    feature_tables,
    features_stage,
    network_stage,
    tell_result,
)
from recognizer.pipelines.acoustic.network_training import (
    FeaturesOf,
    train_network,
    training_utterances,
)
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.acoustic.training_modes import require_torch
from recognizer.pipelines.acoustic.tree_growing import grow_chain_tree, read_tree, write_tree
from recognizer.pipelines.acoustic.versions import Version
from recognizer.pipelines.sequence.denominator import ChainPdfs, denominator_graph
from recognizer.pipelines.sequence.numerator import NumeratorGraphs, PhoneSegments
from recognizer.stages import Stage

if TYPE_CHECKING:
    from recognizer.am.training.criteria.denominator_graph import DenominatorGraph
    from recognizer.am.training.criteria.targets import SupervisionGraph
    from recognizer.am.training.train import TrainingUtterance

PHONE_MODEL = "phones.acceptor"
DENOMINATOR = "denominator.graph"


def sequence_stages(
    options: AcousticOptions,
    load: Callable[[], AcousticInputs],
    work: Path,
    *,
    inputs: Any,
    after: tuple[str, ...],
    check: Callable[[], None],
    jobs: int,
    root: Path,
) -> list[Stage]:
    """Stages ``tree``, ``denominator``, ``features`` and ``network``.

    Arguments and results are those of `recognizer.pipelines.acoustic.stages.acoustic_stages`.
    """
    load = cache(load)
    lf_mmi = options.lf_mmi
    assert lf_mmi is not None
    n = options.network.subsampling

    def tree(directory: Path) -> None:
        given = load()
        made, transitions = grow_chain_tree(given.corpora, given.phones, options.tree, n, jobs=jobs)
        write_tree(directory, made, transitions)

    def denominator(directory: Path) -> None:
        model = estimate_acceptor(phone_sequences(load().corpora), lf_mmi.phone_model)
        graph = denominator_graph(model, ChainPdfs(*read_tree(work / "tree")))
        model.write(directory / PHONE_MODEL)
        graph.write(directory / DENOMINATOR)
        console.print(
            f"phone language model: {model.num_states} states, {model.num_arcs} arcs; "
            f"denominator: {graph.num_states} states, {graph.num_arcs} arcs"
        )

    table = to_table(options)
    return [
        Stage(
            "tree",
            {"tree": table["tree"], "inputs": inputs, "chain": n},
            after,
            tree,
            "growing the phonetic decision tree",
            check,
        ),
        Stage(
            "denominator",
            {"phone_model": table["lf_mmi"]["phone_model"]},
            ("tree",),
            denominator,
            "estimating the phone language model",
        ),
        features_stage(options, lambda: load().corpora, inputs, after, check, jobs, root),
        network_stage(
            "network",
            options,
            ("tree", "denominator", "features"),
            partial(_train, load, options, work),
        ),
    ]


def phone_sequences(corpora: Sequence[AlignedCorpus]) -> Iterator[list[int]]:
    """The phones of each utterance, in order; the input of the phone language model."""
    for corpus in corpora:
        for utterance in corpus.utterances:
            yield PhoneSegments.of(corpus.contexts[utterance.id]).phones.tolist()


def _train(
    load: Callable[[], AcousticInputs], options: AcousticOptions, work: Path, directory: Path
) -> None:
    require_torch()
    from recognizer.am.training.criteria.denominator_graph import DenominatorGraph

    train_sequences(
        load().corpora,
        ChainPdfs(*read_tree(work / "tree")),
        NgramAcceptor.read(work / "denominator" / PHONE_MODEL),
        DenominatorGraph.read(work / "denominator" / DENOMINATOR),
        options,
        work,
        directory,
    )


def train_sequences(
    corpora: Sequence[AlignedCorpus],
    pdfs: ChainPdfs,
    phone_model: NgramAcceptor,
    denominator: DenominatorGraph,
    options: AcousticOptions,
    work: Path,
    directory: Path,
    initial: Path | None = None,
) -> None:
    """Train a network with lattice-free MMI and write it to `NETWORK_FILE`.

    Args:
        corpora: training sets, whose features lie in ``work`` / "features" if they are kept.
        pdfs: outputs of the network.
        phone_model: what the denominator was made from.
        denominator: the competing paths.
        options: shape and training; `AcousticOptions.lf_mmi` is set.
        work: parent of the stages' directories.
        directory: of this training.
        initial: file of the network that it starts from, outputs and all.

    Raises:
        SpeechError: the training was interrupted, or its data cannot be used.
        DivergedError: its loss is not finite any more.
    """
    require_torch()
    from recognizer.am.nnet.options import NetworkOptions
    from recognizer.am.training.criteria.lfmmi import LfMmi

    lf_mmi = options.lf_mmi
    assert lf_mmi is not None
    network = NetworkOptions.of(options.network, pdfs.outputs, options.features.num_bins)
    graphs = NumeratorGraphs(phone_model, pdfs, options.network.subsampling, lf_mmi.numerator)
    result = train_network(
        _utterances(corpora, feature_tables(corpora, options, work), graphs),
        pdfs.outputs,
        options,
        directory,
        criterion=LfMmi(denominator, network.hidden_width, lf_mmi.criterion),
        initial=initial,
        metadata={
            "corpora": [corpus.name for corpus in corpora],
            "lf_mmi": to_table(lf_mmi),
        },
    )
    assert result.best is not None  # as it is finished
    tell_result(result, f"held-out objective {result.best['mmi']:.4f} per output")
    # The average over the last steps is better than any measured on few held-out utterances, unless
    # training went on until these got worse.
    best = result.best_path if options.training.patience else result.last_path
    shutil.copyfile(best, directory / NETWORK_FILE)


def _utterances(
    corpora: Sequence[AlignedCorpus], features: FeaturesOf, graphs: NumeratorGraphs
) -> Iterator[TrainingUtterance]:
    contexts: dict[str, dict[str, FrameContexts]] = {
        corpus.name: dict(corpus.contexts) for corpus in corpora
    }
    failed: list[str] = []
    made = 0

    def target(
        corpus: str, utterance: str, version: Version, frames: int
    ) -> SupervisionGraph | None:
        nonlocal made
        segments = PhoneSegments.of(contexts[corpus][utterance])
        try:
            graph = graphs.graph(segments.version(frames, speed=version.speed))
            made += 1
            return graph
        except SpeechError as error:
            failed.append(f"{corpus}/{utterance} (version {version}): {error}")
            return None

    yield from training_utterances(corpora, features, target)
    for line in failed:
        console.print(f"dropped {line}", markup=False)
    console.print(f"numerator graphs: {made} versions of utterances, {len(failed)} dropped")
