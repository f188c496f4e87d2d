"""Training sets aligned into files, with a word on each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from recognizer.alignment.aligned_set import AlignedSet, CorpusAligner
from recognizer.alignment.alignment_file import write_paths
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console


def align_set(
    aligner: CorpusAligner,
    name: str,
    utterances: Sequence[Utterance],
    target: Path,
    *,
    jobs: int | None = None,
    further: Callable[[AlignedSet], str] = lambda _: "",
) -> None:
    """Align a set unless its file is there, write the file, say what was and was not aligned.

    Args:
        aligner: the model that aligns.
        name: of the set, for people.
        utterances: of the set.
        target: file of the transition-ids (`recognizer.alignment.alignment_file`).
        jobs: threads; None for one a core.
        further: what else to say of the result.

    Raises:
        SpeechError: nothing could be aligned.
    """
    if target.exists():
        return
    aligned = aligner.align(utterances, jobs=jobs)
    console.print(
        f"{name}: {len(aligned.paths)} of {len(utterances)} utterances aligned, "
        f"{aligned.unknown.total()} words outside the lexicon "
        f"({len(aligned.unknown)} different){further(aligned)}"
    )
    for utterance, reason in sorted(aligned.failed.items()):
        console.print(f"{name}: {utterance}: not aligned: {reason}", markup=False)
    if not aligned.paths:
        raise SpeechError(f"{name}: expected utterances to align, found none that can be")
    write_paths(target, aligned.paths)
