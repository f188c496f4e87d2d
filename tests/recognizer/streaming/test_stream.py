"""Streams: the results of whole recordings, however these are cut; cancelling; wrong input."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toy
from recognizer import (
    EndpointOptions,
    EndpointRule,
    Final,
    Partial,
    Recognizer,
    Result,
    SpeechError,
    UsageError,
)
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.streaming.events import Event

RATE = 16000


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


def events(stream, samples, cuts=(), rate=RATE):
    found = []
    for piece in np.split(samples, sorted(cuts)):
        found += stream.accept(piece, rate)
    return found + stream.finish()


def assert_equal_results(found: Result, expected: Result) -> None:
    """Equal words, times, confidences, scores and lattices, bit for bit."""
    assert found == expected
    assert (found.lattice is None) == (expected.lattice is None)
    if found.lattice is not None:
        for field in dataclasses.fields(CompactLattice):
            np.testing.assert_array_equal(
                getattr(found.lattice, field.name), getattr(expected.lattice, field.name)
            )


def assert_committed_words_stay(partials: list[Event]) -> None:
    committed: tuple[str, ...] = ()
    for partial in partials:
        assert isinstance(partial, Partial)
        assert partial.words[: len(committed)] == committed
        assert len(partial.committed) >= len(committed)
        committed = partial.committed


@settings(max_examples=25)
@given(
    text=st.sampled_from(["go left", "now write stop", "", "right go go"]),
    rate=st.sampled_from([8000, 16000, 44100]),
    cuts=st.lists(st.floats(0, 1), max_size=40),
)
def test_any_cutting_gives_the_result_of_the_whole(toy_recognizer, text, rate, cuts):
    samples = toy.whistle(text, rate=rate)
    stream = toy_recognizer.stream(endpointing=None)
    *partials, final = events(stream, samples, [int(cut * len(samples)) for cut in cuts], rate)
    expected = toy_recognizer.recognize(samples, sample_rate=rate)
    assert isinstance(final, Final)
    assert final.text == text
    assert (final.start, final.end) == (0.0, expected.duration)
    assert_equal_results(final.result, expected)
    assert_committed_words_stay(partials)


def test_every_kind_of_first_pass_streams(any_toy_model):
    recogniser = Recognizer(any_toy_model)
    samples = toy.whistle("left now")
    *_, final = events(recogniser.stream(endpointing=None), samples, range(0, len(samples), 777))
    assert final.result == recogniser.recognize(samples)


SAID = ["go left", "stop", "", "now write now"]
PAUSE = EndpointOptions(
    nothing_said=EndpointRule(False, 1.5), any_state=EndpointRule(True, 0.6), check_interval=0.05
)


@pytest.fixture(scope="module")
def monologue() -> np.ndarray:
    """The sentences of `SAID`, each after a second of silence."""
    silence = np.zeros(RATE, np.float32)
    return np.concatenate([part for text in SAID for part in (silence, toy.whistle(text))])


@settings(max_examples=10)
@given(cuts=st.lists(st.floats(0, 1), max_size=40))
def test_endpoints_and_finals_do_not_depend_on_the_cutting(toy_recognizer, monologue, cuts):
    """They are those of the whole recording's scores, cut at the endpoints."""
    cuts = [int(cut * len(monologue)) for cut in cuts]
    found = events(toy_recognizer.stream(endpointing=PAUSE), monologue, cuts)
    finals = [event for event in found if isinstance(event, Final)]
    assert [final.text for final in finals if final.text] == ["go left", "stop", "now write now"]
    assert len(finals) > 3  # the silences
    assert [final.start for final in finals] == [0.0, *(final.end for final in finals[:-1])]
    assert finals[-1].end == len(monologue) / RATE
    scores = toy_recognizer.acoustic_scores(monologue)
    for final in finals:
        first, count = round(final.start * 100), final.result.num_frames
        lattice = toy_recognizer.first_pass(scores[first : first + count])
        duration = final.end - final.start
        expected = toy_recognizer.result(lattice, duration, count, final.start)
        assert_equal_results(final.result, expected)
    assert sum(final.result.num_frames for final in finals) == len(scores)
    for final in finals:
        partials = [one for one in found if isinstance(one, Partial) and one.start == final.start]
        assert found.index(final) == max(map(found.index, [*partials, final]))
        assert_committed_words_stay(partials)


def test_words_are_where_they_were_said_in_the_stream(toy_recognizer, monologue):
    found = events(toy_recognizer.stream(endpointing=PAUSE), monologue)
    words = [word for event in found if isinstance(event, Final) for word in event.result.words]
    expected, before = [], 0.0
    for text in SAID:
        before += 1.0
        expected += [before + start for start in toy.word_starts(text)]
        before += len(toy.whistle(text)) / RATE
    assert [word.start for word in words] == pytest.approx(expected, abs=0.021)


def test_partial_results_come_as_words_are_said(toy_recognizer):
    samples = toy.whistle("go left stop")
    found = events(toy_recognizer.stream(), samples, range(0, len(samples), 800))
    texts = [event.text for event in found[:-1]]
    assert all(one != other for one, other in pairwise(found))
    whole = [text for text in dict.fromkeys(texts) if text in ("go", "go left", "go left stop")]
    assert whole == ["go", "go left", "go left stop"]
    assert found[-2].words == found[-1].words == ("go", "left", "stop")
    silent = events(toy_recognizer.stream(partials=False), samples, range(0, len(samples), 800))
    assert silent == found[-1:]


@pytest.mark.parametrize("count", [0, 1, 79, 80, 81, 160, 400])
def test_next_to_no_audio(toy_recognizer, count):
    samples = np.zeros(count, np.float32)
    (final,) = events(toy_recognizer.stream(), samples, [count // 2])
    assert final.result == toy_recognizer.recognize_samples(samples)


def test_a_channel_of_several(toy_recognizer):
    samples = np.stack([toy.whistle("go go"), toy.whistle("now go")])
    stream = toy_recognizer.stream(channel=1)
    assert events(stream, samples.T, [5000])[-1].text == "go go"


def test_wrong_input_is_refused_and_nothing_is_lost(toy_recognizer):
    samples = toy.whistle("go now")
    stream = toy_recognizer.stream()
    stream.accept(samples[:5000], RATE)
    for wrong, rate in (([float("nan")], RATE), ([[[0.0]]], RATE), ([0.0], 8000), (["a"], RATE)):
        with pytest.raises(SpeechError):
            stream.accept(wrong, rate)
    stream.accept([], RATE)
    stream.accept(samples[5000:], RATE)
    assert stream.finish()[-1].result == toy_recognizer.recognize(samples)


def test_nothing_can_be_fed_after_the_end(toy_recognizer):
    stream = toy_recognizer.stream()
    stream.accept(toy.whistle("go"), RATE)
    stream.finish()
    for call in (stream.finish, lambda: stream.accept([0.0], RATE)):
        with pytest.raises(UsageError, match="expected an open stream, found a finished one"):
            call()
    with toy_recognizer.stream() as stream:
        stream.accept(toy.whistle("go"), RATE)
    assert stream.cancelled
    stream.cancel()
    with pytest.raises(UsageError, match="expected an open stream, found a cancelled one"):
        stream.accept([0.0], RATE)
    with pytest.raises(UsageError, match="expected an open stream, found a cancelled one"):
        stream.finish()


def test_a_finished_stream_is_not_cancelled(toy_recognizer):
    with toy_recognizer.stream() as stream:
        stream.finish()
    assert not stream.cancelled


def test_cancelling_stops_a_running_call(toy_recognizer):
    stream = toy_recognizer.stream()
    long = np.tile(toy.whistle("go left stop"), 200)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stream.accept, long, RATE)
        stream.cancel()
        with suppress(UsageError):  # where the call had not begun yet
            assert call.result() == []


def test_streams_do_not_disturb_each_other(toy_recognizer):
    texts = ["go left", "stop", "now write now", "right"]
    whistles = [toy.whistle(text) for text in texts]
    streams = [toy_recognizer.stream() for _ in texts]
    for begin in range(0, max(map(len, whistles)), 3000):
        for stream, samples in zip(streams, whistles, strict=True):
            stream.accept(samples[begin : begin + 3000], RATE)
    for stream, samples in zip(streams, whistles, strict=True):
        assert stream.finish()[-1].result == toy_recognizer.recognize(samples)
