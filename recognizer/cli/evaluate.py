"""``recognizer evaluate``: word error rates of both passes on a test set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recognizer.cli.adaptation import adaptation_options

if TYPE_CHECKING:
    from recognizer.data.corpora.corpus import Corpus
    from recognizer.vocabulary.adaptation import Adaptation


@click.command()
@click.argument("data", type=click.Path())
@click.option(
    "--model", metavar="DIR", type=click.Path(), help="A model directory [default: English]."
)
@click.option(
    "--out", metavar="DIR", type=click.Path(), help="Write result.json, .trn files, alignments."
)
@click.option("--speakers", is_flag=True, help="Print a table of the speakers' error rates.")
@click.option(
    "--phones",
    is_flag=True,
    help="Print the phone error rate instead: what the network hears without any words.",
)
@click.option(
    "--greedy",
    is_flag=True,
    help="Print the errors of a CTC network alone: its likeliest character in every frame.",
)
@click.option("--jobs", default=1, show_default=True, help="Processes; each loads the model.")
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Recognise on a Ray cluster (auto: the one that this machine belongs to), whose machines "
    "all have DATA and the model under the same names.",
)
@click.option("--channel", type=click.IntRange(min=1), metavar="N", help="As in recognize.")
@click.option("--allow-pipes", is_flag=True, help="Run the commands that wav.scp names.")
@adaptation_options(neural=True)
def evaluate(
    data: str,
    model: str | None,
    out: str | None,
    speakers: bool,
    phones: bool,
    greedy: bool,
    jobs: int,
    cluster: str | None,
    channel: int | None,
    allow_pipes: bool,
    adaptation: Adaptation,
) -> int:
    """Recognise the test set DATA and print word error rates.

    DATA is a Kaldi data directory (wav.scp, text, ...), a directory with Lhotse's manifests of
    recordings and supervisions (or the latter file), or a LibriSpeech tree. The last two lines
    are Kaldi's %WER lines of the first pass and of the rescored pass; errors are counted as
    sclite does. An utterance that cannot be read counts as deleted, and the exit code is then 1;
    where none can be, that is all that is printed.

    With --neural-lm, "rescored" is the third pass: the second one's lattices are rescored with
    the neural language model.

    --out DIR gets result.json (rates with intervals, calibration of confidences), ref.trn,
    hyp.trn and utt2spk, speakers.md (a table of speakers), and alignments.txt; recognizer compare
    takes two such directories, recognizer plot reliability one or more.

    With --phones, no words are recognised: all phones in any order, without a language model, are
    compared with those of the transcripts' forced alignment; a network of lattice-free MMI is heard
    beside the phone language model that it was trained against. --out DIR gets ref.trn and hyp.trn
    of phones; --jobs are threads.

    With --greedy, a model of kind "ctc" spells without search, graph and language models; errors
    are those of characters and of words. --out DIR gets ref.trn and hyp.trn; --jobs are threads.

    --words, --boost and --lm are those of recognize.

    \b
    Example:
      recognizer evaluate data/dev --out exp/dev --jobs 4
      recognizer evaluate data/dev --phones
      recognizer evaluate data/dev --model exp/english_ctc/model --greedy
      recognizer evaluate data/dev --words names.txt --lm minutes.txt
      sctk sclite -r exp/dev/ref.trn trn -h exp/dev/hyp.trn trn -i rm -o sum stdout
    """
    if cluster is not None and jobs != 1:
        raise click.UsageError("--jobs does not go with --cluster")
    alone = "--phones" if phones else "--greedy"
    if phones and greedy:
        raise click.UsageError("--phones does not go with --greedy")
    if (phones or greedy) and (speakers or cluster is not None):
        raise click.UsageError(f"{alone} goes with neither --speakers nor --cluster")
    if (phones or greedy) and adaptation.given:
        name = adaptation.given[0].replace("_", "-")
        raise click.UsageError(f"{alone} does not go with --{name}")

    import sys
    from contextlib import nullcontext, redirect_stdout
    from dataclasses import replace
    from pathlib import Path

    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import read_corpus
    from recognizer.data.io.console import progress_bar
    from recognizer.data.io.files import check_directory
    from recognizer.evaluation.evaluate import UtteranceScore
    from recognizer.evaluation.evaluate import evaluate as evaluate_corpus

    if out is not None:
        check_directory(Path(out))
    corpus = replace(read_corpus(data, allow_pipes=allow_pipes), name=data)
    if channel is not None:
        corpus = corpus.of_channel(channel)
    if phones or greedy:
        return _evaluate_network(corpus, model, out, jobs, phones=phones)
    held_back: list[UtteranceScore] = []
    recognised = False
    with progress_bar(corpus.name, len(corpus)) as advance:

        def progress(score: UtteranceScore) -> None:
            """Tell of failures, but only once one utterance is recognised: see `evaluate`."""
            nonlocal recognised
            advance()
            if score.error is not None:
                held_back.append(score)
            recognised = recognised or score.error is None
            if recognised:
                for failed in held_back:
                    report("recognizer evaluate", f"{failed.utterance}: {failed.error}")
                held_back.clear()

        # Ray prints messages of its own to standard output.
        with nullcontext() if cluster is None else redirect_stdout(sys.stderr):
            evaluation = evaluate_corpus(
                corpus,
                model,
                jobs=jobs,
                progress=progress,
                cluster=cluster,
                adaptation=adaptation,
            )
    result = evaluation.result()
    if out is not None:
        evaluation.write(out)
    if speakers:
        click.echo(evaluation.speaker_table())
    click.echo(
        f"{result['utterances']} utterances, {result['audio_seconds']} s of audio, "
        f"RTF {result['rtf']}, {result['frames_per_second']} frames per second"
    )
    for label, rates in (("first pass", result["first_pass"]), ("rescored", result)):
        click.echo(f"{label}: 95 % interval {rates['wer_low']:.2f} to {rates['wer_high']:.2f}")
    click.echo(
        f"expected calibration error of {result['confidence']['words']} words' confidences: "
        f"{result['confidence']['expected_calibration_error']:.4f}"
    )
    click.echo(
        "probability that rescoring improves (paired bootstrap): "
        f"{result['improvement_probability']:.4f}"
    )
    click.echo(f"{evaluation.first_pass} first-pass")
    click.echo(f"{evaluation.rescored} rescored")
    if evaluation.failed:
        report(
            "recognizer evaluate",
            f"could not be read: {len(evaluation.failed)} of {len(evaluation.scores)} utterances",
        )
        return 1
    return 0


def _evaluate_network(
    corpus: Corpus, model: str | None, out: str | None, jobs: int, *, phones: bool
) -> int:
    """What --phones and --greedy ask for; returns the exit code."""
    from recognizer.cli.run import report
    from recognizer.evaluation.greedy_errors import GreedyEvaluation, evaluate_greedy
    from recognizer.evaluation.phone_errors import PhoneEvaluation, evaluate_phones

    found: PhoneEvaluation | GreedyEvaluation
    if phones:
        found = evaluate_phones(corpus, model, jobs=jobs)
    else:
        found = evaluate_greedy(corpus, model, jobs=jobs)
    for utterance, reason in found.failed.items():
        report("recognizer evaluate", f"{utterance}: {reason}")
    if out is not None:
        found.write(out)
    for line in found.lines():
        click.echo(line)
    return 1 if found.failed else 0
