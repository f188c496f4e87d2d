"""A model's network trained anew on labels that the model itself finds; all else of it stays.

Tree, lexicon, graph and language models are those of an existing model, so that neither text nor
a flat start is needed: to go on training with better alignments, to adapt a model to other speech,
or to try another network in its place (`recognizer.experiment`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np

from am.adaptation import with_more_layers
from am.network_file import Network, read_network, write_network
from am.network_options import NetworkShape
from data.corpus import Corpus, Utterance, read_corpus
from data.derivation import derived_lexicon
from data.errors import SpeechError, UsageError
from data.graphemes import graphemic_lexicon
from data.lexicon import Lexicon
from decoding.search import SearchOptions
from recognizer import bundle, model_config
from recognizer.acoustic_stages import (
    NETWORK_FILE,
    features_stage,
    network_stage,
    train_on_labels,
)
from recognizer.acoustic_training import (
    AcousticOptions,
    AlignedCorpus,
    LabelledCorpus,
    silence_pdfs,
)
from recognizer.alignment_file import read_paths, write_paths
from recognizer.bundle import DEFAULT_MODEL, ModelBundle
from recognizer.console import console
from recognizer.development import development_sets, measure_model, training_record, tune_model
from recognizer.network_aligner import NetworkAligner
from recognizer.options import to_table
from recognizer.recipe import TrainingSet, TuningOptions
from recognizer.stages import Stage


@dataclass(frozen=True)
class RetrainRecipe:
    """What a file of `recognizer retrain` says.

    Attributes:
        training: corpora to train on.
        tuning: development sets and grid.
        model: the model directory to start from; "english" is that of this package.
        fresh: train a network from random weights, of any shape; otherwise training goes on from
            the model's own, of the same shape.
        deepen: layers to add above the network's own, which start from random weights.
        share: the new network's weights are this share of the trained ones and the rest of those
            that training started from; below one it keeps more of what it knew (Wortsman et al.
            2022, "Robust fine-tuning of zero-shot models").
        acoustic: versions of the recordings, network and training. Tree and features are the
            model's, so their options, `initial` and `realign` must not be set, nor, unless
            ``fresh``, the network's shape.
        search: beams in place of the model's; the acoustic scale is tuned.
        name: of the new model; by default the old one's, as are the next two.
        licence: SPDX expression of the new model.
        description: one line.
    """

    training: tuple[TrainingSet, ...]
    tuning: TuningOptions
    model: str = DEFAULT_MODEL.name
    fresh: bool = False
    deepen: int = 0
    share: float = 1.0
    acoustic: AcousticOptions = AcousticOptions()
    search: SearchOptions | None = None
    name: str | None = None
    licence: str | None = None
    description: str | None = None

    def __post_init__(self) -> None:
        if not self.training:
            raise UsageError("expected at least one training set [[training]], found none")
        if self.deepen < 0 or (self.fresh and self.deepen):
            expected = "0 with a fresh network" if self.fresh else "a number of layers >= 0"
            raise UsageError(f"deepen: expected {expected}, found {self.deepen}")
        another = self.fresh or self.deepen > 0
        if not 0 < self.share <= 1 or (another and self.share < 1):
            expected = "1 with a fresh or a deeper network" if another else "a number in (0, 1]"
            raise UsageError(f"share: expected {expected}, found {self.share}")
        check_fixed(self.acoustic, () if self.fresh else ("network",))
        check_sets(self.training)


def check_fixed(options: AcousticOptions, further: Sequence[str] = ()) -> None:
    """Refuse options of what is the model's own.

    Args:
        options: of a training.
        further: names of more of them that must not be set.

    Raises:
        UsageError: one of them is set.
    """
    never = ("tree", "features", "initial", "realign", "realign_training")
    for name in (*never, *further):
        if getattr(options, name) != getattr(AcousticOptions(), name):
            raise UsageError(f"acoustic.{name}: expected nothing: it is the model's own")


def check_sets(sets: Iterable[TrainingSet]) -> None:
    """Refuse sets whose files would have the same names, and what only a flat start looks at.

    Raises:
        UsageError: there is such a set.
    """
    known: set[str] = set()
    for one in sets:
        if one.bootstrap:
            raise UsageError(f"{one.data}: bootstrap: expected nothing: there is no flat start")
        if one.name in known:
            raise UsageError(f"expected sets of distinct names, found {one.name!r} twice")
        known.add(one.name)


def check_apart(model: ModelBundle, work: Path) -> None:
    """Refuse a work directory that holds the model, whose stages would replace it.

    Raises:
        UsageError: it does.
    """
    if model.path.resolve().is_relative_to(work.resolve()):
        raise UsageError(
            f"{work}: expected a work directory that does not hold the model {model.path}"
        )


def model_path(name: str) -> Path:
    """The directory of a model by its path, or of the one that comes with the package."""
    path = Path(name)
    return DEFAULT_MODEL if name == DEFAULT_MODEL.name and not path.exists() else path


class ModelLabels:
    """Training sets with the labels that a model gives to their frames.

    Args:
        model: the model.
        sets: training sets.
        corpora: directory that their names are relative to.
        work: parent of the stages' directories.
        jobs: threads and processes.
    """

    def __init__(
        self,
        model: ModelBundle,
        sets: Sequence[TrainingSet],
        corpora: Path,
        work: Path,
        jobs: int = 1,
    ) -> None:
        self.model = model
        self.sets = tuple(sets)
        self._corpora = corpora
        self._work = work
        self._jobs = jobs
        self.labelled = cache(self._labelled)

    @property
    def outputs(self) -> int:
        """Number of labels."""
        return self.model.transitions.num_pdfs

    @property
    def silence(self) -> frozenset[int]:
        """The labels of silence and noise."""
        return silence_pdfs(self.model.phones, self.model.transitions)

    def stages(self, options: AcousticOptions) -> list[Stage]:
        """Stages ``align`` and ``features``."""
        config = self.model.config
        inputs = {
            "model": {name: one.sha256 for name, one in sorted(config.files.items())},
            "acoustic_scale": config.search.acoustic_scale,
            "graph": to_table(config.graph),
            "precision": config.acoustic.precision,
            "normalization": config.normalization,
            "sets": [one.data for one in self.sets],
        }
        align = Stage("align", inputs, (), self._align, "aligning with the model", self._check)
        features = features_stage(
            options, self.labelled, inputs["sets"], ("align",), self._check, self._jobs
        )
        return [align, features]

    def corpus(self, one: TrainingSet) -> Corpus:
        """A set, its transcripts as the model writes words.

        Raises:
            SpeechError: it is missing or damaged.
        """
        return read_corpus(self._corpora / one.data).normalized(self.model.config.normalization)

    def _check(self) -> None:
        for one in self.sets:
            self.corpus(one)

    def _align(self, directory: Path) -> None:
        for one in self.sets:
            target = directory / f"{one.name}.safetensors"
            if target.exists():
                continue
            utterances = self.corpus(one).utterances
            aligner = NetworkAligner(self.model, self._lexicon(utterances))
            aligned = aligner.align(utterances, jobs=self._jobs)
            console.print(
                f"{one.data}: {len(aligned.paths)} of {len(utterances)} utterances aligned, "
                f"{aligned.unknown.total()} words outside the lexicon"
            )
            for utterance, reason in sorted(aligned.failed.items()):
                console.print(f"{one.data}: {utterance}: not aligned: {reason}")
            if not aligned.paths:
                raise SpeechError(f"{one.data}: expected utterances to align, found none")
            write_paths(target, aligned.paths)

    def _lexicon(self, utterances: Sequence[Utterance]) -> Lexicon:
        """The model's pronunciations, and what can be derived or spelled with its phones."""
        words = {word for utterance in utterances for word in utterance.words}
        phones = set(self.model.phones.base_phones)
        config, known, made = self.model.config, Lexicon(()), Lexicon(())
        if config.units == "pieces":
            made = graphemic_lexicon(words).lexicon
        else:
            known = self.model.lexicon
            if config.language.split("-")[0] == "en":
                made = derived_lexicon({word for word in words if word not in known}, known)
        spoken = [
            pronunciation
            for word in made.words
            for pronunciation in made[word]
            if phones.issuperset(pronunciation.phones)
        ]
        return known.merged_with(Lexicon(spoken)) if spoken else known

    def _labelled(self) -> tuple[LabelledCorpus, ...]:
        return tuple(
            AlignedCorpus.from_paths(
                one.name,
                list(self.corpus(one)),
                read_paths(self._work / "align" / f"{one.name}.safetensors"),
                self.model.transitions,
            ).labelled(self.model.tree)
            for one in self.sets
        )


def mixed_networks(old: Network, new: Network, share: float) -> Network:
    """A network whose weights are means of those of two networks of the same shape.

    Args:
        old: the network that the training of the new one started from.
        new: gives the priors and the metadata.
        share: of the new one's weights.
    """
    tensors = {
        name: ((1 - share) * old.tensors[name] + share * tensor).astype(np.float32)
        for name, tensor in new.tensors.items()
        if name != "log_priors"
    }
    metadata = {**new.metadata, "share": share}
    return Network(new.options, {**tensors, "log_priors": new.log_priors}, metadata)


def with_network(
    model: ModelBundle,
    network: Path,
    config: model_config.ModelConfig,
    to: Path,
    *,
    link: bool = False,
) -> None:
    """A copy of a model with another network.

    Args:
        model: gives everything but the network.
        network: its file.
        config: of the new model.
        to: its directory.
        link: make symbolic links to the model's files instead of copies.

    Raises:
        SpeechError: the files do not fit each other.
    """
    to.mkdir(parents=True, exist_ok=True)
    for name in model.config.files:
        target = to / name
        if name == bundle.ACOUSTIC:
            shutil.copyfile(network, target)
        elif link:
            target.unlink(missing_ok=True)
            target.symlink_to((model.path / name).resolve())
        else:
            shutil.copyfile(model.path / name, target)
    bundle.write_config(to, config)


def retrain_stages(
    recipe: RetrainRecipe, corpora: Path, work: Path, *, jobs: int = 1
) -> list[Stage]:
    """Stages ``align``, ``features``, ``network``, ``model``, ``tune`` and ``evaluate``.

    Args:
        recipe: what is made.
        corpora: directory of the corpora that it names.
        work: parent of the stages' directories.
        jobs: processes or threads, where a stage can use several.

    Raises:
        UsageError: there is no such model, or it lies in the work directory.
        SpeechError: the model is damaged.
    """
    old = ModelBundle(model_path(recipe.model))
    check_apart(old, work)
    options = replace(
        recipe.acoustic,
        features=old.config.features,
        precision=recipe.acoustic.precision or old.config.acoustic.precision,
    )
    initial = None if recipe.fresh else old.network
    if initial is not None and recipe.deepen:
        training = options.training
        initial = with_more_layers(
            initial,
            recipe.deepen,
            initial_range=training.initial_range,
            forget_bias=training.forget_bias,
            seed=training.seed,
        )
    if initial is not None:
        given = to_table(initial.options)
        shape = {field.name: given[field.name] for field in fields(NetworkShape)}
        options = replace(options, network=NetworkShape(**shape))
    labels = ModelLabels(old, recipe.training, corpora, work, jobs)

    def network(directory: Path) -> None:
        start = None
        if initial is not None:
            start = directory / "initial.safetensors"
            write_network(initial, start)
        train_on_labels(
            labels.labelled(), labels.outputs, labels.silence, options, work, directory, start
        )

    def model(directory: Path) -> None:
        records = [training_record(one, labels.corpus(one)) for one in recipe.training]
        config = old.config
        config = replace(
            config,
            name=config.name if recipe.name is None else recipe.name,
            licence=config.licence if recipe.licence is None else recipe.licence,
            description=config.description if recipe.description is None else recipe.description,
            acoustic=model_config.AcousticOptions(
                output_delay=options.network.output_delay,
                priors=options.priors,
                silence_weight=options.silence_weight,
                precision=options.precision or "float32",
            ),
            search=recipe.search or config.search,
            # The labels, at least, come from what the old model was trained on.
            training_data=(*records, *(r for r in config.training_data if r not in records)),
            results=(),
            record={
                **config.record,
                "retrained": [*config.record.get("retrained", []), to_table(recipe)],
            },
        )
        trained = work / "network" / NETWORK_FILE
        if recipe.share < 1:
            mixed = mixed_networks(old.network, read_network(trained), recipe.share)
            trained = directory / "mixed.safetensors"
            write_network(mixed, trained)
        with_network(old, trained, config, directory)
        (directory / "mixed.safetensors").unlink(missing_ok=True)

    def sets() -> list[Corpus]:
        return development_sets(recipe.tuning.data, corpora)

    def check() -> None:
        sets()

    table = to_table(recipe)
    network_training = network_stage("network", options, ("align", "features"), network)
    if recipe.fresh:
        network_training = replace(
            network_training, options={**network_training.options, "fresh": True}
        )
    kept = to_table(replace(old.config, results=(), files={}))
    return [
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
                work / "model", sets(), recipe.tuning.grid, directory, jobs=jobs
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
    ]
