"""Groups of streams: each stream's own results, batches, limits, deadlines, cancelling, faults."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import toy
from recognizer import BacklogError, DeadlineError, GroupOptions, Recognizer, StreamGroup
from recognizer.data.errors import SpeechError, UsageError

RATE = 16000
TEXTS = ["go left", "stop", "now write now", "", "right", "left left go", "stop stop"]


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


@pytest.fixture
def held(toy_recognizer, monkeypatch) -> threading.Event:
    """The network computes nothing until the event is set."""
    release = threading.Event()
    advance_all = toy_recognizer.acoustic_model.advance_all

    def held_back(*arguments):
        assert release.wait(60)
        return advance_all(*arguments)

    monkeypatch.setattr(toy_recognizer.acoustic_model, "advance_all", held_back)
    return release


@pytest.mark.parametrize(("threads", "max_batch"), [(1, 64), (3, 2)])
def test_each_stream_has_its_own_results(toy_recognizer, threads, max_batch):
    rng = np.random.default_rng(0)
    options = GroupOptions(threads=threads, max_batch=max_batch)
    with StreamGroup(toy_recognizer, options) as group:

        def recognised(text: str, seed: int):
            samples = toy.whistle(text)
            cuts = np.sort(np.random.default_rng(seed).integers(0, len(samples), 9))
            with group.stream(endpointing=None) as stream:
                events = [
                    event
                    for piece in np.split(samples, cuts)
                    for event in stream.accept(piece, RATE)
                ]
                return (events + stream.finish())[-1]

        jobs = [(TEXTS[index % len(TEXTS)], int(rng.integers(1000))) for index in range(28)]
        with ThreadPoolExecutor(14) as pool:
            finals = list(pool.map(lambda job: recognised(*job), jobs))
        assert group.num_streams == 0
    for (text, _), final in zip(jobs, finals, strict=True):
        assert final.result == toy_recognizer.recognize(toy.whistle(text))
        assert final.text == text


def test_all_streams_at_once(toy_recognizer):
    whistles = [toy.whistle(text) for text in TEXTS]
    alone = [toy_recognizer.stream() for _ in TEXTS]
    with StreamGroup(toy_recognizer, GroupOptions(threads=2)) as group:
        streams = [group.stream() for _ in TEXTS]
        for begin in range(0, max(map(len, whistles)), 3000):
            pieces = [samples[begin : begin + 3000] for samples in whistles]
            found = group.accept_all(streams, pieces, RATE)
            assert found == [
                one.accept(piece, RATE) for one, piece in zip(alone, pieces, strict=True)
            ]
        assert [one.finish() for one in streams] == [one.finish() for one in alone]


def test_streams_that_wait_go_through_the_network_in_one_call(toy_recognizer, monkeypatch):
    sizes = []
    begun, release = threading.Event(), threading.Event()
    advance_all = toy_recognizer.acoustic_model.advance_all

    def counted(sessions, features):
        sizes.append(len(sessions))
        begun.set()
        assert release.wait(60)
        return advance_all(sessions, features)

    monkeypatch.setattr(toy_recognizer.acoustic_model, "advance_all", counted)
    with StreamGroup(toy_recognizer, GroupOptions(threads=1, max_batch=5)) as group:
        streams = [group.stream() for _ in range(9)]
        calls = [streams[0].submit(toy.whistle("go"), RATE)]
        assert begun.wait(60)
        calls += [stream.submit(toy.whistle("go"), RATE) for stream in streams[1:]]
        release.set()
        for call in calls:
            call.result(60)
    assert sizes == [1, 5, 3]


def test_one_long_piece_goes_in_parts(toy_recognizer):
    samples = np.tile(toy.whistle("go left stop"), 14)
    assert len(samples) > 20 * RATE
    with StreamGroup(toy_recognizer) as group, group.stream(endpointing=None) as stream:
        stream.submit(samples, RATE)
        (final,) = [event for event in stream.finish() if hasattr(event, "result")]
    assert final.result == toy_recognizer.recognize(samples)


def test_wrong_input_is_refused_and_nothing_is_lost(toy_recognizer):
    samples = toy.whistle("go now")
    with StreamGroup(toy_recognizer) as group, StreamGroup(toy_recognizer) as other:
        stream, second = group.stream(), group.stream()
        stream.accept(samples[:5000], RATE)
        for wrong, rate in (([float("nan")], RATE), ([[[0.0]]], RATE), ([0.0], 8000)):
            with pytest.raises(SpeechError):
                stream.accept(wrong, rate)
            with pytest.raises(SpeechError):
                group.accept_all([second, stream], [samples, wrong], rate)
        for streams, pieces, message in (
            ([stream, other.stream()], [samples, samples], "streams of this group, found another"),
            ([stream, stream], [samples, samples], "each once, found one twice"),
            ([stream], [samples, samples], "expected 1 pieces, found 2"),
        ):
            with pytest.raises(UsageError, match=message):
                group.accept_all(streams, pieces, RATE)
        stream.accept(samples[5000:], RATE)
        assert stream.finish()[-1].result == toy_recognizer.recognize(samples)
        for call in (stream.finish, lambda: stream.accept([0.0], RATE)):
            with pytest.raises(UsageError, match="expected an open stream, found a finished one"):
                call()
        assert second.finish()[-1].result == toy_recognizer.recognize_samples(samples[:0])


def test_limits(toy_recognizer, held):
    with StreamGroup(toy_recognizer, GroupOptions(max_streams=2, max_backlog=2.0)) as group:
        first, second = group.stream(), group.stream()
        with pytest.raises(BacklogError, match="expected at most 2 streams, found all of them"):
            group.stream()
        second.cancel()
        assert group.num_streams == 1
        group.stream().cancel()
        with pytest.raises(BacklogError, match=r"at most 2 s of audio that waits, found 0.0 s and"):
            first.accept(np.zeros(3 * RATE), RATE)
        calls = [first.submit(np.zeros(RATE), RATE) for _ in range(2)]
        with pytest.raises(BacklogError):
            for _ in range(2):  # what was under way already is no backlog
                calls.append(first.submit(np.zeros(RATE), RATE))
        held.set()
        for call in calls:
            call.result(60)
        assert first.finish()[-1].end == len(calls)
        assert group.num_streams == 0


def test_a_deadline_loses_nothing(toy_recognizer, held):
    samples = toy.whistle("go left")
    with StreamGroup(toy_recognizer) as group, group.stream() as stream:
        with pytest.raises(DeadlineError, match=r"an answer within 0.01 s, found none yet"):
            stream.accept(samples[:9000], RATE, timeout=0.01)
        with pytest.raises(DeadlineError):
            group.accept_all([stream], [samples[9000:]], RATE, timeout=0.01)
        with pytest.raises(DeadlineError):
            stream.finish(timeout=0.01)
        held.set()
        found = []
        while not found or not hasattr(found[-1], "result"):
            found += stream.events()
        assert found[-1].result == toy_recognizer.recognize(samples)


def test_cancelling_answers_calls_that_wait(toy_recognizer, held):
    with StreamGroup(toy_recognizer, GroupOptions(threads=1)) as group:
        stream, other = group.stream(), group.stream()
        calls = [stream.submit(toy.whistle("go left"), RATE) for _ in range(2)]
        kept = other.submit(toy.whistle("go"), RATE)
        stream.cancel()
        for call in calls:
            call.result(60)
        assert stream.cancelled
        assert stream.events() == []
        with pytest.raises(UsageError, match="found a cancelled one"):
            stream.accept([0.0], RATE)
        held.set()
        kept.result(60)
        assert other.finish()[-1].text == "go"
        assert stream.events() == []


def test_a_closed_group(toy_recognizer):
    group = StreamGroup(toy_recognizer)
    stream = group.stream()
    stream.accept(toy.whistle("go"), RATE)
    group.close()
    group.close()
    assert stream.cancelled
    with pytest.raises(UsageError, match="expected an open group, found a closed one"):
        group.stream()


def test_a_stream_that_is_forgotten_is_cancelled(toy_recognizer):
    with StreamGroup(toy_recognizer) as group:
        group.stream().accept(toy.whistle("go"), RATE)
        gc.collect()
        assert group.num_streams == 0


def test_a_fault_ends_its_stream_only(toy_recognizer, monkeypatch):
    with StreamGroup(toy_recognizer) as group:
        stream, other = group.stream(), group.stream()

        def broken(*_, **__):
            raise SpeechError("broken")

        monkeypatch.setattr(stream._member.steps, "events", broken)
        for _ in range(2):
            with pytest.raises(SpeechError, match="broken"):
                stream.accept(toy.whistle("go"), RATE)
        assert group.num_streams == 1
        other.accept(toy.whistle("stop"), RATE)
        assert other.finish()[-1].text == "stop"


@pytest.mark.parametrize("name", ["threads", "max_streams", "max_backlog", "max_batch"])
def test_impossible_limits(name):
    with pytest.raises(UsageError, match=f"{name}: expected a number above 0, found 0"):
        GroupOptions(**{name: 0})
