"""``recognizer train``: an acoustic model from corpora and their alignments, described in TOML."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from recognizer.alignment.checks import TOLERANCE, of_corpus
from recognizer.alignment.lexicons import chosen_rules, load_lexicon
from recognizer.alignment.sources import AlignmentSource, SourceOptions
from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE, PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.tree.segment_contexts import base_phones
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.console import console
from recognizer.data.io.options import from_table, read_toml, to_table
from recognizer.data.text.rules import check_text_rules
from recognizer.decoding.alignment.align import AlignOptions
from recognizer.pipelines.acoustic.aligned_corpus import AcousticInputs, AlignedCorpus
from recognizer.pipelines.acoustic.network_stages import NETWORK_FILE, store_network
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.acoustic.realign import NetworkRealigner
from recognizer.pipelines.acoustic.stages import (
    STATES_FILE,
    StateInputs,
    acoustic_stages,
    state_stages,
)
from recognizer.pipelines.acoustic.state_labels import label_corpus, state_inventory
from recognizer.pipelines.acoustic.training_modes import training_group
from recognizer.pipelines.acoustic.tree_growing import TREE_FILES
from recognizer.stages import Stage, run_stages


@dataclass(frozen=True)
class AlignedData:
    """A training set and where its alignments are.

    Attributes:
        data: a Kaldi data directory, Lhotse's manifests, or a LibriSpeech tree.
        alignments: a directory of alignments, or a file of those of many utterances, in any format
            of `recognizer.alignment.sources`.
        name: of its feature files; the path of ``data`` with dashes by default.
        source: the alignments' format, phone table and the like.
    """

    data: str
    alignments: str
    name: str | None = None
    source: SourceOptions = SourceOptions()

    @property
    def label(self) -> str:
        """The name, or what stands for it."""
        return self.name or "-".join(p for p in Path(self.data).parts if p not in ("/", ".", ".."))


@dataclass(frozen=True)
class TrainRecipe:
    """What `recognizer train` reads from its TOML file; paths are relative to that file.

    Attributes:
        output: directory of the acoustic model.
        sets: training sets.
        work: directory of intermediate results; ``output`` + "/work" by default.
        labels: "phones": a tree is grown over the alignments' phones, and its leaves are the
            network's outputs; "states": the outputs are the alignments' states as they are.
        tolerance: seconds by which an alignment may be longer than its audio.
        lexicon: pronunciations, for realignment (`recognizer.data.lexicon.reading`).
        text_rules: the rule set (`recognizer.data.text.rules`) for transcripts and lexicon;
            by default "english" without a lexicon, else "unicode".
        acoustic: tree, features, network and training.
        jobs: processes for the features.
    """

    output: str
    sets: tuple[AlignedData, ...]
    work: str | None = None
    labels: Literal["phones", "states"] = "phones"
    tolerance: float = TOLERANCE
    lexicon: str | None = None
    text_rules: str | None = None
    acoustic: AcousticOptions = field(default_factory=AcousticOptions)
    jobs: int = 1

    def __post_init__(self) -> None:
        if not self.sets:
            raise UsageError("expected at least one training set [[sets]], found none")
        labels = [one.label for one in self.sets]
        if len(set(labels)) < len(labels):
            raise UsageError(f"expected sets of distinct names, found {', '.join(labels)}")
        if self.acoustic.precision is not None:
            raise UsageError("acoustic.precision: expected nothing: no model.toml is written here")
        if not self.tolerance >= 0:
            raise UsageError(f"tolerance: expected seconds >= 0, found {self.tolerance}")
        if self.text_rules is not None:
            check_text_rules(self.text_rules)

    @property
    def rules(self) -> str:
        """The name of the rule set."""
        return self.text_rules or chosen_rules(None, self.lexicon)


def train_from_file(
    path: str | Path,
    *,
    first: str | None = None,
    last: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Path | None:
    """Run the stages of a training file; returns the acoustic model's directory.

    Processes of one synchronous training (mode "ddp") all call this; all but one do nothing but
    train along and return None.

    Args:
        path: the TOML file.
        first: run this stage and the later ones anew.
        last: stop after this stage.
        changes: options of the training that replace those of the file.

    Raises:
        SpeechError: a file of another form, unusable data, or failed work.
    """
    path = Path(path)
    recipe = from_table(TrainRecipe, read_toml(path), str(path))
    acoustic, changed = recipe.acoustic, dict(changes or {})
    again = acoustic.realign_training
    acoustic = replace(
        acoustic,
        training=replace(acoustic.training, **changed),
        realign_training=None if again is None else replace(again, **changed),
    )
    recipe = replace(recipe, acoustic=acoustic)
    with training_group(acoustic.training) as leads:
        return _run(recipe, path.parent, first, last) if leads else None


def _run(recipe: TrainRecipe, base: Path, first: str | None, last: str | None) -> Path:
    output = base / recipe.output
    work = base / recipe.work if recipe.work is not None else output / "work"
    inputs = to_table(recipe)["sets"]
    if recipe.tolerance != TrainRecipe.tolerance:
        inputs = [*inputs, {"tolerance": recipe.tolerance}]
    options = recipe.acoustic
    if recipe.labels == "phones":
        stages = acoustic_stages(
            options,
            lambda: _load_phones(recipe, base),
            work,
            inputs=inputs,
            check=lambda: _check(recipe, base),
            realigner=_realigner(recipe, base),
            jobs=recipe.jobs,
            root=base,
        )
    else:
        stages = state_stages(
            options,
            lambda: _load_states(recipe, base),
            work,
            inputs=inputs,
            check=lambda: _check(recipe, base),
            jobs=recipe.jobs,
            root=base,
        )
    storage = {"storage": options.storage} if options.storage != "float32" else {}
    files = TREE_FILES if recipe.labels == "phones" else (STATES_FILE,)

    def collect(directory: Path) -> None:
        for name in files:
            shutil.copyfile(work / stages[0].name / name, output / name)
        store_network(work / "network" / NETWORK_FILE, options, output / NETWORK_FILE)
        console.print(f"acoustic model: {output}")

    stages.append(
        Stage(
            "model",
            {"output": str(output)} | storage,
            (stages[0].name, "network"),
            collect,
            "collecting the model",
        )
    )
    run_stages(stages, work, first=first, last=last)
    return output


def _check(recipe: TrainRecipe, base: Path) -> None:
    for one, source in _sources(recipe, base):
        read_corpus(base / one.data)
        source.check()


def _sources(recipe: TrainRecipe, base: Path) -> list[tuple[AlignedData, AlignmentSource]]:
    return [(one, AlignmentSource(base / one.alignments, one.source, base)) for one in recipe.sets]


def _realigner(recipe: TrainRecipe, base: Path) -> NetworkRealigner | None:
    lexicon = recipe.lexicon
    if lexicon is None:
        return None
    options = AlignOptions()
    features = recipe.acoustic.features
    return NetworkRealigner(
        lambda: load_lexicon(lexicon, recipe.rules, base), features, options, recipe.jobs
    )


def _load_phones(recipe: TrainRecipe, base: Path) -> AcousticInputs:
    # Read twice rather than kept: the alignments of a large corpus fill the memory.
    labels = {
        phone
        for _, source in _sources(recipe, base)
        for alignment in source.read(Exclusions())
        for phone in base_phones(alignment)
    }
    if not labels - {SILENCE, SPOKEN_NOISE}:
        raise SpeechError("expected alignments of phones, found none in any set")
    phones = PhoneTable.from_base(labels)
    topology = Topology.standard(phones)
    corpora = []
    for name, utterances, alignments, exclusions in _sets(recipe, base):
        corpus = AlignedCorpus.from_alignments(
            name, utterances, alignments, phones, topology, recipe.acoustic.features, exclusions
        )
        _report(name, len(corpus.utterances), len(utterances), exclusions)
        corpora.append(corpus)
    return AcousticInputs(phones, topology, tuple(corpora))


def _load_states(recipe: TrainRecipe, base: Path) -> StateInputs:
    sources = [source for _, source in _sources(recipe, base)]
    states = state_inventory(
        sources, (alignment for source in sources for alignment in source.read(Exclusions()))
    )
    shift = recipe.acoustic.features.frame_shift
    corpora = []
    for name, utterances, alignments, exclusions in _sets(recipe, base):
        corpus = label_corpus(name, utterances, alignments, states, shift, exclusions)
        _report(name, len(corpus.utterances), len(utterances), exclusions)
        corpora.append(corpus)
    return StateInputs(states, tuple(corpora))


def _sets(
    recipe: TrainRecipe, base: Path
) -> Iterator[tuple[str, list[Utterance], Iterator[Alignment], Exclusions]]:
    """Name, utterances and usable alignments of each set, and what is left out as they are read."""
    for one, source in _sources(recipe, base):
        exclusions = Exclusions()
        utterances = list(read_corpus(base / one.data).normalized(recipe.rules))
        alignments = of_corpus(
            source.read(exclusions),
            utterances,
            source=source.path,
            data=base / one.data,
            tolerance=recipe.tolerance,
            exclusions=exclusions,
        )
        yield one.label, utterances, alignments, exclusions


def _report(name: str, used: int, utterances: int, exclusions: Exclusions) -> None:
    console.print(f"{name}: {used} of {utterances} utterances have labels")
    for line in exclusions.lines():
        console.print(f"{name}: {line}", highlight=False)
