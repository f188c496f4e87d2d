"""The console for progress and warnings: standard error, so that results stay alone on output."""

from __future__ import annotations

from rich.console import Console

console = Console(stderr=True)
