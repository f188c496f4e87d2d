"""A corpus aligned with its transcripts: words and phones with their times, and their files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from recognizer.alignment.aligned_set import CorpusAligner
from recognizer.alignment.corpus.aligners import read_aligner
from recognizer.alignment.corpus.noise_words import MAX_NOISE, check_noise, unknown_words
from recognizer.alignment.corpus.pronunciation import (
    WordScore,
    pronunciation_scores,
    write_pronunciations,
)
from recognizer.alignment.corpus.quality import (
    QualityOptions,
    UtteranceQuality,
    utterance_qualities,
    write_quality,
)
from recognizer.alignment.corpus.recording_files import (
    AlignmentFormat,
    Unit,
    aligned_recordings,
    check_units,
    write_recordings,
)
from recognizer.alignment.corpus.stress import StressDigits
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import replace_text
from recognizer.decoding.alignment.tolerance import GARBAGE, Tolerance

_NAMED = 10
"""How many words or utterances a line names."""


@dataclass(frozen=True)
class Departure:
    """Where tolerant alignment departs from a transcript.

    Attributes:
        skipped: index and word of each word of the transcript that was not said.
        garbage: start and end in seconds of each stretch of speech that the transcript lacks.
    """

    skipped: tuple[tuple[int, str], ...]
    garbage: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """As `departures.json` has it, times to the millisecond."""
        return {
            "skipped": [{"index": index, "word": word} for index, word in self.skipped],
            "garbage": [
                {"start": round(start, 3), "end": round(end, 3)} for start, end in self.garbage
            ],
        }


@dataclass(frozen=True)
class CorpusAlignment:
    """A corpus aligned with its transcripts.

    Attributes:
        corpus: with the words of the aligner's rule set.
        alignments: words and phones of each utterance that could be aligned, in the corpus's order
            and in the utterance's time.
        failed: why, by the id of each utterance that could not be aligned.
        unknown: words outside the lexicon, aligned with spoken noise, and their counts.
        quality: how well each aligned utterance fits its transcript, by its id.
        pronunciation: how each of its words and phones is pronounced, likewise.
        departures: by utterance, where tolerant alignment departs from the transcript; None if
            alignment was not tolerant.
    """

    corpus: Corpus
    alignments: tuple[Alignment, ...]
    failed: dict[str, str]
    unknown: Counter[str]
    quality: dict[str, UtteranceQuality]
    pronunciation: dict[str, tuple[WordScore, ...]]
    departures: dict[str, Departure] | None = None

    @property
    def suspicious(self) -> list[str]:
        """Utterances whose audio does not fit their transcripts, the most suspicious first."""
        found = [key for key, one in self.quality.items() if one.suspicious]
        return sorted(found, key=lambda key: (-self.quality[key].suspicion, key))

    @property
    def complete(self) -> bool:
        """Whether every recording could be used and every utterance aligned."""
        return not self.failed and not self.corpus.skipped

    def write(
        self,
        directory: str | Path,
        formats: Sequence[AlignmentFormat] = ("textgrid", "ctm"),
        *,
        unit: Unit = "recording",
        pronunciation: bool = False,
    ) -> None:
        """Write the alignments and `quality.csv`; `departures.json` if alignment was tolerant.

        Args:
            directory: is made if it does not exist.
            formats: "textgrid" and "json" for files NAME.TextGrid and NAME.json each, "ctm" for
                words.ctm and phones.ctm of all.
            unit: "recording" writes the alignments of all utterances of a recording together, in
                its own time; "utterance" each by itself.
            pronunciation: write `pronunciation.csv`, too.

        Raises:
            SpeechError: a name that no file can have, utterances of one speaker that overlap in
                their recording, or a file that cannot be written.
        """
        target = Path(directory)
        if set(formats) != {"ctm"}:
            check_units(self.corpus.utterances, unit)
        recordings = aligned_recordings(self.corpus, self.alignments, unit)
        quality = {key: one.to_json() for key, one in self.quality.items()}
        write_recordings(recordings, target, formats, quality)
        if self.departures is not None:
            table = {key: departure.to_json() for key, departure in self.departures.items()}
            with replace_text(target / "departures.json") as stream:
                json.dump(table, stream, indent=2)
                stream.write("\n")
        failed = {**self.corpus.skipped, **self.failed}
        write_quality(target / "quality.csv", self.corpus, self.quality, failed)
        if pronunciation:
            write_pronunciations(target / "pronunciation.csv", self.pronunciation.items())

    def write_one(self, path: str | Path, file_format: Literal["textgrid", "json"]) -> None:
        """Write the alignments of one recording to a file.

        Raises:
            SpeechError: utterances of several recordings, utterances of one speaker that overlap,
                or a file that cannot be written.
        """
        recordings = aligned_recordings(self.corpus, self.alignments, "recording")
        if len(recordings) != 1:
            raise SpeechError(f"{path}: expected one recording, found {len(recordings)}")
        quality = {key: one.to_json() for key, one in self.quality.items()}
        recordings[0].write(Path(path), file_format, quality)

    def lines(self) -> list[str]:
        """For people: a line for each failure and each skipped word, then totals."""
        report = [f"{name}: skipped: {reason}" for name, reason in self.corpus.skipped.items()]
        report += [f"{utterance}: {reason}" for utterance, reason in self.failed.items()]
        for utterance, departure in (self.departures or {}).items():
            report += [
                f"{utterance}: word {index + 1}, {word}: skipped"
                for index, word in departure.skipped
            ]
        if self.suspicious:
            report.append(
                f"{len(self.suspicious)} utterances do not sound like their transcripts: "
                f"{_first(self.suspicious)}"
            )
        words = sum(len(utterance.words) for utterance in self.corpus)
        noise = self.unknown.total()
        most = ", ".join(f"{word} ({count})" for word, count in self.unknown.most_common(_NAMED))
        total = f"{len(self.alignments)} of {len(self.alignments) + len(self.failed)} utterances "
        total += f"aligned; {noise} words outside the lexicon"
        total += f", {100 * noise / words:.1f} % of all, are noise: {most}" if noise else ""
        if self.corpus.skipped:
            total += f"; {len(self.corpus.skipped)} recordings skipped"
        if self.departures is not None:
            total += f"; {len(self.departures)} depart from their transcripts"
        return [*report, total]


def align_corpus(
    corpus: Corpus,
    aligner: CorpusAligner,
    *,
    tolerance: Tolerance | None = None,
    stress: StressDigits | None = None,
    max_noise: float = MAX_NOISE,
    quality: QualityOptions | None = None,
    jobs: int | None = None,
) -> CorpusAlignment:
    """Find when each word and phone of a corpus is spoken.

    Args:
        corpus: its transcripts in words of the aligner's rule set, as `read_aligner` and
            `train_aligner` return it.
        aligner: a model.
        tolerance: lets words be skipped and garbage be said; None for transcripts as they are.
        stress: gives vowels the stress digits of a dictionary.
        max_noise: share of the words that may be without a pronunciation, 0 to 1.
        quality: what counts as suspicious.
        jobs: threads; None for one a core.

    Raises:
        SpeechError: more words without a pronunciation.
    """
    check_noise(corpus, aligner.lexicon, max_noise)
    aligned = aligner.align(corpus.utterances, jobs=jobs, tolerance=tolerance, scored=True)
    alignments = []
    departures: dict[str, Departure] = {}
    for utterance in corpus:
        path = aligned.found.get(utterance.id)
        if path is None:
            continue
        alignment = aligner.segments(utterance, path)
        alignments.append(alignment)
        words = utterance.tokens
        departure = Departure(
            tuple((index, words[index]) for index in path.skipped(words)),
            tuple((one.start, one.end) for one in alignment.words if one.label == GARBAGE),
        )
        if departure.skipped or departure.garbage:
            departures[utterance.id] = departure
    unknown = unknown_words(corpus, aligner.lexicon)
    noise = {key: len(words) for key, words in unknown.items()}
    qualities = utterance_qualities(
        corpus, aligned.found, alignments, noise, aligner.frame_shift, quality
    )
    named = alignments if stress is None else list(map(stress.apply, alignments))
    pronunciation: dict[str, tuple[WordScore, ...]] = {}
    for alignment in named:
        scores = aligned.found[alignment.utterance].scores
        assert scores is not None  # `scored` above
        pronunciation[alignment.utterance] = pronunciation_scores(
            alignment, scores, aligner.frame_shift
        )
    return CorpusAlignment(
        corpus,
        tuple(named),
        {one.id: aligned.failed[one.id] for one in corpus if one.id in aligned.failed},
        aligned.unknown,
        qualities,
        pronunciation,
        None if tolerance is None else departures,
    )


def align_one(
    audio: str | Path,
    transcript: str,
    *,
    model: str | Path | None = None,
    tolerance: Tolerance | None = None,
    beam: float | None = None,
    retry_beam: float | None = None,
) -> Alignment:
    """Find when each word and phone of one recording is spoken.

    Args:
        audio: the recording's file.
        transcript: what is said in it.
        model: a model directory or a trained aligner; None is the English model of this package.
        tolerance: lets words be skipped and garbage be said; None for a transcript as it is.
        beam: of the search, in place of the model's (`AlignOptions`).
        retry_beam: of the second attempt, likewise.

    Returns:
        Words and phones in seconds, called after the file.

    Raises:
        SpeechError: a recording that cannot be read or aligned.
        UsageError: an impossible beam, or one beside a tolerance, which has its own.
    """
    if tolerance is not None and (beam is not None or retry_beam is not None):
        raise UsageError("beam, retry_beam: expected none beside a tolerance, which has a beam")
    path = Path(audio)
    corpus = Corpus(path.stem, (Utterance(path.stem, path, path.stem, transcript),))
    aligner, corpus = read_aligner(model, corpus, beam=beam, retry_beam=retry_beam)
    aligned = align_corpus(corpus, aligner, tolerance=tolerance, max_noise=1.0, jobs=1)
    for reason in aligned.failed.values():
        raise SpeechError(f"{path}: {reason}")
    return aligned.alignments[0]


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
