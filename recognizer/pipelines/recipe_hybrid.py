"""The stages that only recipes of hybrid models have: alignment, tree and network, graph, model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from recognizer.data.io.options import to_table
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.alignment.align import AlignOptions
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.model import bundle, files
from recognizer.model.config import AcousticConfig
from recognizer.model.first_pass_graph import first_pass_graph
from recognizer.pipelines.acoustic.network_stages import NETWORK_FILE, store_network
from recognizer.pipelines.acoustic.realign import NetworkRealigner
from recognizer.pipelines.acoustic.sequence_stages import PHONE_MODEL
from recognizer.pipelines.acoustic.stages import acoustic_stages
from recognizer.pipelines.acoustic.tree_growing import read_tree
from recognizer.pipelines.development import config_of, model_options, training_record
from recognizer.pipelines.recipe import Recipe, TrainingSet
from recognizer.pipelines.recipe_alignment import RecipeAlignment, recipe_alignment
from recognizer.pipelines.recipe_language import LanguageStages, language_options
from recognizer.stages import Stage


class HybridStages:
    """Stages ``align`` to ``model``.

    Args:
        recipe: what is made.
        sets: all that is trained on.
        language: its language models.
        corpora: directory of the corpora that the recipe names.
        work: parent of the stages' directories.
        jobs: processes or threads, where a stage can use several.
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
        self._alignment: RecipeAlignment = recipe_alignment(
            recipe, self._sets, corpora, work, jobs, language_options(recipe)
        )

    def stages(self) -> list[Stage]:
        """The stages, which follow those of the language models."""
        recipe = self._recipe
        table = to_table(recipe)
        return [
            *self._alignment.stages(),
            *acoustic_stages(
                recipe.acoustic,
                self._alignment.aligned,
                self._work,
                inputs=[one.data for one in self._sets],
                after=("align",),
                realigner=self._realigner(),
                jobs=self._jobs,
                root=self._corpora,
            ),
            Stage(
                "graph",
                table["graph"] | {"first_pass": table["first_pass"]},
                ("lm", "tree"),
                self._graph_stage,
                "building the decoding graph",
            ),
            Stage(
                "model",
                model_options(recipe) | ({"keep_aligner": True} if recipe.keep_aligner else {}),
                ("lm", "tree", "network", "graph"),
                self._model_stage,
                "putting the model together",
            ),
        ]

    def _realigner(self) -> NetworkRealigner:
        """Aligns with the network by the lexicon of the first alignment."""
        recipe = self._recipe
        options = AlignOptions(acoustic_scale=recipe.search.acoustic_scale, graph=recipe.graph)
        return NetworkRealigner(
            self._alignment.lexicon, recipe.acoustic.features, options, self._jobs
        )

    def _graph_stage(self, directory: Path) -> None:
        tree, transitions = read_tree(self._work / "tree")
        graph = first_pass_graph(
            Lexicon.read(self._work / "lm" / files.LEXICON),
            transitions.phones,
            tree,
            transitions,
            NgramAutomaton.open(self._work / "lm" / files.FIRST_PASS),
            self._recipe.first_pass,
            self._recipe.graph,
            allow_missing_words=self._recipe.lm.allow_missing_words,
        )
        graph.save(directory / files.graph_file(self._recipe.first_pass))

    def _model_stage(self, directory: Path) -> None:
        recipe, work = self._recipe, self._work
        lf_mmi = recipe.acoustic.lf_mmi is not None
        graph = files.graph_file(recipe.first_pass)
        for stage, source, name in (
            ("tree", "tree.json", files.TREE),
            ("tree", "phones.txt", files.PHONES),
            ("tree", "transitions.json", files.TRANSITIONS),
            ("graph", graph, graph),
            ("lm", files.LEXICON, files.LEXICON),
            ("lm", files.FIRST_PASS, files.FIRST_PASS),
            ("lm", files.RESCORING, files.RESCORING),
        ):
            shutil.copyfile(work / stage / source, directory / name)
        if recipe.pronunciation is not None:
            trained = work / "pronunciation" / files.PRONUNCIATION
            shutil.copyfile(trained, directory / files.PRONUNCIATION)
        if lf_mmi:
            shutil.copyfile(work / "denominator" / PHONE_MODEL, directory / files.PHONE_MODEL)
        aligner = self._alignment.model if recipe.keep_aligner else None
        if aligner is not None:
            aligner.alignment.copy(directory, bundle.ALIGNMENT_FILES)
        network = work / "network" / NETWORK_FILE
        store_network(network, recipe.acoustic, directory / files.ACOUSTIC)
        bundle.write_config(
            directory,
            config_of(
                recipe,
                AcousticConfig(
                    output_delay=recipe.acoustic.network.output_delay,
                    subsampling=recipe.acoustic.network.subsampling,
                    priors="none" if lf_mmi else recipe.acoustic.priors,
                    silence_weight=recipe.acoustic.recorded_priors["silence_weight"],
                    precision=recipe.acoustic.precision or "float32",
                ),
                (
                    *(training_record(one, self._alignment.corpus(one)) for one in self._sets),
                    *self._language.training_data(),
                ),
                aligner=None if aligner is None else aligner.config.alignment,
            ),
        )
