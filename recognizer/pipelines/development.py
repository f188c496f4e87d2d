"""What recipes that make a model have in common: its record, its tuning, its measurement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recognizer.data.corpora.corpus import Corpus, Utterance, read_corpus
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console, progress_bar
from recognizer.data.io.files import replace_text
from recognizer.data.io.options import to_table
from recognizer.evaluation.calibrate import calibrate, write_scale
from recognizer.evaluation.evaluate import CorpusEvaluation, evaluate
from recognizer.evaluation.tune import Grid, tune, write_choice
from recognizer.model import config as model_config
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.pipelines.recipe import Recipe, TrainingSet


def development_sets(names: Sequence[str], corpora: Path) -> list[Corpus]:
    """The sets of a recipe, by the names that it gives them.

    Raises:
        SpeechError: a set is missing or damaged.
    """
    return [replace(read_corpus(corpora / name), name=name) for name in names]


def training_record(one: TrainingSet, utterances: Iterable[Utterance]) -> model_config.TrainingData:
    """What a model records of a set that it was trained on."""
    known = list(utterances)
    return model_config.TrainingData(
        one.data,
        one.licence,
        hours=round(sum(u.duration for u in known) / 3600, 2),
        words=sum(len(u.words) for u in known),
        teacher=one.teacher(),
    )


def model_options(recipe: Recipe) -> dict[str, Any]:
    """Plain values (JSON) of a recipe that change the model directory, but none of its parts."""
    table = to_table(recipe)
    options = {
        key: table[key]
        for key in ("name", "language", "licence", "search", "lattice", "description")
    }
    # Added where they matter, so that other recipes need not run anew.
    if recipe.acoustic.precision:
        options["precision"] = recipe.acoustic.precision
    if recipe.acoustic.storage != "float32":
        options["storage"] = recipe.acoustic.storage
    return options


def config_of(
    recipe: Recipe,
    acoustic: model_config.AcousticConfig,
    training_data: tuple[model_config.TrainingData, ...],
    aligner: model_config.AcousticSettings | None = None,
) -> model_config.ModelConfig:
    """What ``model.toml`` says of a recipe's model.

    Args:
        recipe: what is made.
        acoustic: its acoustic model.
        training_data: what it was trained on.
        aligner: another acoustic model of the directory, which aligns.
    """
    return model_config.ModelConfig(
        name=recipe.name,
        language=recipe.language,
        licence=recipe.licence,
        description=recipe.description,
        acoustic=acoustic,
        features=recipe.acoustic.features,
        text_rules=recipe.rules,
        units="words" if recipe.pieces is None else "pieces",
        graph=recipe.graph,
        aligner=aligner,
        first_pass=recipe.first_pass,
        search=recipe.search,
        lattice=recipe.lattice,
        training_data=training_data,
        record=to_table(recipe),
    )


def tune_model(
    model: Path, corpora: Sequence[Corpus], grid: Grid, directory: Path, *, jobs: int = 1
) -> None:
    """Choose a model's scales, penalty and scale of confidences; writes them into it.

    Args:
        model: the model directory.
        corpora: development sets.
        grid: what to try.
        directory: gets ``tuning.md``, the table of all that was tried.
        jobs: processes.

    Raises:
        SpeechError: an utterance cannot be recognised, or a damaged model.
    """
    utterances = sum(len(corpus) for corpus in corpora)
    with progress_bar("tuning", utterances) as advance:
        tuning = tune(corpora, model, grid, jobs=jobs, progress=advance)
    with replace_text(directory / "tuning.md") as stream:
        stream.write(tuning.table())
    write_choice(model, tuning)
    with progress_bar("confidences", utterances) as advance:
        calibration = calibrate(corpora, model, jobs=jobs, progress=advance)
    write_scale(model, calibration)
    for name, counts in zip(tuning.data, tuning.best.counts, strict=True):
        console.print(f"{counts} {name}")


def evaluated(corpus: Corpus, model: Path, *, jobs: int = 1) -> CorpusEvaluation:
    """What a model makes of a development set, every utterance of it.

    Raises:
        SpeechError: an utterance cannot be recognised, or a damaged model.
    """
    with progress_bar(corpus.name, len(corpus)) as advance:
        evaluation = evaluate(corpus, model, jobs=jobs, progress=lambda _: advance())
    if evaluation.failed:
        first = evaluation.failed[0]
        raise SpeechError(f"{corpus.name}: {first.utterance}: {first.error}")
    return evaluation


def measure_model(
    model: Path, corpora: Sequence[Corpus], directory: Path, *, jobs: int = 1
) -> None:
    """Measure a model's error rates; writes them into it.

    Args:
        model: the model directory.
        corpora: development sets.
        directory: gets a directory of results for each.
        jobs: processes.

    Raises:
        SpeechError: an utterance cannot be recognised, or a damaged model.
    """
    results = []
    for corpus in corpora:
        evaluation = evaluated(corpus, model, jobs=jobs)
        evaluation.write(directory / corpus.name.replace("/", "-"))
        found = evaluation.result()
        results.append(
            model_config.ErrorRates(
                data=corpus.name,
                utterances=found["utterances"],
                words=found["words"],
                first_pass_wer=found["first_pass"]["wer"],
                wer=found["wer"],
                wer_low=found["wer_low"],
                wer_high=found["wer_high"],
            )
        )
        console.print(f"{corpus.name}: {evaluation.first_pass} first-pass")
        console.print(f"{corpus.name}: {evaluation.rescored} rescored")
    config = ModelBundle(model).config
    write_config(model, replace(config, results=tuple(results)))
