"""``recognizer tune``: scales and penalty from development sets into ``model.toml``."""

from __future__ import annotations

import click


@click.command()
@click.argument("model", type=click.Path())
@click.argument("data", nargs=-1, required=True, type=click.Path())
@click.option("--acoustic-scales", metavar="LIST", help="Tried values, separated by commas.")
@click.option("--lm-scales", metavar="LIST", help="Tried values, separated by commas.")
@click.option("--penalties", metavar="LIST", help="Tried word insertion penalties.")
@click.option("--jobs", default=1, show_default=True, help="Processes; each loads the model.")
@click.option("--table", type=click.Path(), help="Write all combinations as a Markdown table.")
@click.option("--dry-run", is_flag=True, help="Leave model.toml as it is.")
def tune(
    model: str,
    data: tuple[str, ...],
    acoustic_scales: str | None,
    lm_scales: str | None,
    penalties: str | None,
    jobs: int,
    table: str | None,
    dry_run: bool,
) -> None:
    """Choose scales and penalty of the model directory MODEL on the development sets DATA.

    Tries every combination of acoustic scale, LM scale and word insertion penalty, takes the one
    with the lowest mean word error rate over the sets, and writes it into MODEL/model.toml. Then
    chooses how sure words' confidences are, so that they fit the words that were right.

    \b
    Example:
      recognizer tune exp/english/model corpora/dev-a corpora/dev-b --jobs 4 --table tuning.md
    """
    from dataclasses import replace
    from pathlib import Path

    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.io.console import progress_bar
    from recognizer.data.io.files import check_directory, replace_text
    from recognizer.evaluation.calibrate import calibrate, write_scale
    from recognizer.evaluation.tune import Grid, write_choice
    from recognizer.evaluation.tune import tune as tune_model

    given = {
        "acoustic_scales": _numbers(acoustic_scales, "--acoustic-scales"),
        "lm_scales": _numbers(lm_scales, "--lm-scales"),
        "word_insertion_penalties": _numbers(penalties, "--penalties"),
    }
    if table is not None:
        check_directory(Path(table).absolute().parent)
    grid = Grid(**{name: values for name, values in given.items() if values is not None})
    # Many sets are called dev: what tells them apart is what the user called them.
    corpora = [replace(read_corpus(path), name=path) for path in data]
    with progress_bar("tuning", sum(len(corpus) for corpus in corpora)) as advance:
        tuning = tune_model(corpora, model, grid, jobs=jobs, progress=advance)
    if table is not None:
        with replace_text(table) as stream:
            stream.write(tuning.table())
    best = tuning.best
    for name, counts in zip(tuning.data, best.counts, strict=True):
        click.echo(f"{counts} {name}")
    click.echo(
        f"acoustic scale {best.acoustic_scale:g}, LM scale {best.rescoring.lm_scale:g}, "
        f"word insertion penalty {best.rescoring.word_insertion_penalty:g}"
    )
    if dry_run:
        return
    write_choice(model, tuning)
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
