"""The stages of recipes of kind "ctc": a network that spells, on transcripts alone.

Amodei et al. 2015, "Deep Speech 2: End-to-end speech recognition in English and Mandarin".
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from recognizer.am.nnet.acoustic_model import CtcModel
from recognizer.am.nnet.network_file import read_network
from recognizer.data.corpora.corpus import Corpus
from recognizer.data.io.options import to_table
from recognizer.data.text.characters import CharacterSet
from recognizer.data.text.rules import text_rules
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.model import files
from recognizer.model.bundle import write_config
from recognizer.model.config import AcousticConfig
from recognizer.model.ctc import ctc_config
from recognizer.model.first_pass_graph import spelling_graph
from recognizer.pipelines.acoustic.ctc_stages import (
    CHARACTERS_STAGE,
    TranscribedCorpus,
    characters_stage,
    ctc_stages,
)
from recognizer.pipelines.acoustic.network_stages import NETWORK_FILE, store_network
from recognizer.pipelines.development import config_of, model_options, training_record
from recognizer.pipelines.recipe import Recipe, TrainingSet, stages_of
from recognizer.pipelines.recipe_language import LanguageStages, language_options
from recognizer.stages import Stage


class CtcStages:
    """Stages ``characters`` to ``model``, those of the language models among them.

    Args:
        recipe: what is made.
        sets: all that is trained on.
        language: its language models.
        corpora: directory of the corpora that the recipe names.
        work: parent of the stages' directories.
        jobs: processes, where a stage can use several.
    """

    def __init__(
        self,
        recipe: Recipe,
        sets: Sequence[TrainingSet],
        language: LanguageStages,
        corpora: Path,
        work: Path,
        jobs: int,
    ) -> None:
        self._recipe = recipe
        self._sets = tuple(sets)
        self._language = language
        self._corpora = corpora
        self._work = work
        self._jobs = jobs

    def stages(self) -> list[Stage]:
        """The stages in order."""
        recipe = self._recipe
        table = to_table(recipe)
        pruning = table["characters"].pop("pruning", None)
        inputs = [one.data for one in self._sets]
        before = stages_of(self._sets)
        return [
            characters_stage(
                self._transcribed,
                table["characters"] | {"sets": inputs} | language_options(recipe),
                before,
                self._check,
                min_count=recipe.characters.min_count,
                space=recipe.characters.space,
            ),
            *self._language.stages(),
            *ctc_stages(
                recipe.acoustic,
                self._transcribed,
                self._work,
                inputs=inputs,
                after=before,
                check=self._check,
                jobs=self._jobs,
                root=self._corpora,
            ),
            Stage(
                "graph",
                {"first_pass": table["first_pass"]},
                (CHARACTERS_STAGE, "lm"),
                self._graph_stage,
                "building the decoding graph",
            ),
            Stage(
                "model",
                model_options(recipe) | ({} if pruning is None else {"pruning": pruning}),
                (CHARACTERS_STAGE, "lm", "network", "graph"),
                self._model_stage,
                "putting the model together",
            ),
        ]

    def _check(self) -> None:
        for one in self._sets:
            if one.made_by is None:
                self._corpus(one)

    def _corpus(self, one: TrainingSet) -> Corpus:
        return one.read(self._corpora).normalized(self._recipe.rules)

    def _transcribed(self) -> tuple[TranscribedCorpus, ...]:
        rules = text_rules(self._recipe.rules)
        return tuple(
            TranscribedCorpus(one.name, self._corpus(one).utterances, rules) for one in self._sets
        )

    @property
    def _characters(self) -> CharacterSet:
        return CharacterSet.read(self._work / CHARACTERS_STAGE / files.CHARACTERS)

    @property
    def _graph_file(self) -> str:
        return files.graph_file(self._recipe.first_pass, CtcModel.kind)

    def _graph_stage(self, directory: Path) -> None:
        first_pass = NgramAutomaton.open(self._work / "lm" / files.FIRST_PASS)
        graph = spelling_graph(self._characters, first_pass, self._recipe.first_pass)
        graph.save(directory / self._graph_file)

    def _model_stage(self, directory: Path) -> None:
        recipe, work = self._recipe, self._work
        network = work / "network" / NETWORK_FILE
        acoustic = AcousticConfig(
            kind="ctc",
            priors="none",
            silence_weight=1.0,
            precision=recipe.acoustic.precision or "float32",
            pruning=recipe.characters.pruning,
        )
        config = config_of(
            recipe,
            acoustic,
            (
                *(training_record(one, self._corpus(one)) for one in self._sets),
                *self._language.training_data(),
            ),
        )
        config = ctc_config(config, read_network(network).options, self._characters)
        store_network(network, recipe.acoustic, directory / files.ACOUSTIC)
        for stage, name in (
            (CHARACTERS_STAGE, files.CHARACTERS),
            ("graph", self._graph_file),
            ("lm", files.FIRST_PASS),
            ("lm", files.RESCORING),
        ):
            shutil.copyfile(work / stage / name, directory / name)
        write_config(directory, config)
