"""Whisper as a teacher: batches of short utterances, each in a window of its own length.

Whisper (Radford et al. 2022) was trained on windows of 30 seconds, and programs pad every file to
that length: an utterance of five seconds costs as much as one of thirty. The encoder takes shorter
windows too. In them the decoder often does not notice where speech ends and says the utterance
again; the times that it gives to its segments show it, so that the repetition can be cut off (see
`spoken_segments`). A window two seconds longer than the utterance costs a quarter, and the words
that remain are as good as those of the long window.

Decoding is a beam search at temperature 0 without earlier text as context. The confidence of a word
is the mean probability of its tokens, given the ones before (as faster-whisper computes it).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.transcription.transcript import Transcript, failed

WINDOW_SECONDS = 30.0
"""The longest window, that of Whisper's training."""

PADDING_SECONDS = 2.0
"""Silence after the longest utterance of a batch."""

BEAM = 5

_TOKENS_A_SECOND = 8
_TIME_STEP = 0.02  # seconds from one time token to the next
_NO_SPEECH = 0.6  # Whisper's own limits: no speech if this is likely and the words are not
_LEAST_LOG_PROB = -1.0

Segment = tuple[float, list[int]]
"""Start in seconds, and tokens of text."""


class WhisperTeacher:
    """A Whisper model in CTranslate2's form, rounded to int8, on one thread.

    Args:
        directory: with model.bin, config.json, tokenizer.json and the vocabulary.
        language: code of the language, such as "en".

    Raises:
        SpeechError: a missing or damaged file, or a language that the model does not know.
    """

    batch = 8

    def __init__(self, directory: Path, language: str) -> None:
        import ctranslate2
        import tokenizers
        from faster_whisper.feature_extractor import FeatureExtractor
        from faster_whisper.tokenizer import Tokenizer

        try:
            self._model = ctranslate2.models.Whisper(
                str(directory), device="cpu", compute_type="int8", intra_threads=1
            )
            self._tokenizer = Tokenizer(
                tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json")),
                self._model.is_multilingual,
                task="transcribe",
                language=language,
            )
        except Exception as error:  # tokenizers raises nothing more specific
            found = " ".join(str(error).split())
            raise SpeechError(
                f"{directory}: expected a Whisper model in CTranslate2's form: {found}"
            ) from error
        if not self._model.is_multilingual and language != "en":
            raise SpeechError(f"{directory}: expected the language 'en', found {language!r}")
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._prompt = list(self._tokenizer.sot_sequence)

    def transcribe(self, utterances: Sequence[Utterance]) -> list[Transcript]:
        """See `Teacher`; utterances that are longer than Whisper's window fail."""
        found: dict[str, Transcript] = {}
        samples: list[tuple[Utterance, npt.NDArray[np.float32]]] = []
        for one in utterances:
            try:
                audio = one.samples()
                seconds = len(audio) / SAMPLE_RATE
                if seconds > WINDOW_SECONDS:
                    raise SpeechError(
                        f"expected audio of up to {WINDOW_SECONDS:g} seconds, found {seconds:.2f}"
                    )
            except Exception as error:
                found[one.id] = failed(one, error)
            else:
                samples.append((one, audio))
        if samples:
            found |= {one.utterance: one for one in self._decoded(samples)}
        return [found[one.id] for one in utterances]

    def _decoded(
        self, samples: Sequence[tuple[Utterance, npt.NDArray[np.float32]]]
    ) -> list[Transcript]:
        import ctranslate2

        longest = max(len(audio) for _, audio in samples) / SAMPLE_RATE
        window = min(WINDOW_SECONDS, math.ceil(longest + PADDING_SECONDS))
        features = np.stack([self._log_mel(audio, window) for _, audio in samples])
        encoded = self._model.encode(ctranslate2.StorageView.from_array(features))
        results = self._model.generate(
            encoded,
            [self._prompt] * len(samples),
            beam_size=BEAM,
            max_length=16 + int(_TOKENS_A_SECOND * window),
            return_scores=True,
            return_no_speech_prob=True,
        )
        texts = [
            self._text(result, len(audio) / SAMPLE_RATE)
            for result, (_, audio) in zip(results, samples, strict=True)
        ]
        frames = [features.shape[2]] * len(samples)
        aligned = self._model.align(encoded, self._prompt, texts, frames)
        return [
            Transcript(
                utterance.id,
                self._tokenizer.decode(text).strip(),
                self._confidences(text, one.text_token_probs),
                round(len(audio) / SAMPLE_RATE, 3),
            )
            for (utterance, audio), text, one in zip(samples, texts, aligned, strict=True)
        ]

    def _log_mel(self, audio: npt.NDArray[np.float32], window: int | float) -> Any:
        """Whisper's features `[n_mels, 100 * window]`."""
        padded = np.zeros(int(window * SAMPLE_RATE), np.float32)
        padded[: len(audio)] = audio
        features = self._features(padded, padding=0)[:, : int(100 * window)]
        return np.ascontiguousarray(features, np.float32)

    def _text(self, result: Any, seconds: float) -> list[int]:
        """Tokens of the words that were spoken."""
        if result.no_speech_prob > _NO_SPEECH and result.scores[0] < _LEAST_LOG_PROB:
            return []
        first = self._tokenizer.timestamp_begin
        segments: list[Segment] = []
        start = 0.0
        for token in result.sequences_ids[0]:
            if token >= first:
                start = (token - first) * _TIME_STEP
                segments.append((start, []))
            elif token < self._tokenizer.eot:
                if not segments:
                    segments.append((start, []))
                segments[-1][1].append(token)
        texts = [" ".join(self._tokenizer.decode(tokens).split()) for _, tokens in segments]
        kept = spoken_segments([start for start, _ in segments], texts, seconds)
        return [token for index in kept for token in segments[index][1]]

    def _confidences(self, text: list[int], probs: Sequence[float]) -> tuple[float, ...]:
        """Mean token probability of each word that is more than punctuation."""
        if not text:
            return ()
        words, tokens = self._tokenizer.split_to_word_tokens([*text, self._tokenizer.eot])
        confidences, position = [], 0
        for word, parts in zip(words[:-1], tokens[:-1], strict=True):
            own = probs[position : position + len(parts)]
            position += len(parts)
            if len(own) and any(map(str.isalnum, word)):
                confidences.append(round(min(float(np.mean(own)), 1.0), 4))
        return tuple(confidences)


def spoken_segments(
    starts: Sequence[float], texts: Sequence[str], seconds: float
) -> tuple[int, ...]:
    """Which segments of a decoder are speech, and no repetition after its end.

    Once a segment begins where the utterance ends, or says the same as the one before, everything
    from it on is repetition.

    Args:
        starts: seconds at which segments begin.
        texts: their text; segments without text are left out.
        seconds: length of the utterance.
    """
    kept: list[int] = []
    for index, (start, text) in enumerate(zip(starts, texts, strict=True)):
        if not text:
            continue
        if kept and (start >= seconds - _END_SECONDS or _same(text, texts[kept[-1]])):
            break
        kept.append(index)
    return tuple(kept)


_END_SECONDS = 0.3
"""A segment that begins so shortly before the end of an utterance holds nothing of it."""


def _same(text: str, before: str) -> bool:
    """Whether a text, which may have been cut short, repeats the beginning of another one."""
    first, second = _letters(text), _letters(before)
    return bool(first) and second.startswith(first)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))
