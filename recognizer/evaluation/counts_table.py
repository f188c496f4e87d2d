"""Error counts of speakers or of systems as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recognizer.evaluation.bootstrap import wer_interval
from recognizer.evaluation.error_counts import ErrorCounts, total


def counts_table(heading: str, rows: Iterable[tuple[str, Sequence[ErrorCounts]]]) -> str:
    """A row for each name: utterances, words, rate with its interval, and the kinds of errors.

    Args:
        heading: of the first column.
        rows: names, each with the counts of its utterances.
    """
    names = (heading, "utterances", "words", "WER %", "95 %", "ins", "del", "sub")
    lines = [names, ("---", *("---:",) * (len(names) - 1))]
    for name, counts in rows:
        whole, interval = total(counts), wer_interval(counts)
        lines.append(
            (
                name.replace("|", "\\|"),
                f"{len(counts):,}",
                f"{whole.words:,}",
                f"{whole.wer:.2f}",
                f"{interval.low:.2f} to {interval.high:.2f}",
                f"{whole.insertions:,}",
                f"{whole.deletions:,}",
                f"{whole.substitutions:,}",
            )
        )
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
