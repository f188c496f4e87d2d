"""Recognise a test set and score both passes."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from recognizer.data.audio.reading import Samples
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError, as_speech_error
from recognizer.data.io.files import check_directory, replace_text
from recognizer.data.parallel.cluster import cluster_map
from recognizer.data.parallel.processes import process_map
from recognizer.evaluation.bootstrap import improvement_probability, wer_interval
from recognizer.evaluation.confidence import (
    ReliabilityBin,
    expected_calibration_error,
    normalized_cross_entropy,
    reliability,
    right_words,
)
from recognizer.evaluation.counts_table import counts_table
from recognizer.evaluation.error_counts import ErrorCounts, grouped, total
from recognizer.evaluation.transcript_files import write_trn
from recognizer.evaluation.word_alignment import alignment_text, count_errors
from recognizer.loaded import loaded_recognizer
from recognizer.recognizer import Recognizer
from recognizer.vocabulary.adaptation import NO_ADAPTATION, Adaptation

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class UtteranceScore:
    """One utterance of a test set.

    Attributes:
        utterance: its id.
        speaker: who speaks.
        reference: the words that were spoken.
        first_pass: the words of the first pass; none if recognition failed.
        rescored: the words of the second pass; none if recognition failed.
        first_pass_counts: errors of the first pass.
        rescored_counts: errors of the second pass.
        audio_seconds: length of the audio.
        num_frames: output frames of the acoustic model.
        seconds: time from reading the audio to the words.
        confidences: of the second pass's words.
        right: which of the second pass's words were said.
        error: why it could not be recognised, or None.
    """

    utterance: str
    speaker: str
    reference: tuple[str, ...]
    first_pass: tuple[str, ...]
    rescored: tuple[str, ...]
    first_pass_counts: ErrorCounts
    rescored_counts: ErrorCounts
    audio_seconds: float
    num_frames: int
    seconds: float
    confidences: tuple[float, ...] = ()
    right: tuple[bool, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class CorpusEvaluation:
    """A scored test set.

    Attributes:
        data: the corpus, as it was named.
        model: the model, as it was named.
        scores: of every utterance, in the corpus's order.
    """

    data: str
    model: str
    scores: tuple[UtteranceScore, ...]

    @property
    def first_pass(self) -> ErrorCounts:
        """Pooled errors of the first pass."""
        return total(score.first_pass_counts for score in self.scores)

    @property
    def rescored(self) -> ErrorCounts:
        """Pooled errors of the second pass."""
        return total(score.rescored_counts for score in self.scores)

    @property
    def failed(self) -> tuple[UtteranceScore, ...]:
        """Utterances that could not be recognised; all their words count as deleted."""
        return tuple(score for score in self.scores if score.error is not None)

    @property
    def reliability(self) -> tuple[ReliabilityBin, ...]:
        """Confidence and accuracy of the second pass's words, in bins of confidence."""
        return reliability(*self._confidences())

    def speaker_table(self) -> str:
        """Word error rates of the second pass by speaker, as a Markdown table.

        Speakers are sorted; intervals are bootstrapped over the utterances of each.
        """
        counts = [score.rescored_counts for score in self.scores]
        speakers = grouped(counts, [score.speaker for score in self.scores])
        rows = [*speakers.items(), (f"all {len(speakers)}", counts)]
        return counts_table("speaker", rows)

    def result(self) -> dict[str, Any]:
        """What ``result.json`` holds: rates in percent; the second pass's at the top."""
        before = [score.first_pass_counts for score in self.scores]
        after = [score.rescored_counts for score in self.scores]
        audio = sum(score.audio_seconds for score in self.scores)
        seconds = sum(score.seconds for score in self.scores)
        frames = sum(score.num_frames for score in self.scores)
        return {
            "data": self.data,
            "model": self.model,
            "utterances": len(self.scores),
            "failed": len(self.failed),
            **_rates(after),
            "first_pass": _rates(before),
            "improvement_probability": improvement_probability(before, after),
            "speakers": self._over_speakers(),
            "confidence": self._calibration(),
            "audio_seconds": round(audio, 2),
            "rtf": round(seconds / audio, 4) if audio else None,
            "frames_per_second": round(frames / seconds, 1) if seconds else None,
        }

    def write(self, directory: str | Path) -> None:
        """Write ``result.json``, sclite's transcripts, speakers, and the alignments of both passes.

        Raises:
            SpeechError: the directory cannot be written.
        """
        directory = Path(directory)
        check_directory(directory)
        directory.mkdir(parents=True, exist_ok=True)
        write_trn(directory / "ref.trn", ((s.utterance, s.reference) for s in self.scores))
        for suffix, hypotheses in (
            ("", [(score.utterance, score.rescored) for score in self.scores]),
            ("-first-pass", [(score.utterance, score.first_pass) for score in self.scores]),
        ):
            write_trn(directory / f"hyp{suffix}.trn", hypotheses)
            with replace_text(directory / f"alignments{suffix}.txt") as stream:
                for score, (utterance, hypothesis) in zip(self.scores, hypotheses, strict=True):
                    text = alignment_text(utterance, score.reference, hypothesis)
                    stream.write(f"{text}\n")
        with replace_text(directory / "utt2spk") as stream:
            stream.writelines(f"{score.utterance} {score.speaker}\n" for score in self.scores)
        with replace_text(directory / "speakers.md") as stream:
            stream.write(self.speaker_table())
        with replace_text(directory / "result.json") as stream:
            json.dump(self.result(), stream, indent=2)
            stream.write("\n")

    def _over_speakers(self) -> dict[str, Any]:
        """How many speakers there are, and the interval of a bootstrap over them."""
        counts = [score.rescored_counts for score in self.scores]
        speakers = grouped(counts, [score.speaker for score in self.scores])
        interval = wer_interval([total(one) for one in speakers.values()])
        return {
            "number": len(speakers),
            "wer_low": round(interval.low, 4),
            "wer_high": round(interval.high, 4),
        }

    def _calibration(self) -> dict[str, Any]:
        """How well confidences fit: `recognizer.evaluation.confidence` defines the measures."""
        confidences, right = self._confidences()
        bins = self.reliability
        return {
            "words": len(right),
            "expected_calibration_error": round(expected_calibration_error(bins), 4),
            "normalized_cross_entropy": round(normalized_cross_entropy(confidences, right), 4),
            "bins": [
                {name: round(value, 4) for name, value in asdict(one).items()} for one in bins
            ],
        }

    def _confidences(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        confidences = [value for score in self.scores for value in score.confidences]
        right = [value for score in self.scores for value in score.right]
        return np.array(confidences, np.float64), np.array(right, np.bool_)


def evaluate(
    corpus: Corpus,
    model: str | Path | None = None,
    *,
    jobs: int = 1,
    progress: Callable[[UtteranceScore], None] = lambda score: None,
    listen: Callable[[Utterance], Samples] = Utterance.samples,
    cluster: str | None = None,
    adaptation: Adaptation = NO_ADAPTATION,
) -> CorpusEvaluation:
    """Recognise and score every utterance of a corpus.

    Args:
        corpus: utterances with their transcripts.
        model: a model directory; None is the English model of this package.
        jobs: processes; each loads the model, so the memory needed grows with them.
        progress: told of each utterance, in order.
        listen: gives the samples that are recognised; it goes to other processes.
        cluster: address of a Ray cluster that works instead of processes of this machine
            (`recognizer.data.parallel.cluster.cluster_map`).
        adaptation: what the recogniser is given at run time. With a neural language model, the
            rescored words are those of the third pass. Where others than this process work,
            language models must be files.

    Raises:
        UsageError: the model cannot take what `adaptation` gives.
        SpeechError: the corpus is empty, the model is damaged, or no utterance at all could be
            recognised. Where only some cannot be, they are scored as deleted and named in their
            `UtteranceScore.error`.
    """
    # Here too: a damaged model is found before any process starts.
    load = functools.partial(loaded_recognizer, model, adaptation=adaptation)
    recognizer = load()
    corpus = corpus.normalized(recognizer.bundle.config.text_rules)
    scores = []
    work = functools.partial(_score, load, listen)
    if cluster is None:
        found = each_utterance(corpus, work, jobs)
    else:
        found = cluster_map(work, _utterances(corpus), cluster, _failed)
    for score in found:
        progress(score)
        scores.append(score)
    if all(score.error is not None for score in scores):
        first = scores[0]
        raise SpeechError(
            f"{corpus.name}: none of {len(scores)} utterances could be recognised, the first "
            f"{first.utterance}: {first.error}"
        )
    return CorpusEvaluation(corpus.name, recognizer.bundle.config.name, tuple(scores))


def each_utterance(
    corpus: Corpus, work: Callable[[Utterance], Answer], jobs: int
) -> Iterator[Answer]:
    """Answers of `work` for each utterance, in order, from `jobs` processes (`process_map`).

    Raises:
        SpeechError: the corpus is empty.
    """
    yield from process_map(work, _utterances(corpus), jobs, corpus.name)


def _utterances(corpus: Corpus) -> Corpus:
    if not len(corpus):
        raise SpeechError(f"{corpus.name}: expected utterances, found none")
    return corpus


def _score(
    load: Callable[[], Recognizer], listen: Callable[[Utterance], Samples], utterance: Utterance
) -> UtteranceScore:
    recognizer = load()
    # The reference is read by now: of what the text rules refuse, nothing would be evaluated.
    reference = utterance.words
    start = time.perf_counter()
    try:
        result = recognizer.recognize_samples(listen(utterance))
        seconds = time.perf_counter() - start
        first, second = result.first_pass.words, result.rescored.words
        return UtteranceScore(
            utterance=utterance.id,
            speaker=utterance.speaker,
            reference=reference,
            first_pass=first,
            rescored=second,
            first_pass_counts=count_errors(reference, first),
            rescored_counts=count_errors(reference, second),
            audio_seconds=result.duration,
            num_frames=result.num_frames,
            seconds=seconds,
            confidences=tuple(word.confidence for word in result.words),
            right=tuple(right_words(reference, second)),
        )
    except Exception as error:
        return _failed(utterance, as_speech_error(error))


def _failed(utterance: Utterance, error: SpeechError) -> UtteranceScore:
    """The score of an utterance that could not be recognised."""
    reference = utterance.words
    nothing = count_errors(reference, ())
    return UtteranceScore(
        utterance=utterance.id,
        speaker=utterance.speaker,
        reference=reference,
        first_pass=(),
        rescored=(),
        first_pass_counts=nothing,
        rescored_counts=nothing,
        audio_seconds=0.0,
        num_frames=0,
        seconds=0.0,
        error=str(error),
    )


def _rates(counts: Sequence[ErrorCounts]) -> dict[str, Any]:
    whole, interval = total(counts), wer_interval(counts)
    return {
        "wer": round(whole.wer, 4) if whole.words else None,
        "wer_low": round(interval.low, 4),
        "wer_high": round(interval.high, 4),
        "errors": whole.errors,
        "words": whole.words,
        "insertions": whole.insertions,
        "deletions": whole.deletions,
        "substitutions": whole.substitutions,
    }
