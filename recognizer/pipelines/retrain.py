"""A model's network trained anew on labels that the model itself finds; all else of it stays.

Tree, lexicon, graph and language models are those of an existing model, so that neither text nor
a flat start is needed: to go on training with better alignments, to adapt a model to other speech,
or to try another network in its place (`recognizer.experiments.options`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from recognizer.am.nnet.adaptation import mixed_networks, with_more_layers
from recognizer.am.nnet.network_file import Network, read_network, write_network
from recognizer.am.nnet.options import NetworkShape
from recognizer.am.training.engine.options import TrainingOptions
from recognizer.data.corpora.corpus import Corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import from_table, to_table
from recognizer.decoding.search.search import SearchOptions
from recognizer.evaluation.tune import Grid
from recognizer.lm.estimation.acceptor_extension import extended_acceptor
from recognizer.model import config as model_config
from recognizer.model import files
from recognizer.model.bundle import ModelBundle, copy_around_network
from recognizer.model.files import DEFAULT_MODEL, model_path
from recognizer.pipelines.acoustic.network_stages import (
    NETWORK_FILE,
    network_stage,
    train_on_labels,
)
from recognizer.pipelines.acoustic.options import AcousticOptions, LfMmiTraining
from recognizer.pipelines.acoustic.sequence_stages import phone_sequences, train_sequences
from recognizer.pipelines.development import (
    development_sets,
    measure_model,
    training_record,
    tune_model,
)
from recognizer.pipelines.model_labels import (
    ModelLabels,
    check_apart,
    check_fixed,
    check_own_labels,
    check_sets,
    used_options,
)
from recognizer.pipelines.recipe import TrainingSet, UntranscribedSet
from recognizer.pipelines.retrain_comparison import (
    GENERAL,
    OWN,
    ComparisonOptions,
    MeasuredSet,
    compare_models,
    tell,
)
from recognizer.pipelines.semi_supervised import selected_sets, semi_supervised_stages
from recognizer.pipelines.sequence.denominator import ChainPdfs, denominator_graph
from recognizer.pipelines.smbr_training import SmbrTraining, train_smbr
from recognizer.stages import Stage

DEFAULT_SHARE = 0.3
"""Of the trained weights: own speech gained, and general speech lost nothing (docs/results)."""


@dataclass(frozen=True)
class RetrainSet(TrainingSet):
    """A corpus to train a model's network on.

    Attributes:
        utterances: train on so many of its utterances, spread evenly over it, as where some general
            speech is mixed in; 0: on all.
        held_out: share of its utterances, chosen by a hash of their ids, that is not trained on.
            The model is measured on them before and after, as own speech.
    """

    utterances: int = 0
    held_out: float = 0.0

    def __post_init__(self) -> None:
        if self.utterances < 0:
            raise UsageError(f"utterances: expected a number >= 0, found {self.utterances}")
        if not 0 <= self.held_out < 1:
            raise UsageError(f"held_out: expected a number in [0, 1), found {self.held_out}")

    @property
    def inputs(self) -> Any:
        """See `TrainingSet.inputs`."""
        further = {"utterances": self.utterances, "held_out": self.held_out}
        chosen = {name: value for name, value in further.items() if value}
        return [self.data, chosen] if chosen else self.data

    def read(self, corpora: Path) -> Corpus:
        """See `TrainingSet.read`."""
        return self._part(corpora, held_out=False)

    def read_held_out(self, corpora: Path) -> Corpus:
        """The utterances that are not trained on.

        Raises:
            SpeechError: the set is missing or damaged.
        """
        return self._part(corpora, held_out=True)

    def _part(self, corpora: Path, *, held_out: bool) -> Corpus:
        corpus = super().read(corpora)
        corpus = corpus.spread(self.utterances) if self.utterances else corpus
        if not self.held_out:
            return replace(corpus, utterances=()) if held_out else corpus
        chosen = [one for one in corpus if self._is_held_out(one.id) == held_out]
        if not chosen:
            found = "all" if len(corpus) and not held_out else "none"
            raise SpeechError(
                f"{self.data}: held_out: expected a share that takes some and not all of "
                f"{len(corpus)} utterances, found {self.held_out}, which takes {found}"
            )
        return replace(corpus, name=self.data, utterances=tuple(chosen))

    def _is_held_out(self, utterance: str) -> bool:
        """By another hash than that of the training's own held-out part, which is drawn after."""
        digest = hashlib.sha256(f"measured/{utterance}".encode()).digest()
        return int.from_bytes(digest[:8], "big") < self.held_out * 2**64


@dataclass(frozen=True)
class RetrainTraining(TrainingOptions):
    """How a model's network is trained anew: the defaults suit minutes of speech.

    Attributes:
        chunk: frames of truncated back-propagation through time; 0: as many as when the model's
            network was trained.
        threads: CPU threads of torch in each process; 0 leaves torch's own choice. More than one
            are slower by far where other programs keep the processor busy.
        patience: end when the held-out accuracy (or what else the criterion chooses the best
            network by) has failed to improve in so many measurements one after the other; the best
            network counts, which may be the one that training started from. 0: only after `epochs`
            or `max_frames`.
    """

    epochs: int = 4
    streams: int = 8
    chunk: int = 0
    learning_rate: float = 1e-4
    final_learning_rate: float = 1e-5
    warmup_frames: int = 50_000
    max_gradient_norm: float = 5.0
    dropout: float | str = 0.2
    freeze_statistics: bool = True
    threads: int = 1
    held_out_fraction: float = 0.1
    patience: int = 3

    least_chunk: ClassVar[int] = 0


@dataclass(frozen=True)
class RetrainAcoustic(AcousticOptions):
    """Everything that determines the new network."""

    training: RetrainTraining = RetrainTraining()


@dataclass(frozen=True)
class RetrainTuning:
    """How scales and penalty are chosen.

    Attributes:
        data: development sets, relative to the corpora's directory.
        grid: the values to try; by default the model's own acoustic scale, with the usual scales of
            the language model and penalties.
    """

    data: tuple[str, ...]
    grid: Grid | None = None

    def __post_init__(self) -> None:
        if not self.data:
            raise UsageError("expected a development set, found none")

    def grid_of(self, model: ModelBundle) -> Grid:
        """The values to try for a model that is trained anew."""
        return self.grid or Grid(acoustic_scales=(model.config.search.acoustic_scale,))


@dataclass(frozen=True)
class RetrainRecipe:
    """What a file of `recognizer retrain` says.

    Attributes:
        training: corpora to train on.
        untranscribed: sets to train on that have no transcripts, with who transcribes them: the
            model itself, for one.
        tuning: development sets and grid.
        comparison: what the model is measured on before and after.
        model: the model directory to start from; "english" is that of this package.
        fresh: train a network from random weights, of any shape; otherwise training goes on from
            the model's own, of the same shape.
        deepen: layers to add above the network's own, which start from random weights.
        share: the new network's weights are this share of the trained ones and the rest of those
            that training started from; below one it keeps more of what it knew (Wortsman et al.
            2022, "Robust fine-tuning of zero-shot models"). By default 0.3, which suits minutes of
            speech, and 1 with a fresh or a deeper network, where it can be nothing else.
        acoustic: versions of the recordings, network and training. Tree, features and criterion are
            the model's, so their options, `initial` and `realign` must not be set, nor, unless
            ``fresh``, the network's shape. A model of lattice-free MMI is trained with that.
        smbr: train with state-level minimum Bayes risk over the model's own lattices, in place of
            cross-entropy.
        search: all search options in place of the model's; those not given are the defaults. The
            acoustic scale is tuned.
        name: of the new model; by default the old one's, as are the next two.
        licence: SPDX expression of the new model.
        description: one line.
    """

    tuning: RetrainTuning
    training: tuple[RetrainSet, ...] = ()
    untranscribed: tuple[UntranscribedSet, ...] = ()
    comparison: ComparisonOptions = ComparisonOptions()
    model: str = DEFAULT_MODEL.name
    fresh: bool = False
    deepen: int = 0
    share: float | None = None
    acoustic: RetrainAcoustic = RetrainAcoustic()
    smbr: SmbrTraining | None = None
    search: SearchOptions | None = None
    name: str | None = None
    licence: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        if not self.training and not self.untranscribed:
            raise UsageError("expected at least one training set [[training]], found none")
        if self.deepen < 0 or (self.fresh and self.deepen):
            expected = "0 with a fresh network" if self.fresh else "a number of layers >= 0"
            raise UsageError(f"deepen: expected {expected}, found {self.deepen}")
        another = self.fresh or self.deepen > 0
        share = self.trained_share
        if not 0 < share <= 1 or (another and share < 1):
            expected = "1 with a fresh or a deeper network" if another else "a number in (0, 1]"
            raise UsageError(f"share: expected {expected}, found {share}")
        if share < 1 and self.acoustic.priors != "labels":
            raise UsageError(
                'acoustic.priors: expected "labels" with a share below 1, '
                f'found "{self.acoustic.priors}"'
            )
        if self.smbr is not None and another:
            raise UsageError("smbr: expected the model's own network to go on from, found another")
        check_fixed(self.acoustic, ("lf_mmi",) if self.fresh else ("network", "lf_mmi"))
        check_sets((*self.training, *self.untranscribed))
        whole = {*self.tuning.data, *self.comparison.own, *self.comparison.general}
        for one in self.training:
            if one.held_out and one.data in whole:
                raise UsageError(
                    f"{one.data}: held_out: expected 0 of a set that is measured as a whole, found "
                    f"{one.held_out}"
                )
        both = set(self.comparison.own) & set(self.comparison.general)
        if both:
            raise UsageError(
                f"comparison: expected sets that are own or general, found {min(both)!r} as both"
            )

    @property
    def trained_share(self) -> float:
        """The share of the trained weights in the new network's (`share`, or its default)."""
        if self.share is not None:
            return self.share
        return 1.0 if self.fresh or self.deepen else DEFAULT_SHARE

    def measured_sets(self, corpora: Path) -> list[MeasuredSet]:
        """What the model is measured on before and after, own speech first.

        Raises:
            SpeechError: a set is missing or damaged.
        """
        own = [one.read_held_out(corpora) for one in self.training if one.held_out]
        names = self.comparison.own
        if not own and not names:
            names = tuple(n for n in self.tuning.data if n not in self.comparison.general)
        own += development_sets(names, corpora)
        general = development_sets(self.comparison.general, corpora)
        return [
            *(MeasuredSet(OWN, corpus) for corpus in own),
            *(MeasuredSet(GENERAL, corpus) for corpus in general),
        ]


def retrain_stages(
    recipe: RetrainRecipe, corpora: Path, work: Path, *, jobs: int = 1
) -> list[Stage]:
    """Stages ``align``, ``features``, ``network``, ``model``, ``tune``, ``evaluate``, ``compare``.

    Before them, sets without transcripts are transcribed (`semi_supervised_stages`).

    Args:
        recipe: what is made.
        corpora: directory of the corpora that it names.
        work: parent of the stages' directories.
        jobs: processes or threads, where a stage can use several.

    Raises:
        UsageError: there is no such model, it lies in the work directory, or it is to be deepened
            and cannot be.
        SpeechError: the model is damaged.
    """
    old = ModelBundle(model_path(recipe.model))
    check_apart(old, work)
    options = _with_criterion(
        replace(
            recipe.acoustic,
            features=old.config.features,
            training=_with_chunk(recipe.acoustic.training, old),
            precision=recipe.acoustic.precision or old.config.acoustic.precision,
        ),
        old,
        fresh=recipe.fresh,
    )
    if recipe.smbr is not None and options.lf_mmi is not None:
        raise UsageError(
            f"{old.path}: smbr: expected a model trained with cross-entropy, found lattice-free MMI"
        )
    initial = _initial(recipe, old.network)
    if initial is not None:
        shape = {field.name: getattr(initial.options, field.name) for field in fields(NetworkShape)}
        options = replace(options, network=NetworkShape(**shape))
    selected = selected_sets(recipe.untranscribed, work)
    labels = ModelLabels(old, (*recipe.training, *selected), corpora, work, jobs)

    def network(directory: Path) -> None:
        start = None
        if initial is not None:
            start = directory / "initial.safetensors"
            write_network(initial, start)
        if recipe.smbr is not None:
            assert start is not None  # there is no other network with this criterion
            train_smbr(
                old, labels.labelled(), recipe.smbr, options, work, directory, start, jobs=jobs
            )
            return
        if options.lf_mmi is None:
            train_on_labels(
                labels.labelled(), labels.outputs, labels.silence, options, work, directory, start
            )
            return
        phones = old.phone_model
        assert phones is not None  # or there were no such criterion
        aligned = labels.aligned()
        # Else an utterance with an order of phones that the model never saw could not be used.
        phones = extended_acceptor(phones, phone_sequences(aligned), options.lf_mmi.phone_model)
        pdfs = ChainPdfs(old.tree, old.transitions)
        graph = denominator_graph(phones, pdfs)
        train_sequences(aligned, pdfs, phones, graph, options, work, directory, start)

    def model(directory: Path) -> None:
        records = [training_record(one, labels.corpus(one)) for one in labels.sets]
        config = old.config
        config = replace(
            config,
            name=config.name if recipe.name is None else recipe.name,
            licence=config.licence if recipe.licence is None else recipe.licence,
            description=config.description if recipe.description is None else recipe.description,
            acoustic=model_config.AcousticConfig(
                output_delay=options.network.output_delay,
                subsampling=options.network.subsampling,
                priors=options.recorded_priors["source"],
                silence_weight=options.recorded_priors["silence_weight"],
                precision=options.precision or "float32",
            ),
            search=recipe.search or config.search,
            # The labels, at least, come from what the old model was trained on.
            training_data=(*records, *(r for r in config.training_data if r not in records)),
            results=(),
            record={
                **config.record,
                "retrained": [
                    *config.record.get("retrained", []),
                    to_table(recipe) | {"acoustic": used_options(options)},
                ],
            },
        )
        made = read_network(work / "network" / NETWORK_FILE)
        if recipe.trained_share < 1:
            made = mixed_networks(old.network, made, recipe.trained_share)
        write_network(made, directory / files.ACOUSTIC, storage=options.storage)
        copy_around_network(old, config, directory)

    def sets() -> list[Corpus]:
        return development_sets(recipe.tuning.data, corpora)

    def check() -> None:
        sets()

    def compare(directory: Path) -> None:
        tell(
            compare_models(
                old.path,
                work / "model",
                recipe.measured_sets(corpora),
                directory,
                work / "evaluate",
                jobs=jobs,
            )
        )

    def check_comparison() -> None:
        recipe.measured_sets(corpora)

    table = to_table(recipe)
    network_training = network_stage("network", options, ("align", "features"), network)
    if recipe.fresh:
        network_training = replace(
            network_training, options={**network_training.options, "fresh": True}
        )
    if recipe.smbr is not None:
        network_training = replace(
            network_training, options={**network_training.options, "smbr": table["smbr"]}
        )
    kept = to_table(replace(old.config, results=(), files={}))
    rules = old.config.text_rules
    return [
        *semi_supervised_stages(recipe.untranscribed, rules, corpora, work, jobs=jobs),
        *labels.stages(options),
        network_training,
        Stage(
            "model",
            {"recipe": table, "model": kept},
            ("network",),
            model,
            "putting the model together",
        ),
        Stage(
            "tune",
            table["tuning"],
            ("model",),
            lambda directory: tune_model(
                work / "model", sets(), recipe.tuning.grid_of(old), directory, jobs=jobs
            ),
            "tuning on development sets",
            check,
        ),
        Stage(
            "evaluate",
            {},
            ("tune",),
            lambda directory: measure_model(work / "model", sets(), directory, jobs=jobs),
            "measuring on development sets",
        ),
        Stage(
            "compare",
            {
                "comparison": table["comparison"],
                "held_out": [one.inputs for one in recipe.training if one.held_out],
                "model": kept,
                "weights": old.config.files[files.ACOUSTIC].sha256,
            },
            ("evaluate",),
            compare,
            "comparing with the model before",
            check_comparison,
        ),
    ]


def _with_chunk(training: RetrainTraining, old: ModelBundle) -> RetrainTraining:
    """The options with chunks as long as in the model's own training, where none are given."""
    known = old.config.record.get("acoustic", {}).get("training", {})
    chunk = training.chunk or known.get("chunk", TrainingOptions.chunk)
    return replace(training, chunk=chunk)


def _with_criterion(options: AcousticOptions, old: ModelBundle, *, fresh: bool) -> AcousticOptions:
    """The options with the criterion of the model's own training.

    The cross-entropy branch of lattice-free MMI is not part of a model. Beside a network that is
    trained already it would begin with random weights, and its gradient, much the larger at first,
    would undo what the network knows; so it is there for fresh networks only.

    Raises:
        SpeechError: it was lattice-free MMI, and the model lacks the phone language model.
    """
    if old.config.acoustic.priors != "none":
        check_own_labels(old)
        return options
    if old.phone_model is None:
        raise SpeechError(
            f"{old.path}: expected the phone language model {files.PHONE_MODEL} beside a network "
            "trained with lattice-free MMI, to train it further, found none"
        )
    place = f"{old.path / files.CONFIG}: record: acoustic: lf_mmi"
    table = old.config.record.get("acoustic", {}).get("lf_mmi", {})
    lf_mmi = from_table(LfMmiTraining, table, place)
    if not fresh:
        lf_mmi = replace(lf_mmi, criterion=replace(lf_mmi.criterion, cross_entropy=0.0))
    return replace(
        options,
        lf_mmi=lf_mmi,
        tree=replace(options.tree, right_context=False),
    )


def _initial(recipe: RetrainRecipe, network: Network) -> Network | None:
    """What training starts from, if not from random weights."""
    if recipe.fresh:
        return None
    if not recipe.deepen:
        return network
    training = recipe.acoustic.training
    return with_more_layers(
        network,
        recipe.deepen,
        initial_range=training.initial_range,
        forget_bias=training.forget_bias,
        seed=training.seed,
    )
