"""How the training sets of a recipe are aligned: with a model from a flat start, or with another.

Both ways end with the HMM state of every frame, and know the pronunciations that they aligned with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from recognizer.alignment.align_sets import align_set
from recognizer.alignment.alignment_file import read_paths
from recognizer.alignment.flat_start import flat_start
from recognizer.alignment.gmm_aligner import FlatStartModel
from recognizer.alignment.lexicons import GRAPHEMES, transcript_lexicon
from recognizer.am.hmm.topology import Topology
from recognizer.data.corpora.corpus import Corpus
from recognizer.data.errors import UsageError
from recognizer.data.io.console import console
from recognizer.data.io.options import to_table
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.model.bundle import ModelBundle
from recognizer.model.files import model_path
from recognizer.pipelines.acoustic.aligned_corpus import AcousticInputs, AlignedCorpus
from recognizer.pipelines.model_labels import ModelLabels, check_apart
from recognizer.pipelines.recipe import Recipe, TrainingSet, stages_of
from recognizer.stages import Stage

LAST_TRIPHONES = "aligner"


def recipe_alignment(
    recipe: Recipe,
    sets: Sequence[TrainingSet],
    corpora: Path,
    work: Path,
    jobs: int,
    language: dict[str, str],
) -> RecipeAlignment:
    """The way that a recipe chooses.

    Args:
        recipe: what is made.
        sets: all that is trained on.
        corpora: directory of the corpora that it names.
        work: parent of the stages' directories.
        jobs: processes or threads.
        language: plain values that stand for how transcripts are read.

    Raises:
        UsageError: there is no such model to align with, it lies in the work directory, or it has
            other text rules than the recipe.
        SpeechError: the model is damaged.
    """
    if recipe.aligner is None:
        return FlatStartAlignment(recipe, sets, corpora, work, jobs, language)
    return ModelAlignment(recipe, sets, corpora, work, jobs)


class RecipeAlignment(ABC):
    """Aligned training sets of a recipe."""

    def __init__(
        self, recipe: Recipe, sets: Sequence[TrainingSet], corpora: Path, work: Path, jobs: int
    ) -> None:
        self._recipe = recipe
        self._sets = tuple(sets)
        self._corpora = corpora
        self._work = work
        self._jobs = jobs

    @abstractmethod
    def stages(self) -> list[Stage]:
        """The stages, the last of which is ``align``."""

    @abstractmethod
    def aligned(self) -> AcousticInputs:
        """The training sets with the aligner's states."""

    @property
    def model(self) -> ModelBundle | None:
        """The model that aligns; None where it is made from a flat start."""
        return None

    @abstractmethod
    def lexicon(self) -> Lexicon:
        """Pronunciations of the words of the transcripts, as far as there are any."""

    def corpus(self, one: TrainingSet) -> Corpus:
        """A training set, its transcripts by the recipe's rules.

        Raises:
            SpeechError: it is missing or damaged.
        """
        return one.read(self._corpora).normalized(self._recipe.rules)


class FlatStartAlignment(RecipeAlignment):
    """Stages ``flat_start`` and ``align``."""

    def __init__(
        self,
        recipe: Recipe,
        sets: Sequence[TrainingSet],
        corpora: Path,
        work: Path,
        jobs: int,
        language: dict[str, str],
    ) -> None:
        super().__init__(recipe, sets, corpora, work, jobs)
        self._language = language
        self._bootstrap = [one for one in self._sets if one.bootstrap]

    def stages(self) -> list[Stage]:
        """See `RecipeAlignment.stages`."""
        recipe = self._recipe
        training = [one.data for one in self._sets]
        made = stages_of(self._sets)
        options: dict[str, Any] = {"lexicon": recipe.lexicon} | self._language
        spelled = recipe.lexicon == GRAPHEMES
        if spelled:
            options["words_of"] = training
        options["options"] = to_table(recipe)["flat_start"]
        options["sets"] = [one.data for one in self._bootstrap]
        return [
            Stage(
                "flat_start",
                options,
                made if spelled else (),
                self._flat_start,
                "training an aligner from a flat start",
                self._check,
            ),
            Stage(
                "align",
                {"sets": training},
                ("flat_start", *made),
                self._align,
                "aligning all sets",
                self._check,
            ),
        ]

    def aligned(self) -> AcousticInputs:
        """See `RecipeAlignment.aligned`."""
        model = self._model
        return AcousticInputs(
            model.phones,
            Topology.standard(model.phones),
            tuple(
                AlignedCorpus.from_paths(
                    one.name,
                    list(self.corpus(one)),
                    read_paths(self._work / "align" / f"{one.name}.safetensors"),
                    model.transitions,
                )
                for one in self._sets
            ),
        )

    def lexicon(self) -> Lexicon:
        """See `RecipeAlignment.lexicon`."""
        return self._model.lexicon

    def _check(self) -> None:
        if self._recipe.lexicon not in (None, GRAPHEMES):
            self._transcript_lexicon()
        for one in self._sets:
            if one.made_by is None:
                self.corpus(one)

    def _flat_start(self, directory: Path) -> None:
        utterances = [u for one in self._bootstrap for u in self.corpus(one)]
        model = flat_start(
            utterances,
            self._transcript_lexicon(),
            self._recipe.flat_start,
            directory,
            jobs=self._jobs,
            report=console.print,
        )
        model.write(directory / LAST_TRIPHONES)

    def _align(self, directory: Path) -> None:
        model = self._model
        for one in self._sets:
            target = directory / f"{one.name}.safetensors"
            align_set(model, one.data, list(self.corpus(one)), target, jobs=self._jobs)

    def _transcript_lexicon(self) -> Lexicon:
        recipe = self._recipe
        training = (self.corpus(one) for one in self._sets)
        return transcript_lexicon(recipe.lexicon, recipe.rules, self._corpora, training)

    @cached_property
    def _model(self) -> FlatStartModel:
        return FlatStartModel.read(self._work / "flat_start" / LAST_TRIPHONES)


class ModelAlignment(RecipeAlignment):
    """Stage ``align``, with the network of a model directory."""

    def __init__(
        self, recipe: Recipe, sets: Sequence[TrainingSet], corpora: Path, work: Path, jobs: int
    ) -> None:
        super().__init__(recipe, sets, corpora, work, jobs)
        assert recipe.aligner is not None
        model = ModelBundle(model_path(recipe.aligner))
        check_apart(model, work)
        if model.config.text_rules != recipe.rules:
            raise UsageError(
                f"aligner: expected a model with the text rules {recipe.rules!r}, "
                f"found {model.config.text_rules!r} in {model.path}"
            )
        self._labels = ModelLabels(model, self._sets, corpora, work, jobs)

    @property
    def model(self) -> ModelBundle:
        """See `RecipeAlignment.model`."""
        return self._labels.model

    def stages(self) -> list[Stage]:
        """See `RecipeAlignment.stages`."""
        return [self._labels.align_stage()]

    def aligned(self) -> AcousticInputs:
        """See `RecipeAlignment.aligned`."""
        model = self._labels.model
        return AcousticInputs(
            model.phones, model.alignment.transitions.topology, self._labels.aligned()
        )

    def lexicon(self) -> Lexicon:
        """See `RecipeAlignment.lexicon`."""
        utterances = [u for one in self._sets for u in self.corpus(one)]
        return self._labels.lexicon(utterances)
