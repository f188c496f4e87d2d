"""From aligned corpora to an acoustic model: tree, transition probabilities, network, priors."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recognizer.alignment.gmm_features import gmm_features, speaker_groups
from recognizer.am.features.fbank import FbankOptions, MfccOptions
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.nnet.adaptation import with_new_outputs
from recognizer.am.nnet.native import NativeNetwork, Precision
from recognizer.am.nnet.network_file import Network, Storage, read_network, write_network
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.nnet.priors import (
    SILENCE_WEIGHT,
    PriorSource,
    count_labels,
    state_priors,
    sum_posteriors,
)
from recognizer.am.training.engine.options import TrainingOptions
from recognizer.am.tree.contexts import FrameContexts, frame_contexts, frame_pdfs
from recognizer.am.tree.decision_tree import Tree
from recognizer.am.tree.growing import TreeOptions, build_tree
from recognizer.am.tree.segment_contexts import segment_contexts, transition_counts
from recognizer.am.tree.statistics import TreeStats
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import to_table
from recognizer.model.files import ACOUSTIC, model_path
from recognizer.pipelines.feature_cache import FeatureTable

if TYPE_CHECKING:
    from recognizer.am.training.train import TrainingResult, TrainingUtterance

IntArray = npt.NDArray[np.int32]

PRIOR_FRAMES = 1_000_000


@dataclass(frozen=True)
class AcousticOptions:
    """Everything that determines an acoustic model, given aligned corpora.

    Attributes:
        tree: how the decision tree is grown.
        features: the network's input.
        speeds: versions of each recording of which every epoch draws one; must contain 1.0.
        cache_features: keep the features in files; otherwise they are computed each time that an
            utterance is drawn.
        network: its shape; its outputs are the tree's leaves, its inputs the mel bins.
        training: how it is trained.
        initial: network whose hidden layers training starts from, below a new output layer: a
            network's file or a model directory (from the working directory), or "english", the
            model of this package.
        priors: what the states' priors are relative frequencies of: "labels" of training frames, or
            "posteriors" that the trained network gives them on average.
        silence_weight: divisor of the counts of silence states in the priors.
        precision: of the network's weights in recognition, "float32" or "int8"; by default float32,
            or that of the model whose network is trained anew.
        storage: of the weight matrices in the model's file, "float32" or "float16", half as large.
        realign: how often the trained network aligns its training sets anew and is trained on from
            there with these labels.
        realign_training: how it is trained then; by default as the first time.
    """

    tree: TreeOptions = TreeOptions()
    features: FbankOptions = FbankOptions()
    speeds: tuple[float, ...] = (1.0,)
    cache_features: bool = True
    network: NetworkShape = NetworkShape()
    training: TrainingOptions = TrainingOptions()
    initial: str | None = None
    priors: PriorSource = "labels"
    silence_weight: float = SILENCE_WEIGHT
    precision: Precision | None = None
    storage: Storage = "float32"
    realign: int = 0
    realign_training: TrainingOptions | None = None

    def __post_init__(self) -> None:
        if self.realign < 0:
            raise UsageError(f"realign: expected a number of passes >= 0, found {self.realign}")
        if 1.0 not in self.speeds or len(set(self.speeds)) != len(self.speeds):
            raise UsageError(
                f"expected distinct speeds with 1.0 among them, found {list(self.speeds)}"
            )


@dataclass(frozen=True)
class AlignedCorpus:
    """A training set with the state of every frame.

    Attributes:
        name: of its feature files.
        utterances: those that could be aligned.
        contexts: the states of each utterance's frames, by its id.
    """

    name: str
    utterances: tuple[Utterance, ...]
    contexts: Mapping[str, FrameContexts]

    @classmethod
    def from_paths(
        cls,
        name: str,
        utterances: Sequence[Utterance],
        paths: Mapping[str, IntArray],
        transitions: TransitionModel,
    ) -> AlignedCorpus:
        """From transition-ids of an aligner; utterances without a path are left out."""
        kept = tuple(utterance for utterance in utterances if utterance.id in paths)
        contexts = {u.id: frame_contexts(paths[u.id], transitions) for u in kept}
        return cls(name, kept, contexts)

    @classmethod
    def from_alignments(
        cls,
        name: str,
        utterances: Sequence[Utterance],
        alignments: Iterable[Alignment],
        phones: PhoneTable,
        topology: Topology,
        options: FbankOptions,
        exclusions: Exclusions | None = None,
    ) -> AlignedCorpus:
        """From segments in seconds; utterances without an alignment are left out.

        Args:
            name: of its feature files.
            utterances: the corpus.
            alignments: of some or all of them.
            phones: the phone table.
            topology: number of states of each phone.
            options: of the features, which give the number of frames.
            exclusions: counts alignments without speech instead of raising.

        Raises:
            SpeechError: an alignment with phones that the table lacks, or with none of speech.
        """
        of_id = {utterance.id: utterance for utterance in utterances}
        contexts = {}
        for alignment in alignments:
            if alignment.utterance not in of_id:
                continue
            frames = options.num_frames(len(of_id[alignment.utterance].samples()))
            try:
                contexts[alignment.utterance] = segment_contexts(
                    alignment, phones, topology, frames, options.frame_shift
                )
            except SpeechError as error:
                exclude(exclusions, "phones that give no labels", f"{name}: {error}")
        kept = tuple(utterance for utterance in utterances if utterance.id in contexts)
        return cls(name, kept, contexts)

    def labelled(self, tree: Tree) -> LabelledCorpus:
        """The set with the labels that a tree gives to its frames."""
        labels = {u.id: frame_pdfs(self.contexts[u.id], tree) for u in self.utterances}
        return LabelledCorpus(self.name, self.utterances, labels)


@dataclass(frozen=True)
class LabelledCorpus:
    """A training set with a label for every frame.

    Attributes:
        name: of its feature files.
        utterances: those that have labels.
        labels: int32 `[T]` by utterance id.
    """

    name: str
    utterances: tuple[Utterance, ...]
    labels: Mapping[str, IntArray]


def grow_tree(
    corpora: Sequence[AlignedCorpus],
    phones: PhoneTable,
    topology: Topology,
    options: TreeOptions,
    *,
    jobs: int | None = None,
) -> tuple[Tree, TransitionModel]:
    """Grow the decision tree on MFCCs with differences, and estimate transition probabilities.

    Features are computed for some speakers at a time and forgotten.

    Raises:
        SpeechError: no aligned utterance.
    """
    mfcc = MfccOptions()
    stats = TreeStats(len(phones), 3 * mfcc.num_ceps)
    for corpus in corpora:
        for utterances in speaker_groups(corpus.utterances):
            features = gmm_features(utterances, mfcc, jobs)
            for utterance in utterances:
                contexts = corpus.contexts[utterance.id]
                frames = min(len(contexts.phone), len(features[utterance.id]))
                stats.add(features[utterance.id][:frames], _cut(contexts, frames))
    tree = build_tree(stats, phones, topology, options)
    transitions = TransitionModel(topology, phones, tree.tuples())
    counts = np.zeros(transitions.num_transition_ids + 1)
    for corpus in corpora:
        for contexts in corpus.contexts.values():
            counts += transition_counts(contexts, frame_pdfs(contexts, tree), transitions)
    return tree, transitions.update(counts)


def training_utterances(
    corpora: Sequence[LabelledCorpus],
    features: Mapping[str, Mapping[float, FeatureTable]],
) -> Iterator[TrainingUtterance]:
    """Features and labels of every utterance at every speed.

    Speed perturbation scales time exactly, so frame t of a version at speed s has the label of
    frame t * s of the recording itself.

    Args:
        corpora: training sets.
        features: by corpus name and speed, with speed 1.0.

    Raises:
        SpeechError: an utterance has no features.
    """
    from recognizer.am.training.criteria.targets import FrameLabels
    from recognizer.am.training.engine.data import TrainingUtterance

    shards = 0  # of the corpora before
    for corpus in corpora:
        tables = features[corpus.name]
        loaded = {speed: table.load() for speed, table in tables.items()}
        for utterance in corpus.utterances:
            labels = corpus.labels[utterance.id]
            versions = {}
            for speed, rows_of in loaded.items():
                if utterance.id not in rows_of:
                    raise SpeechError(
                        f"{tables[speed]}: expected utterance {utterance.id}, found none"
                    )
                rows = rows_of[utterance.id]
                if speed == 1.0:
                    versions[speed] = (rows, FrameLabels(labels))
                else:
                    sources = (np.arange(len(rows)) * speed).astype(np.int64)
                    warped = labels[np.minimum(sources, len(labels) - 1)]
                    versions[speed] = (rows, FrameLabels(warped))
            rows, target = versions.pop(1.0)
            # Ids need be unique only within a corpus; held-out membership goes by this name.
            yield TrainingUtterance(
                f"{corpus.name}/{utterance.id}",
                rows,
                target,
                tuple(versions.values()),
                shards + rows.shard,
            )
        shards += 1 + max((rows.shard for rows in loaded[1.0].values()), default=0)


def require_torch() -> None:
    """Raises a `SpeechError` that says what to install where torch is missing."""
    if importlib.util.find_spec("torch") is None:
        raise SpeechError("training needs torch: pip install 'recognizer[train]'")


def check_mode(options: TrainingOptions) -> None:
    """Raises before any work where a mode of training or its device is not to be had."""
    require_torch()
    if options.mode == "ray" and importlib.util.find_spec("ray") is None:
        raise SpeechError("mode \"ray\" needs Ray: pip install 'recognizer[cluster]'")
    if options.device != "cpu":
        from recognizer.am.training.engine.runtime import training_device

        training_device(options)
    if options.mode == "ddp":
        from torch import distributed

        if not distributed.is_initialized():
            raise UsageError(
                'mode "ddp": expected to be started by torchrun, as recognizer train --help shows'
            )


@contextmanager
def training_group(options: TrainingOptions) -> Iterator[bool]:
    """While a network is trained in several synchronous processes; whether this one leads.

    In mode "ddp" all but one of them train along before this block and have nothing to do in it.
    In other modes there is one process.
    """
    if options.mode != "ddp":
        yield True
        return
    require_torch()
    from recognizer.am.training.parallel.ddp import follow, process_group

    with process_group(options) as leads:
        if not leads:
            follow()
        yield leads


def train_network(
    corpora: Sequence[LabelledCorpus],
    outputs: int,
    silence: Collection[int],
    features: Mapping[str, Mapping[float, FeatureTable]],
    options: AcousticOptions,
    directory: Path,
    *,
    initial: Path | None = None,
) -> TrainingResult:
    """Train the network on frame labels; needs torch.

    Checkpoints and curves are kept in ``directory``, where an interrupted training goes on.

    Args:
        corpora: training sets.
        outputs: number of labels.
        silence: the labels of silence and noise, for the priors.
        features: by corpus name and speed, with speed 1.0.
        options: shape and training.
        directory: of the results.
        initial: file of the network that it starts from, outputs and all; then ``options`` may have
            another way of training, `realign_training`.

    Raises:
        SpeechError: no torch, or unusable data.
        KeyboardInterrupt: the training was interrupted; called again, it goes on from there.
        DivergedError: its loss is not finite any more.
    """
    require_torch()
    from recognizer.am.training.train import train

    network = NetworkOptions.of(options.network, outputs, options.features.num_bins)
    training = options.training
    if initial is not None:
        training = options.realign_training or training
    elif options.initial is not None:
        initial = directory / "initial.safetensors"
        write_network(_initial_network(options, network), initial)
    result = train(
        list(training_utterances(corpora, features)),
        network,
        training,
        directory,
        silence_pdfs=silence,
        silence_weight=options.silence_weight,
        initial=initial,
        metadata={
            "features": to_table(options.features),
            "speeds": list(options.speeds),
            "corpora": [corpus.name for corpus in corpora],
            "priors": {"source": "labels", "silence_weight": options.silence_weight},
        },
    )
    if result.signal is not None:
        # Held back until the checkpoint was written; now it ends the process as it always does.
        signal.raise_signal(result.signal)
    if not result.finished or result.best is None:
        raise SpeechError("training was interrupted; the same command goes on from here")
    return result


def check_network(options: AcousticOptions) -> None:
    """Raises a `SpeechError` if the network cannot be trained: no torch, no such start or shape."""
    check_mode(options.training)
    options.network.check_trainable()
    if options.initial is not None:
        _initial_network(options, NetworkOptions.of(options.network, 1, options.features.num_bins))


def _initial_network(options: AcousticOptions, network: NetworkOptions) -> Network:
    """The hidden layers that training starts from, below new outputs."""
    assert options.initial is not None
    path = model_path(options.initial)
    if path.is_dir():
        path /= ACOUSTIC
    training = options.training
    return with_new_outputs(
        read_network(path),
        network,
        initial_range=training.initial_range,
        seed=training.seed,
        at=str(path),
    )


def with_posterior_priors(
    network: Network,
    utterances: Iterable[TrainingUtterance],
    silence: Collection[int],
    silence_weight: float,
) -> Network:
    """The network with priors that are its own posteriors' averages over training utterances.

    States without a label, or with next to no posterior, keep the priors that they have. About
    `PRIOR_FRAMES` frames, spread over the utterances, are enough.
    """
    from recognizer.am.training.criteria.targets import FrameLabels

    known = list(utterances)
    targets = [one.target for one in known if isinstance(one.target, FrameLabels)]
    labels = count_labels((target.labels for target in targets), network.options.outputs)
    step = max(1, int(labels.sum()) // PRIOR_FRAMES)
    sums = sum_posteriors(NativeNetwork(network), (u.load()[0] for u in known[::step]))
    log_priors = state_priors(
        np.where(labels > 0, sums, 0.0), silence, silence_weight, network.log_priors
    )
    record = {
        "source": "posteriors", "silence_weight": silence_weight, "frames": round(sums.sum())
    }  # fmt: skip
    return Network(
        network.options,
        {**network.tensors, "log_priors": log_priors},
        {**network.metadata, "priors": record},
    )


def _cut(contexts: FrameContexts, frames: int) -> FrameContexts:
    return FrameContexts(
        contexts.left[:frames],
        contexts.phone[:frames],
        contexts.right[:frames],
        contexts.hmm_state[:frames],
    )
