"""Values that change over a training, such as dropout."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from recognizer.data.errors import UsageError


@dataclass(frozen=True)
class Schedule:
    """A piecewise linear function of the share of a training that is done.

    Attributes:
        points: shares, from 0.0 to 1.0 and rising, and the values there.
    """

    points: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, value: float | str) -> Schedule:
        """Read a number, or text as Kaldi's --trainer.dropout-schedule.

        Args:
            value: the same value all the time, or such as ``0,0@0.20,0.5@0.50,0``: values with
                commas between them, the first at the beginning, the last at the end, and those
                between at the shares behind their ``@``.

        Raises:
            UsageError: it is none of that; the message lacks the option's name.
        """
        try:
            if not isinstance(value, str):
                return cls(((0.0, float(value)), (1.0, float(value))))
            first, *middle, last = (part.split("@") for part in value.split(","))
            (begin,), (end,) = first, last
            between = [(float(share), float(number)) for number, share in middle]
            points = ((0.0, float(begin)), *between, (1.0, float(end)))
        except ValueError:
            raise UsageError(_message(value)) from None
        if any(not one[0] <= other[0] for one, other in pairwise(points)):
            raise UsageError(_message(value))
        return cls(points)

    @property
    def constant(self) -> bool:
        """Whether it is the same value all the time."""
        return len({value for _, value in self.points}) == 1

    def at(self, share: float) -> float:
        """The value after this share of the training, 0 to 1; at a jump the later one."""
        for (begin, first), (end, second) in reversed(list(pairwise(self.points))):
            if share >= begin:
                done = (share - begin) / (end - begin) if end > begin else 1.0
                return first + (second - first) * min(done, 1.0)
        return self.points[0][1]


def _message(value: object) -> str:
    return f'expected a number, or values as in "0,0@0.20,0.5@0.50,0", found {value!r}'
