"""The model that recognises with the network that another model only aligns with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from recognizer.data.errors import UsageError
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.model.bundle import ALIGNMENT_FILES, RECOGNITION_FILES, ModelBundle, write_config
from recognizer.model.files import CONFIG, PHONE_MODEL, graph_file
from recognizer.model.first_pass_graph import first_pass_graph


def make_of_aligner(model: str | Path | None, output: str | Path) -> ModelBundle:
    """Copy a model, with its aligner as its only acoustic model, and a graph for that.

    Such a model gives labels to every frame and recognises with the same network, which trainings
    that go on from a model need. Its scales are those of the other network, but for the acoustic
    one: `recognizer tune` finds better ones.

    Args:
        model: the model directory; None is the English model of this package.
        output: the new directory.

    Raises:
        UsageError: there is no such model, it aligns with the network that recognises, or the new
            directory is there already.
        SpeechError: the model is damaged, or the directory cannot be written.
    """
    bundle, directory = ModelBundle(model), Path(output)
    config, aligner = bundle.config, bundle.config.aligner
    if aligner is None:
        raise UsageError(
            f"{bundle.path}: expected a model with another network for alignment, found one that "
            "aligns with the network that recognises"
        )
    if (directory / CONFIG).exists():
        raise UsageError(f"{directory}: expected no model there, found one")
    graph = _graph(bundle)
    renamed = {
        ALIGNMENT_FILES.network: RECOGNITION_FILES.network,
        ALIGNMENT_FILES.tree: RECOGNITION_FILES.tree,
        ALIGNMENT_FILES.transitions: RECOGNITION_FILES.transitions,
    }
    # The phone language model is that of the other network's criterion.
    left_out = {*renamed.values(), bundle.graph_file, PHONE_MODEL}
    directory.mkdir(parents=True, exist_ok=True)
    for name in config.files:
        if name not in left_out:
            shutil.copyfile(bundle.path / name, directory / renamed.get(name, name))
    graph.save(directory / graph_file(config.first_pass))
    changed = replace(
        config,
        acoustic=aligner.acoustic,
        features=aligner.features,
        graph=aligner.graph,
        search=replace(config.search, acoustic_scale=aligner.acoustic_scale),
        aligner=None,
        results=(),
        files={},  # as they are in the directory
    )
    return write_config(directory, changed)


def _graph(bundle: ModelBundle) -> MappedGraph:
    return first_pass_graph(
        bundle.lexicon,
        bundle.phones,
        bundle.alignment.tree,
        bundle.alignment.transitions,
        bundle.first_pass_lm,
        bundle.config.first_pass,
        bundle.config.alignment.graph,
    )
