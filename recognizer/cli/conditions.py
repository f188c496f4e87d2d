"""``recognizer conditions``: word error rates of test sets in noise, in rooms, after channels."""

from __future__ import annotations

import click


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path())
@click.option(
    "--model",
    "models",
    metavar="DIR",
    multiple=True,
    type=click.Path(),
    help="A model directory; given twice, the two are compared [default: English].",
)
@click.option(
    "--condition",
    "conditions",
    metavar="NAME",
    multiple=True,
    help="One of the conditions; may be given several times [default: all].",
)
@click.option(
    "--noise",
    metavar="PATTERN",
    multiple=True,
    help="Files or directories of noise that the models were not trained with.",
)
@click.option(
    "--utterances", type=click.IntRange(min=1), metavar="N", help="Only N, spread over each set."
)
@click.option("--seed", default=0, show_default=True, help="Of noises, rooms and the like.")
@click.option("--jobs", default=1, show_default=True, help="Processes; each loads the model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def conditions(
    data: tuple[str, ...],
    models: tuple[str, ...],
    conditions: tuple[str, ...],
    noise: tuple[str, ...],
    utterances: int | None,
    seed: int,
    jobs: int,
    as_json: bool,
) -> int:
    """Recognise the test sets DATA as they are and under other conditions.

    Conditions: clean; noise_20, noise_10 and noise_5 (dB); reverberation (simulated rooms);
    telephone (300 to 3400 Hz, mu-law); gsm; mp3_32 (kbit/s); quiet_40 (40 dB quieter). Prints
    tables of the rescored pass with 95 % intervals of a bootstrap over utterances. Two models are
    compared by the paired bootstrap on the same changed recordings, which follow from the seed.
    Reverberation needs recognizer[rooms], mp3 recognizer[media].

    \b
    Examples:
      recognizer conditions data/dev --noise 'esc10-noise/*/5-*' --jobs 2
      recognizer conditions data/dev --model old --model new --condition quiet_40 --json
    """
    import json
    from dataclasses import replace

    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.errors import UsageError
    from recognizer.data.io.console import progress_bar
    from recognizer.evaluation.conditions import CONDITIONS, evaluate_conditions
    from recognizer.evaluation.evaluate import UtteranceScore

    chosen = tuple(dict.fromkeys(conditions)) or CONDITIONS
    if len(models) > 2 or len(set(models)) < len(models):
        raise UsageError(f"--model: expected one or two, found {', '.join(models)}")
    if len(set(data)) < len(data):
        raise UsageError(f"expected distinct test sets, found {', '.join(data)}")
    if seed < 0:
        raise UsageError(f"--seed: expected a number >= 0, found {seed}")

    corpora = [replace(read_corpus(path), name=path) for path in data]
    if utterances is not None:
        corpora = [corpus.spread(utterances) for corpus in corpora]
    of_name: dict[str, str | None] = {name: name for name in models}
    failed: list[UtteranceScore] = []
    total = sum(map(len, corpora)) * max(1, len(of_name)) * len(chosen)
    with progress_bar("conditions", total) as advance:

        def progress(score: UtteranceScore) -> None:
            advance()
            if score.error is not None:
                failed.append(score)

        table = evaluate_conditions(
            corpora,
            of_name or {"English": None},
            chosen,
            noise=noise,
            seed=seed,
            jobs=jobs,
            progress=progress,
        )
    click.echo(json.dumps(table.result(), indent=2) if as_json else table.table(), nl=as_json)
    if failed:
        report(
            "recognizer conditions",
            f"could not be recognised: {len(failed)} of {total}, the first "
            f"{failed[0].utterance}: {failed[0].error}",
        )
        return 1
    return 0
