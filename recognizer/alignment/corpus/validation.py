"""What aligning a corpus would meet: faulty recordings, unknown words, transcripts that do not fit.

Whether a transcript fits is tested as Kaldi's ``steps/cleanup`` and the Montreal Forced Aligner's
``validate`` do: each utterance is recognised with a language model of its own transcript
(`recognizer.decoding.alignment.own_words`), and what is heard is compared with the transcript.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.alignment.aligned_set import CorpusAligner, parallel
from recognizer.alignment.corpus.aligners import open_model, read_aligner
from recognizer.alignment.corpus.noise_words import MAX_NOISE, unknown_words
from recognizer.alignment.gmm_aligner import FlatStartModel
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import UsageError, as_speech_error
from recognizer.data.io.files import replace_text
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.transcripts import is_tag
from recognizer.evaluation.word_alignment import count_errors
from recognizer.model.bundle import ModelBundle

_NAMED = 10
_BLOCK = SAMPLE_RATE // 10


@dataclass(frozen=True)
class ValidationOptions:
    """What counts as a fault.

    Attributes:
        silence: dB below full scale; a recording no tenth of a second of which is louder is silent.
        word_error_rate: percent of the transcript; where more of what is heard differs, the
            transcript does not fit.
        max_noise: share of the words that may be without a pronunciation, 0 to 1.
        others: so many of the corpus's most frequent words may be heard in any utterance.
    """

    silence: float = -60.0
    word_error_rate: float = 40.0
    max_noise: float = MAX_NOISE
    others: int = 100

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not self.silence < 0.0:
            raise UsageError(f"silence: expected dB below 0, found {self.silence}")
        if not self.word_error_rate > 0.0:
            raise UsageError(
                f"word_error_rate: expected percent above 0, found {self.word_error_rate}"
            )
        if not 0.0 <= self.max_noise <= 1.0:
            raise UsageError(f"max_noise: expected 0 to 1, found {self.max_noise}")
        if self.others < 0:
            raise UsageError(f"others: expected at least 0, found {self.others}")


@dataclass(frozen=True)
class HeardTranscript:
    """What is heard of an utterance with its own language model.

    Attributes:
        words: the transcript's.
        heard: words that were heard, of the transcript or of the corpus's frequent ones.
        word_error_rate: of the two, percent; words without a pronunciation are left out of both.
    """

    words: tuple[str, ...]
    heard: tuple[str, ...]
    word_error_rate: float


@dataclass(frozen=True)
class UnknownWord:
    """A word that the model's dictionary lacks.

    Attributes:
        word: in its normal form.
        places: utterance and index of each time that it occurs.
        pronunciations: guessed, each with spaces between phones; none if there is no guess.
    """

    word: str
    places: tuple[tuple[str, int], ...]
    pronunciations: tuple[str, ...]


@dataclass(frozen=True)
class CorpusValidation:
    """What aligning a corpus would meet.

    Attributes:
        corpus: with the words of the aligner's rule set.
        unusable: why, by the name of each recording or utterance that would be left out: no
            transcript, unreadable or silent audio, or too little of it.
        unknown: words outside the dictionary, the most frequent first.
        heard: by utterance, what is heard of it.
        options: what counts as a fault.
    """

    corpus: Corpus
    unusable: Mapping[str, str]
    unknown: tuple[UnknownWord, ...]
    heard: Mapping[str, HeardTranscript]
    options: ValidationOptions

    @cached_property
    def unfitting(self) -> tuple[str, ...]:
        """Utterances whose transcripts do not fit, the worst first."""
        rates = {key: one.word_error_rate for key, one in self.heard.items()}
        found = [key for key, rate in rates.items() if rate > self.options.word_error_rate]
        return tuple(sorted(found, key=lambda key: (-rates[key], key)))

    @property
    def noise(self) -> float:
        """Share of the words of the corpus that would be noise."""
        noise = sum(len(one.places) for one in self.unknown if not one.pronunciations)
        return noise / max(sum(len(utterance.words) for utterance in self.corpus), 1)

    @property
    def good(self) -> bool:
        """Whether everything can be aligned and all transcripts fit."""
        return not (self.unusable or self.unfitting or self.noise > self.options.max_noise)

    def write(self, directory: str | Path) -> None:
        """Write what was found.

        `unusable.csv` has a line for each recording or utterance that would be left out;
        `unknown_words.csv` all words outside the dictionary with their places, UTTERANCE:INDEX
        counted from 1; `unknown_words.dict` their guessed pronunciations, which can be corrected
        and added to the dictionary; `transcripts.csv` what is heard, the worst first.

        Raises:
            SpeechError: a file that cannot be written.
        """
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        _write(target / "unusable.csv", ("name", "reason"), self.unusable.items())
        _write(
            target / "unknown_words.csv",
            ("word", "count", "pronunciations", "places"),
            (
                (
                    one.word,
                    len(one.places),
                    "; ".join(one.pronunciations),
                    " ".join(f"{key}:{index + 1}" for key, index in one.places),
                )
                for one in self.unknown
            ),
        )
        with replace_text(target / "unknown_words.dict") as stream:
            for word in self.unknown:
                stream.writelines(f"{word.word}\t{one}\n" for one in word.pronunciations)
        order = sorted(self.heard, key=lambda key: (-self.heard[key].word_error_rate, key))
        _write(
            target / "transcripts.csv",
            ("utterance", "word_error_rate", "fits", "transcript", "heard"),
            (
                (
                    key,
                    f"{self.heard[key].word_error_rate:.1f}",
                    "no" if key in self.unfitting else "yes",
                    " ".join(self.heard[key].words),
                    " ".join(self.heard[key].heard),
                )
                for key in order
            ),
        )

    def lines(self) -> list[str]:
        """For people: a line for each recording that cannot be used, then what else was found."""
        report = [f"{name}: {reason}" for name, reason in self.unusable.items()]
        if self.unknown:
            places = sum(len(one.places) for one in self.unknown)
            guessed = sum(1 for one in self.unknown if one.pronunciations)
            first = ", ".join(f"{one.word} ({len(one.places)})" for one in self.unknown[:_NAMED])
            report.append(
                f"{len(self.unknown)} different words, {places} in all, are outside the "
                f"dictionary, {guessed} of them with a guessed pronunciation: {first}"
                + (", ..." if len(self.unknown) > _NAMED else "")
            )
        if self.noise > self.options.max_noise:
            report.append(
                f"expected pronunciations for at least {100 * (1 - self.options.max_noise):g} % of "
                f"the words, found none for {100 * self.noise:.1f} %"
            )
        if self.unfitting:
            named = ", ".join(self.unfitting[:_NAMED])
            report.append(
                f"{len(self.unfitting)} transcripts do not fit their audio: {named}"
                + (", ..." if len(self.unfitting) > _NAMED else "")
            )
        hours = sum(one.duration for one in self.corpus if one.id in self.heard) / 3600
        report.append(
            f"{len(self.heard)} utterances of {len(self.corpus.speakers)} speakers can be aligned, "
            f"{hours:.2f} hours; {len(self.unusable)} recordings or utterances cannot"
        )
        return report


def validate_corpus(
    corpus: Corpus,
    model: str | Path | ModelBundle | FlatStartModel | None = None,
    *,
    add_lexicon: str | Path | None = None,
    options: ValidationOptions | None = None,
    jobs: int | None = None,
) -> CorpusValidation:
    """Find what aligning a corpus would meet.

    Args:
        corpus: read with `skip_faulty`, so that faulty recordings are listed and do not raise.
        model: a model directory or a trained aligner, perhaps opened; None is the English model of
            this package.
        add_lexicon: a file of further pronunciations, in phones of the model.
        options: what counts as a fault.
        jobs: threads; None for one a core.

    Raises:
        SpeechError: a missing or damaged model or lexicon.
    """
    chosen = options or ValidationOptions()
    opened = model if isinstance(model, ModelBundle | FlatStartModel) else open_model(model)
    aligner, corpus = read_aligner(opened, corpus, add_lexicon=add_lexicon)
    dictionary, _ = read_aligner(opened, corpus, derive=False, add_lexicon=add_lexicon)
    unusable = dict(corpus.skipped)
    usable = []
    faults = parallel(lambda one: _audio_fault(one, chosen.silence), corpus, jobs)
    for utterance, fault in zip(corpus, faults, strict=True):
        if fault is None and not utterance.tokens:
            fault = "no words in its transcript"
        if fault is None:
            usable.append(utterance)
        else:
            unusable[utterance.id] = fault
    heard, failed = _hear(aligner, usable, chosen, jobs)
    return CorpusValidation(
        corpus=corpus,
        unusable=unusable | failed,
        unknown=_unknown(corpus, dictionary.lexicon, aligner.lexicon),
        heard=heard,
        options=chosen,
    )


def _audio_fault(utterance: Utterance, silence: float) -> str | None:
    """Why an utterance's audio cannot be used; None if it can."""
    try:
        level = _loudest(utterance.samples())
    except Exception as error:
        return str(as_speech_error(error))
    if level < 10 ** (silence / 20):
        found = f"{20 * np.log10(level):.0f} dB" if level > 0.0 else "zeros alone"
        return f"{utterance.audio}: expected speech, found nothing above {silence:g} dB: {found}"
    return None


def _loudest(samples: Samples) -> float:
    """Root mean square of the loudest tenth of a second, 1 is full scale."""
    squares = np.square(samples, dtype=np.float64)
    starts = np.arange(0, len(squares), _BLOCK)
    lengths = np.minimum(_BLOCK, len(squares) - starts)
    return float(np.sqrt((np.add.reduceat(squares, starts) / lengths).max()))


def _hear(
    aligner: CorpusAligner,
    utterances: list[Utterance],
    options: ValidationOptions,
    jobs: int | None,
) -> tuple[dict[str, HeardTranscript], dict[str, str]]:
    """What is heard of utterances, and why nothing is."""
    lexicon = aligner.lexicon
    counts = Counter(word for utterance in utterances for word in utterance.words)
    frequent = [word for word, _ in counts.most_common() if word in lexicon]
    found, failed = aligner.hear(utterances, frequent[: options.others], jobs)

    def known(words: Iterable[str]) -> tuple[str, ...]:
        return tuple(word for word in words if word in lexicon and not is_tag(word))

    heard = {}
    for utterance in utterances:
        if utterance.id in found:
            words = known(utterance.tokens)
            said = known(found[utterance.id])
            rate = count_errors(words, said).wer if words else 0.0
            heard[utterance.id] = HeardTranscript(utterance.tokens, found[utterance.id], rate)
    return heard, failed


def _unknown(corpus: Corpus, dictionary: Lexicon, guesses: Lexicon) -> tuple[UnknownWord, ...]:
    places: dict[str, list[tuple[str, int]]] = {}
    for key, words in unknown_words(corpus, dictionary).items():
        for index, word in words:
            places.setdefault(word, []).append((key, index))
    return tuple(
        UnknownWord(
            word,
            tuple(places[word]),
            tuple(" ".join(one.phones) for one in guesses[word]) if word in guesses else (),
        )
        for word in sorted(places, key=lambda one: (-len(places[one]), one))
    )


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    with replace_text(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)
