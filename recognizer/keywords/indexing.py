"""Indexes of corpora and of directories of lattices."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, as_speech_error
from recognizer.data.parallel.threads import thread_map
from recognizer.decoding.keywords.index import (
    IndexBuilder,
    IndexedUtterance,
    IndexSettings,
    KeywordIndex,
)
from recognizer.decoding.keywords.postings import Postings, lattice_postings
from recognizer.decoding.lattice.arc_times import ArcTimes, arc_times
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.lattices.directory import LatticeDirectory
from recognizer.lattices.settings import LatticeSettings
from recognizer.recognizer import Recognizer

MIN_POSTERIOR = 1e-5
"""Arcs less likely than this are left out of an index unless told otherwise."""


def index_corpus(
    corpus: Iterable[Utterance],
    recognizer: Recognizer,
    *,
    min_posterior: float = MIN_POSTERIOR,
    threads: int = 1,
    progress: Callable[[Utterance, SpeechError | None], None] = lambda utterance, error: None,
) -> KeywordIndex:
    """Recognise utterances and index their lattices.

    Args:
        corpus: utterances; transcripts are not read.
        recognizer: the model; words that it does not have are found only if it was given them.
        min_posterior: arcs of lattices that are less likely are left out.
        threads: utterances recognised at the same time.
        progress: told of each utterance in order, with the error if it cannot be read.

    Raises:
        UsageError: an impossible option.
        SpeechError: the model is one of pieces of words, or no utterance could be read.
    """
    known = LatticeSettings.of_recognizer(recognizer)
    settings = _index_settings(known, min_posterior)
    builder = IndexBuilder(settings, recognizer.decoder.graph.words)
    boundaries = known.boundaries
    assert boundaries is not None

    def work(
        utterance: Utterance,
    ) -> tuple[Utterance, tuple[float, CompactLattice, Postings] | SpeechError]:
        try:
            samples = utterance.samples()
            lattice = recognizer.second_pass(
                recognizer.first_pass(recognizer.acoustic_scores(samples))
            ).lattice
            times = arc_times(lattice, boundaries, known.acoustic_scale)
            postings = _postings(lattice, times, known, min_posterior)
            return utterance, (len(samples) / SAMPLE_RATE, lattice, postings)
        except Exception as error:
            return utterance, as_speech_error(error)

    first: SpeechError | None = None
    for utterance, found in thread_map(work, corpus, threads):
        if isinstance(found, SpeechError):
            progress(utterance, found)
            first = first or SpeechError(f"utterance {utterance.id}: {found}")
            continue
        duration, lattice, postings = found
        builder.add(
            IndexedUtterance(utterance.id, utterance.recording, utterance.start, duration),
            postings,
            lattice,
        )
        progress(utterance, None)
    if first is not None and not builder.num_utterances:
        raise SpeechError(f"no utterance could be indexed; the first was {first}")
    return builder.build()


def index_lattices(
    directory: str | os.PathLike[str],
    *,
    min_posterior: float = MIN_POSTERIOR,
    acoustic_scale: float | None = None,
    frame_shift: float | None = None,
) -> KeywordIndex:
    """Index the lattices of a directory; each utterance is a recording of its own.

    Args:
        directory: see `recognizer.lattices.directory`.
        min_posterior: as of `index_corpus`.
        acoustic_scale: in place of that of the files.
        frame_shift: seconds, in place of that of the files.

    Raises:
        UsageError: no such directory, or one without lattices or scale.
        SpeechError: a damaged file, lattices of pieces of words, or no lattice.
    """
    opened = LatticeDirectory.open(
        directory, acoustic_scale=acoustic_scale, frame_shift=frame_shift
    )
    builder = IndexBuilder(
        _index_settings(opened.settings, min_posterior), opened.symbols or ("<eps>",)
    )
    for one in opened.lattices():
        postings = _postings(one.lattice, one.times, one.settings, min_posterior)
        utterance = IndexedUtterance(one.utterance, one.utterance, 0.0, one.duration)
        builder.add(utterance, postings, one.lattice)
    return builder.build()


def _index_settings(settings: LatticeSettings, min_posterior: float) -> IndexSettings:
    if settings.units != "words":
        raise SpeechError(
            f"keyword search: expected a model of whole words, found one of {settings.units}"
        )
    return IndexSettings(settings.frame_shift, min_posterior, settings.text_rules, settings.model)


def _postings(
    lattice: CompactLattice, times: ArcTimes, settings: LatticeSettings, min_posterior: float
) -> Postings:
    scale = settings.confidence_scale
    return lattice_postings(lattice, times, scale * settings.acoustic_scale, scale, min_posterior)
