"""Whisper as a teacher: what is speech of what it writes, and the model itself where there is one.

``WHISPER_MODEL`` names the directory of a Whisper model in CTranslate2's form.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError
from recognizer.evaluation.error_counts import total
from recognizer.evaluation.word_alignment import count_errors
from recognizer.transcription.selection import SelectionOptions, select
from recognizer.transcription.teachers import TeacherOptions
from recognizer.transcription.transcribe import transcribe
from recognizer.transcription.whisper import spoken_segments


@pytest.mark.parametrize(
    ("segments", "seconds", "kept"),
    [
        ([], 3.0, ()),
        ([(0.0, "All is well.")], 3.0, (0,)),
        # A time token after the last segment begins another one without text.
        ([(0.0, "All is well."), (3.0, "")], 3.0, (0,)),
        ([(0.0, "First."), (1.5, "Second.")], 3.0, (0, 1)),
        # It says everything again after the end, however often.
        ([(0.0, "All is well."), (3.0, "All is well."), (6.0, "All")], 3.0, (0,)),
        # Its times are wrong, but the words are the same, or as far as they go.
        ([(0.0, "All is well."), (2.0, "all is well"), (2.0, "More.")], 3.0, (0,)),
        ([(0.0, "All is well."), (2.0, "All is")], 3.0, (0,)),
        ([(0.0, "All is"), (1.0, "All is well.")], 3.0, (0, 1)),
        # Something else after the end was not said either.
        ([(0.0, "All is well."), (2.8, "Thank you.")], 3.0, (0,)),
        # The first segment stays, whatever its time.
        ([(3.0, "All is well.")], 3.0, (0,)),
        ([(0.0, ""), (0.0, "All"), (0.0, "...")], 3.0, (1, 2)),
    ],
)
def test_repetitions_are_cut_off(
    segments: list[tuple[float, str]], seconds: float, kept: tuple[int, ...]
) -> None:
    starts, texts = [start for start, _ in segments], [text for _, text in segments]
    assert spoken_segments(starts, texts, seconds) == kept


@pytest.fixture
def teacher() -> TeacherOptions:
    pytest.importorskip("faster_whisper", reason="Whisper needs faster-whisper")
    directory = os.environ.get("WHISPER_MODEL")
    if directory is None:
        pytest.skip("WHISPER_MODEL names no Whisper model")
    return TeacherOptions("whisper", directory, "Whisper", "MIT")


def test_a_damaged_model(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="Whisper needs faster-whisper")
    corpus = read_corpus(_tones(tmp_path, 1.0), transcripts=False)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.bin").write_bytes(b"nothing")
    with pytest.raises(
        SpeechError, match="expected a Whisper model in CTranslate2's form"
    ) as found:
        transcribe(corpus, TeacherOptions("whisper", "model"), tmp_path / "x", root=tmp_path)
    assert "\n" not in str(found.value)


def test_what_is_too_long_or_empty(teacher: TeacherOptions, tmp_path: Path) -> None:
    data = _tones(tmp_path, 30.5, 0.0, 0.05, 30.0)
    corpus = read_corpus(data, transcripts=False)
    made = transcribe(corpus, teacher, tmp_path / "made.jsonl")
    long, empty, *others = (one.error for one in made.values())
    assert long == "expected audio of up to 30 seconds, found 30.50"
    assert empty == f"{data / '1.wav'}: expected audio, found no samples"
    assert others == [None, None]
    assert not select(made.values(), "english").kept


def test_words_and_confidences(teacher: TeacherOptions, corpora: Path, tmp_path: Path) -> None:
    """Short windows leave no repetitions, and confident transcripts are the better ones."""
    corpus = read_corpus(corpora / "cv-english" / "dev")
    corpus = replace(corpus, utterances=corpus.utterances[::12])
    made = transcribe(corpus, teacher, tmp_path / "made.jsonl")
    everything = SelectionOptions(min_confidence=0.0, min_rate=0.0, max_rate=100.0)
    rates = []
    for options in (everything, SelectionOptions(min_confidence=0.85)):
        kept = select(made.values(), "english", options).kept
        counts = total(
            count_errors(one.words, kept[one.id].words) for one in corpus if one.id in kept
        )
        rates.append(counts.wer)
        assert counts.insertions < 0.05 * counts.words
    assert rates[1] <= rates[0] < 20.0
    for one in made.values():
        assert len(one.confidences) >= 1


def _tones(directory: Path, *seconds: float) -> Path:
    """A data directory of silences."""
    data = directory / "tones"
    data.mkdir()
    for number, length in enumerate(seconds):
        soundfile.write(data / f"{number}.wav", [0.0] * round(16000 * length), 16000)
    names = range(len(seconds))
    (data / "wav.scp").write_text("".join(f"{name} {name}.wav\n" for name in names))
    return data
