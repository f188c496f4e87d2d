"""Long recordings: the words of their sentences, in order, at their times, in bounded memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer import Recognizer, TranscriptSegment
from recognizer.data.audio.conversion import Samples
from recognizer.data.errors import SpeechError, UsageError
from recognizer.long import recognition
from recognizer.long.audio_buffer import AudioBuffer
from recognizer.long.recognition import BrokenRecordingError, joined, recognize_segments
from recognizer.long.segmentation import SegmentationOptions
from recognizer.long.silence import SilenceDetector

SENTENCES = ["go left", "stop now", "now write", "right go", "left left go", "go right now"] * 4
SHORT = SegmentationOptions(
    min_length=1.0, max_length=4.0, overlap=0.8, min_silence=0.5, padding=0.25
)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * toy.RATE), np.float32)


def recording() -> tuple[Samples, list[float]]:
    """The sentences with silences of 0 to 3 s between them, and when each word begins."""
    parts, starts, now = [], [], 0.0
    for index, text in enumerate(SENTENCES):
        parts += [toy.whistle(text), silence(index % 7 * 0.7)]
        starts += [now + start for start in toy.word_starts(text)]
        now += (len(parts[-2]) + len(parts[-1])) / toy.RATE
    return np.concatenate(parts), starts


def pieces(samples: Samples, size: int) -> Iterator[Samples]:
    for begin in range(0, len(samples), size):
        yield samples[begin : begin + size]


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


def check(segments: tuple[TranscriptSegment, ...], text: str, starts: list[float]) -> None:
    """Words, the times of their beginnings, and the order of segments."""
    words = [word for segment in segments for word in segment.words]
    assert " ".join(word.word for word in words) == text
    for word, start in zip(words, starts, strict=True):
        assert word.start == pytest.approx(start, abs=0.021)
    end = 0.0
    for segment in segments:
        assert end <= segment.start < segment.end
        end = segment.end
        assert all(segment.start <= word.start < word.end <= end for word in segment.words)


def test_a_joined_recording_has_the_words_of_its_sentences(toy_recognizer):
    samples, starts = recording()
    result = toy_recognizer.recognize(samples, threads=2)
    assert result.duration == len(samples) / toy.RATE > recognition.LONG_SECONDS
    assert result.text == " ".join(SENTENCES) == result.rescored.text
    assert len(result.segments) > 7
    assert result.lattice is None
    assert result.complete
    check(result.segments, result.text, starts)
    confidences = [word.confidence for word in result.words]
    assert 0.5 < min(confidences) <= max(confidences) <= 1.0


def test_words_across_forced_cuts_are_neither_lost_nor_doubled(toy_recognizer):
    """A sentence after the other without a pause that may be cut in."""
    text = " ".join(SENTENCES[:12])
    samples = toy.whistle(text)
    segments = tuple(toy_recognizer.recognize_long(samples, segmentation=SHORT))
    assert len(segments) > 4
    check(segments, text, toy.word_starts(text))
    for one, two in pairwise(segments):
        assert one.end == two.start


def test_pieces_and_threads_do_not_matter(toy_recognizer):
    samples = recording()[0][: 14 * toy.RATE]
    expected = list(recognize_segments(toy_recognizer, [samples], SHORT, 1))
    assert len(expected) > 3
    for size, threads in ((160, 2), (10_007, 1), (77_777, 3)):
        found = recognize_segments(toy_recognizer, pieces(samples, size), SHORT, threads)
        assert list(found) == expected
    # Lengths that end within a frame, and the segments of the public interface.
    samples = samples[: 5 * toy.RATE]
    for cut in (79, 80, 81):
        short = samples[: len(samples) - cut]
        (*_, one) = recognize_segments(toy_recognizer, pieces(short, 5000), SHORT, 2)
        (*_, two) = toy_recognizer.recognize_long(short, segmentation=SHORT)
        assert one.segments == (two,)


def test_a_recording_that_is_not_long_is_recognised_as_a_whole(toy_recognizer, tmp_path):
    samples = np.tile(toy.whistle("now write"), 30)[: 60 * toy.RATE]
    path = tmp_path / "minute.wav"
    soundfile.write(path, samples, toy.RATE, "FLOAT")
    result = toy_recognizer.recognize(path)
    assert result == toy_recognizer.recognize_samples(samples)
    assert result.lattice is not None
    assert len(result.segments) == 1


def test_frames_of_30_ms(tmp_path):
    """Nothing assumes the shift of the output frames."""
    recogniser = Recognizer(toy.build(tmp_path / "slow", subsampling=3))
    samples = recording()[0][: 15 * toy.RATE]
    (result,) = [recogniser.recognize_samples(samples)]
    segments = tuple(recogniser.recognize_long(samples))
    assert len(segments) > 2
    words = [word for segment in segments for word in segment.words]
    assert [word.word for word in words] == [word.word for word in result.words]
    for one, two in zip(words, result.words, strict=True):
        assert one.start == pytest.approx(two.start, abs=0.031)
        assert one.start / 0.03 == pytest.approx(round(one.start / 0.03), abs=1e-6)


def test_recordings_without_speech(toy_recognizer):
    result = toy_recognizer.recognize(silence(70.0))
    assert (result.words, result.segments, result.text) == ((), (), "")
    assert result.duration == 70.0
    assert list(toy_recognizer.recognize_long(silence(0.002))) == []


def loud(_: SilenceDetector, samples: Samples) -> np.ndarray:
    """Stands for the acoustic model: silence where all samples are 0."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    return np.where(np.abs(frames).max(axis=1) == 0.0, 10.0, -10.0).astype(np.float32)


def test_after_hours_times_are_right_to_the_frame_and_memory_is_bounded(
    toy_recognizer, monkeypatch
):
    monkeypatch.setattr(SilenceDetector, "log_odds", loud)
    held = []
    append = AudioBuffer.append

    def watched(buffer: AudioBuffer, samples: Samples) -> None:
        append(buffer, samples)
        held.append(buffer.end - buffer._begin)

    monkeypatch.setattr(AudioBuffer, "append", watched)
    text, hours = "go right now write", 3
    said = toy.whistle(text)

    def audio() -> Iterator[Samples]:
        yield silence(1.0)
        yield said
        for _ in range(hours * 60):
            yield silence(60.0)
        yield said
        yield silence(1.0)

    first, last = recognize_segments(toy_recognizer, audio(), SegmentationOptions(), 2)
    shift = hours * 3600 + len(said) / toy.RATE
    assert first.text == last.text == text
    for one, two in zip(first.words, last.words, strict=True):
        assert two.start == pytest.approx(one.start + shift, abs=1e-6)
        assert two.end == pytest.approx(one.end + shift, abs=1e-6)
    assert max(held) < 5 * 60 * toy.RATE


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A recording whose last part is beyond decoding."""
    samples, _ = recording()
    path = tmp_path / "damaged.flac"
    soundfile.write(path, samples, toy.RATE)
    content = bytearray(path.read_bytes())
    late = len(content) * 9 // 10
    content[late:] = bytes(len(content) - late)
    path.write_bytes(content)
    return path


def test_what_was_read_before_the_damage_is_given(toy_recognizer, damaged):
    with pytest.raises(BrokenRecordingError, match=f"{damaged}: damaged or cut short") as error:
        toy_recognizer.recognize(damaged)
    result = error.value.result
    assert len(result.segments) > 5
    assert result.duration > recognition.LONG_SECONDS
    assert " ".join(SENTENCES).startswith(result.text)
    segments = []
    with pytest.raises(SpeechError, match="damaged or cut short"):
        segments.extend(toy_recognizer.recognize_long(damaged))
    assert tuple(segments) == result.segments


def test_progress_and_wrong_use(toy_recognizer):
    samples, _ = recording()
    told = []
    result = toy_recognizer.recognize(samples, progress=lambda *seconds: told.append(seconds))
    assert told == [(segment.end, result.duration) for segment in result.segments]
    for audio in (samples, samples[:1000]):
        with pytest.raises(UsageError, match="threads: expected at least 1, found 0"):
            toy_recognizer.recognize(audio, threads=0)
    with pytest.raises(UsageError, match="expected none for a file"):
        list(toy_recognizer.recognize_long("some.wav", sample_rate=8000))


def test_the_command_prints_what_comes_before_the_damage(command, toy_model, damaged):
    ran = command("recognize", "--model", toy_model, "--threads", 2, damaged)
    assert ran.code == 1
    assert ran.out.count("\n") == 1
    assert len(ran.out.split()) > 20
    assert " ".join(SENTENCES).startswith(ran.out.strip())
    assert ran.err.startswith(f"recognize: {damaged}: damaged or cut short")


def test_an_error_with_a_result_goes_to_another_process(toy_recognizer):
    result = toy_recognizer.recognize(toy.whistle("go left"))
    error = BrokenRecordingError("some.wav: damaged", joined([result], 2.0))
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.result) == (str(error), error.result)
