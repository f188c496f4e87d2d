"""What was left out of a corpus and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from recognizer.data.errors import SpeechError

EXAMPLES = 3
"""How many things left out for one reason are named."""


@dataclass
class _Reason:
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Drops:
    """Counts, by reason, what was left out, and keeps the first examples."""

    def __init__(self) -> None:
        self._reasons: dict[str, _Reason] = {}

    def add(self, reason: str, example: str) -> None:
        """One thing was left out; the example is a line that says which."""
        found = self._reasons.setdefault(reason, _Reason())
        found.count += 1
        if len(found.examples) < EXAMPLES:
            found.examples.append(example)

    @property
    def counts(self) -> dict[str, int]:
        """How many were left out for each reason, in order of first occurrence."""
        return {reason: found.count for reason, found in self._reasons.items()}

    @property
    def total(self) -> int:
        """How many were left out."""
        return sum(self.counts.values())

    def lines(self) -> list[str]:
        """The report: a line for each reason, and one for each of its examples."""
        report = []
        for reason, found in self._reasons.items():
            report.append(f"{found.count} left out: {reason}")
            report += [f"  {example}" for example in found.examples]
            if found.count > len(found.examples):
                report.append(f"  and {found.count - len(found.examples)} more")
        return report


def refuse(drops: Drops | None, reason: str, message: str) -> None:
    """Count something as left out, or without a count make it an error.

    Args:
        drops: the count when a whole corpus is read, None when every fault matters.
        reason: what all that is left out so has in common.
        message: the one line about this case.

    Raises:
        SpeechError: the message, if nothing counts.
    """
    if drops is None:
        raise SpeechError(message)
    drops.add(reason, message)
