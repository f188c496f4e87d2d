"""Alignments in Lhotse's supervision manifests (JSONL), read as JSON without Lhotse."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines

WORDS = ("word", "words")
PHONES = ("phone", "phones", "phoneme", "phonemes")
STATES = ("state", "states", "pdf", "pdfid", "pdf-id")
"""What manifests call the kinds of alignments; the first that a supervision has is read."""


def read_lhotse(
    path: str | os.PathLike[str], *, exclusions: Exclusions | None = None
) -> Iterator[Alignment]:
    """Read the alignments of a supervision manifest, one supervision a line.

    An utterance is called as its supervision. Lhotse's times count from the recording's beginning,
    the alignment's from the supervision's. Supervisions without any of the kinds `WORDS`, `PHONES`
    and `STATES` are left out.

    Args:
        path: `supervisions.jsonl`, perhaps compressed.
        exclusions: counts supervisions without alignment or with impossible times instead of
            raising.

    Raises:
        SpeechError: an unreadable file, a line that is no supervision.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{os.fspath(path)}:{number}"
        utterance, start, tiers = _supervision(where, line)
        found = [_items(where, tiers, names) for names in (WORDS, PHONES, STATES)]
        if all(items is None for items in found):
            kinds = ", ".join(map(repr, tiers)) or "none"
            exclude(
                exclusions, "supervisions without alignment",
                f"{where}: {utterance}: expected an alignment of words or phones, found {kinds}",
            )  # fmt: skip
            continue
        try:
            words, phones, states = (
                tuple(_segment(item, start) for item in items or ()) for items in found
            )
            yield Alignment(utterance, words, phones, states)
        except SpeechError as error:
            exclude(exclusions, "impossible segments", f"{where}: {utterance}: {error}")


def _supervision(where: str, line: str) -> tuple[str, float, dict[str, Any]]:
    """Id, start in seconds and alignments of a line."""
    try:
        value = json.loads(line)
        utterance, start = value["id"], float(value["start"])
        tiers = value.get("alignment") or {}
        if not isinstance(utterance, str) or not isinstance(tiers, dict):
            raise TypeError("id or alignment")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SpeechError(
            f"{where}: expected a supervision in JSON with id, start and alignment, "
            f"found {line.strip()[:60]!r}"
        ) from None
    return utterance, start, tiers


def _items(
    where: str, tiers: dict[str, Any], names: Sequence[str]
) -> list[tuple[str, float, float, float | None]] | None:
    """Symbol, start, duration and score of each item, None if no kind is called so."""
    name = next((name for name in names if name in tiers), None)
    if name is None:
        return None
    items = []
    for item in tiers[name]:
        # Before version 1.8 Lhotse wrote objects in place of lists.
        fields = list(item.values()) if isinstance(item, dict) else item
        try:
            symbol, start, duration, *score = fields
            confidence = None if not score or score[0] is None else float(score[0])
            items.append((str(symbol), float(start), float(duration), confidence))
        except (TypeError, ValueError):
            raise SpeechError(
                f"{where}: {name}: expected [symbol, start, duration, score], found {item!r}"
            ) from None
    return items


def _segment(item: tuple[str, float, float, float | None], offset: float) -> Segment:
    symbol, start, duration, score = item
    # Lhotse rounds sums to eight decimals too.
    begin = max(round(start - offset, 8), 0.0) if start > offset - 1e-4 else start - offset
    end = max(round(start + duration - offset, 8), begin) if duration >= 0 else begin + duration
    return Segment(symbol, begin, end, score)
