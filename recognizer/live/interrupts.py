"""An interrupt that ends the recording, not the program."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class HeldInterrupts:
    """For the time of a block, the first SIGINT or SIGTERM is only remembered.

    When the block ends without error, the signal is delivered as it would have been before. A
    second one is delivered at once. In the main thread only.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._held: int | None = None
        self._came = threading.Event()

    def came(self) -> bool:
        """Whether there was a signal."""
        return self._came.is_set()

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if callable(before):  # a shell lets its background jobs ignore interrupts
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._held is not None and kind is None:
            self._before[self._held](self._held, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._held is not None:
            self._before[number](number, frame)
        self._held = number
        self._came.set()
