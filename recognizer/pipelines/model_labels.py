"""Labels for training sets from an existing model, all else of which stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from recognizer.alignment.align_sets import align_set
from recognizer.alignment.alignment_file import read_paths
from recognizer.alignment.network_aligner import NetworkAligner
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import UsageError
from recognizer.data.io.options import to_table
from recognizer.data.lexicon.graphemes import graphemes, graphemic_lexicon
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.model.bundle import ModelBundle
from recognizer.pipelines.acoustic.aligned_corpus import AlignedCorpus, LabelledCorpus
from recognizer.pipelines.acoustic.network_stages import features_stage
from recognizer.pipelines.acoustic.options import AcousticOptions
from recognizer.pipelines.recipe import TrainingSet, UntranscribedSet, stages_of
from recognizer.stages import Stage

_OF_THE_MODEL = ("tree", "features")
_OF_OTHER_STARTS = ("initial", "realign", "realign_training")


def check_fixed(options: AcousticOptions, further: Sequence[str] = ()) -> None:
    """Refuse options of what is the model's own, and of other ways to start or go on.

    Args:
        options: of a training.
        further: names of more options that are the model's.

    Raises:
        UsageError: one of them is set.
    """
    for names, why in (
        ((*_OF_THE_MODEL, *further), "it is the model's own"),
        (_OF_OTHER_STARTS, "a model gives labels and start"),
    ):
        for name in names:
            if getattr(options, name) != getattr(AcousticOptions(), name):
                raise UsageError(f"acoustic.{name}: expected nothing: {why}")


def used_options(options: AcousticOptions) -> dict[str, Any]:
    """What a model records of its training: no options that had no say in it."""
    table = to_table(options)
    return {name: value for name, value in table.items() if name not in ("tree", *_OF_OTHER_STARTS)}


def check_sets(sets: Iterable[TrainingSet | UntranscribedSet]) -> None:
    """Refuse sets whose files would have the same names, and what only a flat start looks at.

    Raises:
        UsageError: there is such a set.
    """
    known: set[str] = set()
    for one in sets:
        if isinstance(one, TrainingSet) and one.bootstrap:
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


def check_own_labels(model: ModelBundle) -> None:
    """Refuse a model whose labels are of another acoustic model than the one that recognises.

    Raises:
        UsageError: it is such a model.
    """
    if model.alignment is not model.recognition:
        raise UsageError(
            f"{model.path}: aligner: expected a model that gives labels by the network that "
            "recognises, found another network for alignment"
        )


class ModelLabels:
    """Training sets with the labels that a model gives to their frames.

    Args:
        model: the model.
        sets: training sets.
        corpora: directory that their names are relative to.
        work: parent of the stages' directories.
        jobs: threads and processes.

    Raises:
        UsageError: the model's outputs are further apart than the frames that need labels.
    """

    def __init__(
        self,
        model: ModelBundle,
        sets: Sequence[TrainingSet],
        corpora: Path,
        work: Path,
        jobs: int = 1,
    ) -> None:
        subsampling = model.config.alignment.acoustic.subsampling
        if subsampling != 1:
            raise UsageError(
                f"{model.path}: acoustic: subsampling: expected 1 of a model that gives labels to "
                f"every frame, found {subsampling}"
            )
        self.model = model
        self.sets = tuple(sets)
        self._corpora = corpora
        self._work = work
        self._jobs = jobs
        self.labelled = cache(self._labelled)

    @property
    def outputs(self) -> int:
        """Number of labels."""
        return self.model.alignment.transitions.num_pdfs

    @property
    def silence(self) -> frozenset[int]:
        """The labels of silence and noise."""
        return self.model.alignment.transitions.silence_pdfs

    def stages(self, options: AcousticOptions) -> list[Stage]:
        """Stages ``align`` and ``features``."""
        sets = [one.inputs for one in self.sets]
        features = features_stage(
            options, self.labelled, sets, ("align",), self.check, self._jobs, self._corpora
        )
        return [self.align_stage(), features]

    def align_stage(self) -> Stage:
        """Stage ``align``."""
        config = self.model.config
        inputs = {
            "model": {name: one.sha256 for name, one in sorted(config.files.items())},
            "acoustic_scale": config.alignment.acoustic_scale,
            "graph": to_table(config.alignment.graph),
            "precision": config.alignment.acoustic.precision,
            "text_rules": config.text_rules,
            "sets": [one.inputs for one in self.sets],
        }
        after = stages_of(self.sets)
        return Stage("align", inputs, after, self._align, "aligning with the model", self.check)

    def corpus(self, one: TrainingSet) -> Corpus:
        """A set, its transcripts as the model writes words.

        Raises:
            SpeechError: it is missing or damaged.
        """
        return one.read(self._corpora).normalized(self.model.config.text_rules)

    def check(self) -> None:
        """Read all sets but those that a stage makes.

        Raises:
            SpeechError: one is missing or damaged.
        """
        for one in self.sets:
            if one.made_by is None:
                self.corpus(one)

    def _align(self, directory: Path) -> None:
        for one in self.sets:
            utterances = self.corpus(one).utterances
            aligner = NetworkAligner(self.model, self.lexicon(utterances))
            target = directory / f"{one.name}.safetensors"
            align_set(aligner, one.data, utterances, target, jobs=self._jobs)

    def lexicon(self, utterances: Sequence[Utterance]) -> Lexicon:
        """The model's pronunciations, and what can be derived or spelled with its phones."""
        words = {word for utterance in utterances for word in utterance.words}
        phones = set(self.model.phones.base_phones)
        config, known, made = self.model.config, self.model.lexicon, Lexicon(())
        if config.units == "pieces":
            known, made = Lexicon(()), graphemic_lexicon(words).lexicon
        elif _is_graphemic(known):
            missing = [word for word in sorted(words) if word not in known and graphemes(word)]
            made = graphemic_lexicon(missing).lexicon if missing else made
        else:
            made = self.model.pronouncer.lexicon(word for word in words if word not in known)
        spoken = [
            pronunciation
            for word in made.words
            for pronunciation in made[word]
            if phones.issuperset(pronunciation.phones)
        ]
        return known.merged_with(Lexicon(spoken)) if spoken else known

    def aligned(self) -> tuple[AlignedCorpus, ...]:
        """The sets with the state of every frame; stage ``align`` has run."""
        return tuple(
            AlignedCorpus.from_paths(
                one.name,
                list(self.corpus(one)),
                read_paths(self._work / "align" / f"{one.name}.safetensors"),
                self.model.alignment.transitions,
            )
            for one in self.sets
        )

    def _labelled(self) -> tuple[LabelledCorpus, ...]:
        return tuple(corpus.labelled(self.model.alignment.tree) for corpus in self.aligned())


def _is_graphemic(lexicon: Lexicon) -> bool:
    """Whether words are pronounced as they are spelled, but for noises and the like."""
    words = lexicon.words[:1000]
    spelled = sum(any(one.phones == graphemes(word) for one in lexicon[word]) for word in words)
    return 2 * spelled > len(words)
