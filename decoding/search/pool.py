"""Idle native searches, whose buffers serve the next utterances."""

from __future__ import annotations

import threading

from recognizer.decoding import _search

MAX_IDLE_BYTES = 512 << 20


class SearchPool:
    """Searches that no utterance uses at the moment; threads may share it.

    Args:
        max_bytes: memory of all their buffers. A search that would exceed it is let go, so that
            neither one very long utterance nor many at a time leave more behind.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._idle: dict[bool, list[tuple[_search.Search, int]]] = {False: [], True: []}
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Memory of the idle searches' buffers."""
        return self._bytes

    def take(self, best_only: bool) -> _search.Search | None:
        """An idle search for lattices, or for best paths only; None if there is none."""
        with self._lock:
            if not self._idle[best_only]:
                return None
            search, size = self._idle[best_only].pop()
            self._bytes -= size
            return search

    def give_back(self, search: _search.Search, best_only: bool) -> None:
        """Keeps a search for the next utterance, or lets it go."""
        size = sum(search.memory().values())
        with self._lock:
            if self._bytes + size <= self._max_bytes:
                self._idle[best_only].append((search, size))
                self._bytes += size
