"""The tables and the figure of a `recognizer.experiments.options`, written into a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import get_args

from recognizer.am.training.engine.curves import plot_curves, read_curve
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import check_directory, replace_text
from recognizer.evaluation.bootstrap import improvement_probability, wer_interval
from recognizer.evaluation.error_counts import total
from recognizer.experiments.options import Candidate, Kind
from recognizer.experiments.results import CandidateResult

BEGIN = "<!-- recognizer experiment tables: begin -->"
END = "<!-- recognizer experiment tables: end -->"

_SURE = 0.95


def check_document(document: Path) -> None:
    """Refuse a document that tables cannot be written into, before long work.

    Raises:
        SpeechError: there is no such directory, the document is no UTF-8 text, its marks are
            not one pair, or matplotlib is missing.
    """
    check_directory(document.parent)
    _parts(document)
    if find_spec("matplotlib") is None:
        raise SpeechError("figures need matplotlib: pip install 'recognizer[train]'")


def write_report(
    results: Sequence[CandidateResult], candidates: Sequence[Candidate], document: Path
) -> None:
    """Write the tables between the two marks of a document, or behind its end; figures beside it.

    Args:
        results: of the networks that are done.
        candidates: all networks, which gives how many are missing.
        document: a Markdown file.

    Raises:
        SpeechError: the marks are not one pair, or the file cannot be written.
    """
    parts = [BEGIN, ""]
    for size, group in groupby(results, key=lambda result: result.candidate.size):
        found = list(group)
        planned = sum(candidate.size == size for candidate in candidates)
        parts += [f"### About {size:,} parameters", ""]
        if len(found) < planned:
            parts += [f"{len(found)} of {planned} networks are done.", ""]
        parts += [*_table(found), "", *_claims(found), ""]
        figure = _figure(found, document.with_name(f"{document.stem}-{size}.svg"))
        parts += [f"![Held-out accuracy while training]({figure.name})", ""]
    parts.append(END)
    before, after = _parts(document)  # as late as can be: others may write into it, too
    document.parent.mkdir(parents=True, exist_ok=True)
    with replace_text(document) as stream:
        stream.write(before + "\n".join(parts) + after)


def _parts(document: Path) -> tuple[str, str]:
    """What stands before and behind the tables of a document."""
    try:
        text = document.read_text(encoding="utf-8") if document.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SpeechError(f"{document}: expected Markdown in UTF-8: {error}") from None
    marks = text.count(BEGIN), text.count(END)
    if marks not in ((0, 0), (1, 1)) or text.find(BEGIN) > text.find(END):
        raise SpeechError(
            f"{document}: expected {BEGIN} and behind it {END}, once each or not at all, "
            f"found {marks[0]} and {marks[1]}"
        )
    if BEGIN not in text:
        return (f"{text.rstrip()}\n\n" if text.strip() else ""), "\n"
    before, _, rest = text.partition(BEGIN)
    return before, rest.partition(END)[2]


def _table(found: Sequence[CandidateResult]) -> Iterator[str]:
    best = min(found, key=lambda result: total(result.rescored).errors)
    words = total(best.rescored).words
    names = (
        "network", "layers", "C", "P", "parameters", "learning rate", "frames, millions",
        "training %", "held-out %", "dev %", "WER %, first pass", f"WER % (errors of {words:,})",
        "95 %", f"{best.candidate.name} is better",
    )  # fmt: skip
    yield f"| {' | '.join(names)} |"
    yield "|---" * len(names) + "|"
    for result in found:
        shape, counts = result.candidate.shape, total(result.rescored)
        interval = wer_interval(result.rescored)
        paired = improvement_probability(result.rescored, best.rescored)
        cells = (
            result.candidate.kind.upper(), shape.depth, shape.cells, shape.projection or "",
            f"{result.candidate.parameters:,}", f"{result.learning_rate:g}",
            f"{result.best_frames / 1e6:.1f} of {result.frames / 1e6:.1f}",
            *(f"{100 * share:.2f}" for share in (
                result.training_accuracy, result.held_out_accuracy, result.dev_accuracy
            )),
            f"{total(result.first_pass).wer:.2f}", f"{counts.wer:.2f} ({counts.errors})",
            f"{interval.low:.2f} to {interval.high:.2f}",
            "" if result is best else f"{paired:.3f}",
        )  # fmt: skip
        yield f"| {' | '.join(map(str, cells))} |"


def _claims(found: Sequence[CandidateResult]) -> Iterator[str]:
    """How the orders of the paper's tables fare here, pair by pair."""
    of = {(result.candidate.kind, result.candidate.shape.depth): result for result in found}
    depths = sorted({layers for _, layers in of})
    kinds: tuple[tuple[str, Kind, Kind], ...] = (
        ("LSTMP better than LSTM of the same depth", "lstmp", "lstm"),
        ("LSTM better than DNN of the same depth", "lstm", "dnn"),
        ("LSTMP better than DNN of the same depth", "lstmp", "dnn"),
    )
    yield (
        "The paper's orders, by word errors after rescoring, with the share of paired bootstrap "
        f"samples in which the claim holds; clear from {_SURE:.0%} on:"
    )
    yield ""
    for claim, one, other in kinds:
        pairs = [((one, d), (other, d), f"{d}") for d in depths]
        yield from _claim(f"{claim}: at depth", pairs, of)
    for kind in get_args(Kind):
        pairs = [((kind, d), (kind, 1), f"{d}") for d in depths if d > 1]
        yield from _claim(f"{kind.upper()} deeper better than one layer: at depth", pairs, of)


def _claim(
    text: str,
    pairs: Sequence[tuple[tuple[Kind, int], tuple[Kind, int], str]],
    of: dict[tuple[Kind, int], CandidateResult],
) -> Iterator[str]:
    verdicts = []
    for better, worse, name in pairs:
        if better not in of or worse not in of:
            continue
        a, b = of[better], of[worse]
        better_sure = improvement_probability(b.rescored, a.rescored)
        worse_sure = improvement_probability(a.rescored, b.rescored)
        wers = f"{total(a.rescored).wer:.2f} against {total(b.rescored).wer:.2f}"
        verdict = "yes" if better_sure >= _SURE else "no" if worse_sure >= _SURE else "not clear"
        verdicts.append(f"{name} {verdict} ({wers}, {better_sure:.3f})")
    if verdicts:
        yield f"* {text} {'; '.join(verdicts)}."


def _figure(found: Sequence[CandidateResult], path: Path) -> Path:
    plot_curves({result.candidate.name: read_curve(result.curve) for result in found}, path)
    return path
