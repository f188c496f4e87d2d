"""What a reader of a whole corpus excludes, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from recognizer.data.errors import SpeechError

EXAMPLES = 3
"""How many exclusions for one reason are named."""


@dataclass
class _Reason:
    count: int = 0
    examples: list[str] = field(default_factory=list)


class Exclusions:
    """Counts what is excluded, by reason, and keeps the first examples of each reason."""

    def __init__(self) -> None:
        self._reasons: dict[str, _Reason] = {}

    def add(self, reason: str, example: str) -> None:
        """Count one more exclusion; the example is a line that says what is excluded."""
        found = self._reasons.setdefault(reason, _Reason())
        found.count += 1
        if len(found.examples) < EXAMPLES:
            found.examples.append(example)

    def update(self, other: Exclusions) -> None:
        """Count what another count has as well."""
        for reason, found in other._reasons.items():
            known = self._reasons.setdefault(reason, _Reason())
            known.count += found.count
            known.examples += found.examples[: EXAMPLES - len(known.examples)]

    @property
    def counts(self) -> dict[str, int]:
        """How many were excluded for each reason, in order of first occurrence."""
        return {reason: found.count for reason, found in self._reasons.items()}

    @property
    def total(self) -> int:
        """How many were excluded."""
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


def exclude(exclusions: Exclusions | None, reason: str, message: str) -> None:
    """Count something as excluded, or raise an error where nothing may be excluded.

    Args:
        exclusions: the count when a whole corpus is read, None when every fault is an error.
        reason: what all exclusions of this kind have in common.
        message: one line about this case.

    Raises:
        SpeechError: the message, if `exclusions` is None.
    """
    if exclusions is None:
        raise SpeechError(message)
    exclusions.add(reason, message)
