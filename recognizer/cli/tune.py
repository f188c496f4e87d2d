"""``recognizer tune``: scales and penalty from development sets into ``model.toml``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recognizer.cli.adaptation import adaptation_options

if TYPE_CHECKING:
    from recognizer.vocabulary.adaptation import Adaptation


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, required=True, type=click.Path())
@click.option("--acoustic-scales", metavar="LIST", help="Tried values, separated by commas.")
@click.option("--lm-scales", metavar="LIST", help="Tried values, separated by commas.")
@click.option("--penalties", metavar="LIST", help="Tried word insertion penalties.")
@click.option("--jobs", default=1, show_default=True, help="Processes; each loads the model.")
@click.option("--table", type=click.Path(), help="Write all combinations as a Markdown table.")
@click.option("--dry-run", is_flag=True, help="Leave model.toml as it is.")
@click.option(
    "--lm-weights", metavar="LIST", help="Tried weights of --lm [default: 0.05, 0.1, 0.2 to 0.9]."
)
@click.option("--neural-weights", metavar="LIST", help="Tried weights of --neural-lm.")
@adaptation_options(neural=True, weights=False)
def tune(
    model: str,
    data: tuple[str, ...],
    acoustic_scales: str | None,
    lm_scales: str | None,
    penalties: str | None,
    jobs: int,
    table: str | None,
    dry_run: bool,
    lm_weights: str | None,
    neural_weights: str | None,
    adaptation: Adaptation,
) -> None:
    """Choose scales and penalty of the model directory MODEL on the development sets DATA.

    Tries every combination of acoustic scale, LM scale and word insertion penalty, takes the one
    with the lowest mean word error rate over the sets, and writes it into MODEL/model.toml. Then
    chooses how sure words' confidences are, so that they fit the words that were right. With
    --neural-lm, the weight of the neural model beside the n-gram model is chosen last, at these
    scales.

    With --lm, the weight of a domain's language model is chosen as well. --words and --boost are
    those of recognize. None of these is a part of the model: with them, model.toml stays as it is,
    and scales and penalty are the model's own unless other values are given.

    \b
    Examples:
      recognizer tune exp/english/model corpora/dev-a corpora/dev-b --jobs 4 --table tuning.md
      recognizer tune exp/english/model corpora/minutes-dev --lm minutes.txt
    """
    from dataclasses import replace
    from pathlib import Path

    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.io.console import progress_bar
    from recognizer.data.io.files import check_directory, replace_text
    from recognizer.evaluation.calibrate import calibrate, write_scale
    from recognizer.evaluation.tune import LM_WEIGHTS, Grid, write_choice
    from recognizer.evaluation.tune import tune as tune_model
    from recognizer.evaluation.tune_neural import NEURAL_WEIGHTS, tune_neural, write_weight
    from recognizer.model.bundle import ModelBundle

    weights = _numbers(lm_weights, "--lm-weights")
    if weights is not None and adaptation.lm is None:
        raise click.UsageError("--lm-weights goes with --lm")
    neural_lm, adaptation = adaptation.neural_lm, replace(adaptation, neural_lm=None)
    given = {
        "acoustic_scales": _numbers(acoustic_scales, "--acoustic-scales"),
        "lm_scales": _numbers(lm_scales, "--lm-scales"),
        "word_insertion_penalties": _numbers(penalties, "--penalties"),
    }
    tried_neural = _numbers(neural_weights, "--neural-weights")
    if tried_neural is not None and neural_lm is None:
        raise click.UsageError("--neural-weights goes with --neural-lm")
    if neural_lm is not None and adaptation.given:
        raise click.UsageError("--neural-lm goes with none of --words, --boost and --lm")
    if table is not None:
        check_directory(Path(table).absolute().parent)
    if adaptation.given:
        config = ModelBundle(model).config
        own = {
            "acoustic_scales": (config.search.acoustic_scale,),
            "lm_scales": (config.rescoring.lm_scale,),
            "word_insertion_penalties": (config.rescoring.word_insertion_penalty,),
        }
        given = {name: given[name] or values for name, values in own.items()}
    grid = Grid(**{name: values for name, values in given.items() if values is not None})
    # Many sets are called dev: what tells them apart is what the user called them.
    corpora = [replace(read_corpus(path), name=path) for path in data]
    with progress_bar("tuning", sum(len(corpus) for corpus in corpora)) as advance:
        tuning = tune_model(
            corpora,
            model,
            grid,
            jobs=jobs,
            progress=advance,
            adaptation=adaptation,
            lm_weights=LM_WEIGHTS if weights is None else weights,
        )
    if table is not None:
        with replace_text(table) as stream:
            stream.write(tuning.table())
    best = tuning.best
    for name, counts in zip(tuning.data, best.counts, strict=True):
        click.echo(f"{counts} {name}")
    weight = "" if adaptation.lm is None else f"LM weight {best.search.lm_weight:g}, "
    click.echo(
        f"{weight}acoustic scale {best.acoustic_scale:g}, LM scale {best.rescoring.lm_scale:g}, "
        f"word insertion penalty {best.rescoring.word_insertion_penalty:g}"
    )
    neural_tuning = None
    if neural_lm is not None:
        with progress_bar("neural weights", sum(len(corpus) for corpus in corpora)) as advance:
            neural_tuning = tune_neural(
                corpora,
                model,
                neural_lm,
                tried_neural or NEURAL_WEIGHTS,
                acoustic_scale=best.acoustic_scale,
                rescoring=best.rescoring,
                jobs=jobs,
                progress=advance,
            )
        for one in neural_tuning.counts:
            click.echo(f"neural weight {one:g}: mean WER {neural_tuning.wer(one):.2f}")
        click.echo(f"neural weight {neural_tuning.best:g}")
    if dry_run or adaptation.given:
        return
    write_choice(model, tuning)
    if neural_tuning is not None:
        write_weight(model, neural_tuning)
    with progress_bar("confidences", sum(len(corpus) for corpus in corpora)) as advance:
        calibration = calibrate(corpora, model, jobs=jobs, progress=advance)
    write_scale(model, calibration)
    click.echo(
        f"confidence scale {calibration.best:g}, "
        f"normalised cross entropy {calibration.normalized[calibration.best]:.3f}"
    )


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(
            f"expected numbers separated by commas, found {text!r}", param_hint=option
        ) from None
