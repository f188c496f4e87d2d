"""Whether alignments and a corpus belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from recognizer.data.alignments.alignment import Alignment
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError

TOLERANCE = 0.05
"""Seconds by which an alignment may be longer than its audio: frames reach beyond the end."""


def of_corpus(
    alignments: Iterable[Alignment],
    utterances: Sequence[Utterance],
    *,
    source: Path,
    data: Path,
    tolerance: float = TOLERANCE,
    exclusions: Exclusions | None = None,
) -> Iterator[Alignment]:
    """The alignments that have audio and are not longer than it.

    Args:
        alignments: at most one an utterance.
        utterances: the corpus.
        source: where the alignments are from, for messages.
        data: where the corpus is, for messages.
        tolerance: seconds by which an alignment may be longer than its audio.
        exclusions: counts what does not belong together instead of raising, and utterances
            without an alignment.

    Raises:
        SpeechError: none of the alignments can be used, or without `exclusions` any of them.
    """
    left = {utterance.id: utterance for utterance in utterances}
    kept = 0
    for alignment in alignments:
        key = alignment.utterance
        utterance = left.pop(key, None)
        if utterance is None:
            exclude(
                exclusions, "alignments without audio",
                f"{source}: {key}: expected an utterance of {data}, found none",
            )  # fmt: skip
        elif alignment.end > utterance.duration + tolerance:
            exclude(
                exclusions, f"alignments more than {tolerance:g} s longer than their audio",
                f"{source}: {key}: expected an end by {utterance.duration:.3f} s, found "
                f"{alignment.end:.3f} s",
            )  # fmt: skip
        else:
            kept += 1
            yield alignment
    if not kept:
        lines = [] if exclusions is None else exclusions.lines()
        first = "".join(f"; {line.strip()}" for line in lines[:2])
        raise SpeechError(
            f"{source}: expected alignments of utterances of {data}, found none{first}"
        )
    if exclusions is not None:
        for key in left:
            exclusions.add("utterances without alignment", f"{data}: {key}")
