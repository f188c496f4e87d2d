"""The variant of a model whose first pass searches a static graph."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from recognizer.data.errors import UsageError
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.config import FirstPassOptions
from recognizer.model.files import CONFIG, graph_file
from recognizer.model.first_pass_graph import graph_of_bundle

STATIC = FirstPassOptions(search="static", backoff="epsilon")


def make_static(model: str | Path | None, output: str | Path) -> ModelBundle:
    """Copy a model, with HCLG (or TLG, of characters) instead of its graph.

    Args:
        model: the model directory; None is the English model of this package.
        output: the new directory.

    Raises:
        UsageError: there is no such model, or the new directory is there already.
        SpeechError: the model is damaged, or the directory cannot be written.
    """
    bundle, directory = ModelBundle(model), Path(output)
    if (directory / CONFIG).exists():
        raise UsageError(f"{directory}: expected no model there, found one")
    graph = graph_of_bundle(bundle, STATIC)
    directory.mkdir(parents=True, exist_ok=True)
    for name in bundle.config.files:
        if name != bundle.graph_file:
            shutil.copyfile(bundle.path / name, directory / name)
    graph.save(directory / graph_file(STATIC, bundle.config.acoustic.kind))
    return write_config(directory, replace(bundle.config, first_pass=STATIC, results=()))
