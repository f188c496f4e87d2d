"""Indexes of corpora and of directories of lattices."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import numpy as np

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
from recognizer.decoding.keywords.postings import Postings, concatenated, lattice_postings
from recognizer.decoding.lattice.arc_times import ArcTimes, arc_times
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.lattices.directory import LatticeDirectory
from recognizer.lattices.settings import LatticeSettings
from recognizer.long.recognition import LONG_SECONDS, map_lattices
from recognizer.long.segmentation import SegmentationOptions, Span
from recognizer.recognizer import Recognizer

MIN_POSTERIOR = 1e-5
"""Arcs less likely than this are left out of an index unless told otherwise."""

_NONE = Postings(
    words=np.zeros(0, dtype=np.int32),
    sources=np.zeros(0, dtype=np.int64),
    targets=np.zeros(0, dtype=np.int64),
    begins=np.zeros(0, dtype=np.int32),
    ends=np.zeros(0, dtype=np.int32),
    posteriors=np.zeros(0, dtype=np.float32),
    continuations=np.zeros(0, dtype=np.float32),
)


def index_corpus(
    corpus: Iterable[Utterance],
    recognizer: Recognizer,
    *,
    min_posterior: float = MIN_POSTERIOR,
    threads: int = 1,
    progress: Callable[[Utterance, SpeechError | None], None] = lambda utterance, error: None,
) -> KeywordIndex:
    """Recognise utterances and index their lattices.

    Those of more than a minute are recognised in segments, as by `Recognizer.recognize`; phrases
    are found within segments, which mostly end at silences.

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
    symbols = recognizer.decoder.graph.words
    builder = IndexBuilder(settings, symbols)
    boundaries = recognizer.bundle.labels.boundaries

    def postings(lattice: CompactLattice) -> tuple[Postings, int]:
        times = arc_times(lattice, boundaries, known.acoustic_scale)
        return _postings(lattice, times, known, min_posterior), lattice.num_states

    def work(
        utterance: Utterance,
    ) -> tuple[Utterance, tuple[float, Postings, int] | SpeechError]:
        try:
            samples = utterance.samples()
            duration = len(samples) / SAMPLE_RATE
            if duration > LONG_SECONDS:
                spans = map_lattices(recognizer, [samples], SegmentationOptions(), postings)
                return utterance, (duration, *joined_spans(spans))
            if recognizer.bundle.config.features.num_frames(len(samples)) == 0:
                return utterance, (duration, _NONE, 0)
            lattice = recognizer.first_pass(recognizer.acoustic_scores(samples))
            return utterance, (duration, *postings(recognizer.second_pass(lattice).lattice))
        except Exception as error:
            return utterance, as_speech_error(error)

    first: SpeechError | None = None
    for utterance, found in thread_map(work, corpus, threads):
        if isinstance(found, SpeechError):
            progress(utterance, found)
            first = first or SpeechError(f"utterance {utterance.id}: {found}")
            continue
        duration, of_utterance, num_states = found
        named = IndexedUtterance(utterance.id, utterance.recording, utterance.start, duration)
        builder.add(named, of_utterance, symbols, num_states)
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
        builder.add(utterance, postings, one.lattice.symbols, one.lattice.num_states)
    return builder.build()


def joined_spans(spans: Iterable[tuple[Span, tuple[Postings, int]]]) -> tuple[Postings, int]:
    """The postings of a recording's spans, and above which number there is no state.

    Where a recording was cut without silence, both spans hear what is around the cut: a word is
    taken from the one on whose side of the cut its middle lies.
    """
    parts = [_NONE]
    states, cut = 0, 0
    for span, (postings, num_states) in spans:
        moved = postings.moved(states, span.begin)
        states += num_states
        middles = (moved.begins + moved.ends) / 2.0
        kept = middles >= cut
        if span.cut is not None:
            kept &= middles < span.cut
        parts.append(moved.part(kept))
        cut = span.cut or 0
    return concatenated(parts), states


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
