"""Streams of chunks: every frame trained on once, at the right delay, with the right state."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epoch_source import EpochSource
from recognizer.am.training.criteria.cross_entropy import IGNORED, row_labels
from recognizer.am.training.criteria.targets import FrameLabels
from recognizer.am.training.data.batching import Chunk, StreamBatcher
from recognizer.am.training.data.checked_data import TrainingUtterance
from recognizer.data.errors import SpeechError


def utterance(number: int, frames: int, versions: int = 1) -> TrainingUtterance:
    """Frame t of version v has the features (number, t, v) and the label 1000 number + t."""

    def version(v: int) -> tuple[np.ndarray, FrameLabels]:
        t = np.arange(frames + v)
        features = np.stack([np.full(frames + v, number), t, np.full(frames + v, v)], axis=1)
        return features.astype(np.float32), FrameLabels((1000 * number + t).astype(np.int32))

    (features, target), *others = (version(v) for v in range(versions))
    return TrainingUtterance(f"u{number}", features, target, tuple(others))


def check_stream(chunks: list[Chunk], n: int, delay: int) -> list[tuple[int, int, int]]:
    """Follow one stream; the (utterance, version, frames) it went through."""
    passed: list[tuple[int, int, int]] = []
    position = -1
    current = (-1, -1)
    for chunk in chunks:
        labels = row_labels(chunk.targets)
        if chunk.fresh[n]:
            position = 0
            current = (int(chunk.features[0, n, 0]), int(chunk.features[0, n, 2]))
            passed.append((*current, 0))
        padding = position < 0
        for t in range(len(chunk.features)):
            number, frame, version = (int(value) for value in chunk.features[t, n])
            label = int(labels[t, n])
            if padding or (label == IGNORED and position >= delay):
                # Padding lasts to the end of the chunk, and the stream begins anew after it.
                assert label == IGNORED
                padding = True
                position = -1
                continue
            assert (number, version) == current
            if position < delay:
                assert label == IGNORED and frame <= position
            else:
                assert label == 1000 * number + position - delay
                passed[-1] = (*current, passed[-1][2] + 1)
            assert frame == position or (frame < position and label >= 0) or position < delay
            position += 1
    return passed


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    streams=st.integers(1, 5),
    chunk=st.integers(1, 9),
    delay=st.integers(0, 6),
    epochs=st.integers(1, 3),
)
def test_every_frame_once_an_epoch(
    lengths: list[int], streams: int, chunk: int, delay: int, epochs: int
) -> None:
    utterances = [utterance(k, frames, versions=2) for k, frames in enumerate(lengths)]
    chunks = list(
        StreamBatcher(utterances, streams=streams, chunk=chunk, delay=delay, epochs=epochs, seed=1)
    )
    seen = [passed for n in range(streams) for passed in check_stream(chunks, n, delay)]
    assert sorted(number for number, _, _ in seen) == sorted([*range(len(lengths))] * epochs)
    for number, version, frames in seen:
        assert frames == lengths[number] + version


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=9),
    streams=st.integers(1, 4),
    subsampling=st.integers(2, 4),
    chunk_rows=st.integers(1, 5),
    delay_rows=st.integers(0, 3),
    shuffle=st.booleans(),
)
def test_every_output_once_where_outputs_are_further_apart(
    lengths: list[int],
    streams: int,
    subsampling: int,
    chunk_rows: int,
    delay_rows: int,
    shuffle: bool,
) -> None:
    n = subsampling
    utterances = [
        TrainingUtterance(
            str(number),
            np.stack([np.full(frames, number), np.arange(frames)], axis=1).astype(np.float32),
            FrameLabels(1000 * number + np.arange(-(-frames // n), dtype=np.int32)),
        )
        for number, frames in enumerate(lengths)
    ]
    seen = []
    chunks = list(
        StreamBatcher(
            utterances, streams=streams, chunk=n * chunk_rows, delay=n * delay_rows, seed=3,
            shuffle=shuffle, subsampling=n,
        )
    )  # fmt: skip
    for stream in range(streams):
        starts = [k for k, chunk in enumerate(chunks) if chunk.fresh[stream]]
        for k, begin in enumerate(starts):
            part = chunks[begin : starts[k + 1] if k + 1 < len(starts) else len(chunks)]
            features = np.concatenate([c.features[: c.lengths[stream], stream] for c in part])
            labels = np.concatenate(
                [row_labels(c.targets)[: c.lengths[stream] // n, stream] for c in part]
            )
            number = int(features[0, 0])
            frames = lengths[number]
            seen.append(number)
            # Fed from one of its first n frames on; the last is repeated to fill outputs and delay.
            fed = -(-frames // n) * n + n * delay_rows
            shifts = range(min(n, frames)) if shuffle else range(1)
            assert features[:, 1].tolist() in [
                [min(t + shift, frames - 1) for t in range(fed)] for shift in shifts
            ]
            expected = 1000 * number + np.arange(-(-frames // n))
            assert labels.tolist() == [-1] * delay_rows + expected.tolist()
            assert sum(int(c.spanned[stream]) for c in part) == frames
            assert [c.targets.begins[stream] for c in part].count(True) == 1
            assert [c.targets.ends[stream] for c in part if c.lengths[stream]][-1]
            assert [c.targets.ends[stream] for c in part].count(True) == 1
    assert sorted(seen) == list(range(len(lengths)))
    assert sum(chunk.frames for chunk in chunks) == sum(lengths)


def test_utterances_begin_at_each_of_the_first_frames() -> None:
    one = utterance(0, 12)
    target = FrameLabels(np.arange(4))
    one = TrainingUtterance("u", one.features, target)
    chunks = StreamBatcher([one], streams=1, chunk=12, delay=0, epochs=40, subsampling=3)
    assert {int(chunk.features[0, 0, 1]) for chunk in chunks} == {0, 1, 2}
    (plain,) = StreamBatcher([one], streams=1, chunk=12, delay=0, shuffle=False, subsampling=3)
    assert plain.features[:, 0, 1].tolist() == list(range(12))


def test_chunks_and_delays_of_whole_outputs_only() -> None:
    for chunk, delay in ((4, 0), (6, 2)):
        with pytest.raises(ValueError, match="expected multiples of 3"):
            StreamBatcher([utterance(0, 6)], streams=1, chunk=chunk, delay=delay, subsampling=3)


def test_last_frame_is_repeated_for_the_delay() -> None:
    (chunk,) = StreamBatcher([utterance(1, 4)], streams=2, chunk=10, delay=3)
    assert chunk.features[:, 0, 1].tolist() == [0, 1, 2, 3, 3, 3, 3, 0, 0, 0]
    labels = row_labels(chunk.targets)
    assert labels[:, 0].tolist() == [-1, -1, -1, 1000, 1001, 1002, 1003, -1, -1, -1]
    assert labels[:, 1].tolist() == [-1] * 10
    assert chunk.fresh.tolist() == [True, False]
    assert chunk.targets.begins.tolist() == chunk.targets.ends.tolist() == [True, False]
    assert chunk.lengths.tolist() == [7, 0]
    assert chunk.frames == 4


def test_streams_refill_on_their_own() -> None:
    utterances = [utterance(0, 4), utterance(1, 12), utterance(2, 4)]
    chunks = list(StreamBatcher(utterances, streams=2, chunk=4, delay=0, shuffle=False))
    assert [chunk.fresh.tolist() for chunk in chunks] == [
        [True, True],
        [True, False],
        [False, False],
    ]
    assert [chunk.targets.ends.tolist() for chunk in chunks] == [
        [True, False],
        [True, False],
        [False, True],
    ]
    assert [chunk.features[0, :, 0].tolist() for chunk in chunks] == [[0, 1], [2, 1], [0, 1]]


def test_order_and_versions_change_with_the_epoch_and_follow_from_the_seed() -> None:
    utterances = [utterance(k, 4, versions=3) for k in range(30)]

    def run(seed: int) -> list[tuple[int, int, int]]:
        batcher = StreamBatcher(utterances, streams=1, chunk=10, delay=0, epochs=2, seed=seed)
        return check_stream(list(batcher), 0, 0)

    drawn = run(0)
    assert drawn == run(0) != run(1)
    first, second = drawn[:30], drawn[30:]
    assert [number for number, _, _ in first] != [number for number, _, _ in second]
    assert {version for _, version, _ in drawn} == {0, 1, 2}
    assert {n: v for n, v, _ in first} != {n: v for n, v, _ in second}


def test_state_restores_the_rest() -> None:
    rng = np.random.default_rng(0)
    utterances = [utterance(k, int(rng.integers(1, 40)), versions=2) for k in range(9)]

    def make() -> StreamBatcher:
        return StreamBatcher(
            utterances, streams=3, chunk=7, delay=2, epochs=3, seed=5,
            augment=lambda x, rng: x + rng.normal(size=x.shape).astype(np.float32),
        )  # fmt: skip

    whole = list(make())
    for cut in range(len(whole)):
        batcher = make()
        for _ in range(cut):
            next(batcher)
        other = make()
        state = json.loads(json.dumps(batcher.state()))
        other.restore(state)
        # Of streams that have run dry, too: or a resumed run would end with another checkpoint.
        assert other.state() == state
        rest = list(other)
        assert len(rest) == len(whole) - cut
        for a, b in zip(rest, whole[cut:], strict=True):
            np.testing.assert_array_equal(a.features, b.features)
            np.testing.assert_array_equal(row_labels(a.targets), row_labels(b.targets))
            np.testing.assert_array_equal(a.fresh, b.fresh)
            np.testing.assert_array_equal(a.targets.ends, b.targets.ends)
            np.testing.assert_array_equal(a.targets.begins, b.targets.begins)
            np.testing.assert_array_equal(a.lengths, b.lengths)
            assert a.epoch == b.epoch


def test_restore_refuses_another_run() -> None:
    state = StreamBatcher([utterance(0, 3)], streams=2, chunk=7, delay=2).state()
    other = StreamBatcher([utterance(0, 3)], streams=3, chunk=7, delay=2)
    with pytest.raises(SpeechError, match="expected 3 streams, found 2"):
        other.restore(state)
    state["streams"] = [[0, 5, 0], [0, -1, 0], [0, -1, 0]]
    with pytest.raises(SpeechError, match="other training utterances"):
        other.restore(state)


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    streams=st.integers(1, 5),
    delay=st.integers(0, 3),
    epochs=st.integers(1, 3),
)
def test_whole_utterances(lengths: list[int], streams: int, delay: int, epochs: int) -> None:
    utterances = [utterance(k, frames) for k, frames in enumerate(lengths)]
    chunks = list(
        StreamBatcher(utterances, streams=streams, chunk=None, delay=delay, epochs=epochs, seed=1)
    )
    seen = [passed for n in range(streams) for passed in check_stream(chunks, n, delay)]
    assert sorted((number, frames) for number, _, frames in seen) == sorted(
        [*enumerate(lengths)] * epochs
    )
    for chunk in chunks:
        labelled = row_labels(chunk.targets) != IGNORED
        real = labelled.any(0)
        np.testing.assert_array_equal(chunk.fresh, real)
        np.testing.assert_array_equal(chunk.targets.ends, real)
        assert len(labelled) == 1 + np.flatnonzero(labelled.any(1))[-1] == chunk.lengths.max()
        np.testing.assert_array_equal(chunk.lengths, np.where(real, labelled.sum(0) + delay, 0))


def test_features_of_an_epoch_are_made_in_other_processes() -> None:
    lengths = np.random.default_rng(1).integers(1, 30, 12).tolist()
    utterances = [
        TrainingUtterance(
            f"u{k}",
            EpochSource(k, frames),
            FrameLabels(np.arange(frames, dtype=np.int32)),
            ((EpochSource(100 + k, frames), FrameLabels(np.arange(frames, dtype=np.int32))),),
        )
        for k, frames in enumerate(lengths)
    ]

    def make(processes: int) -> StreamBatcher:
        return StreamBatcher(
            utterances, streams=3, chunk=7, delay=0, epochs=3, seed=2, processes=processes
        )

    here, elsewhere = list(make(0)), list(make(2))
    assert len(here) == len(elsewhere)
    fresh = []
    for chunk, other in zip(here, elsewhere, strict=True):
        np.testing.assert_array_equal(chunk.features[..., :2], other.features[..., :2])
        np.testing.assert_array_equal(row_labels(chunk.targets), row_labels(other.targets))
        assert set(np.unique(chunk.features[..., 2])) <= {0.0, float(os.getpid())}
        assert float(os.getpid()) not in other.features[..., 2]
        fresh += chunk.features[0, chunk.fresh, :2].tolist()
    assert sorted((number % 100, epoch) for number, epoch in fresh) == [
        (number, epoch) for number in range(12) for epoch in range(3)
    ]
    batcher = make(1)
    for _ in range(9):
        next(batcher)
    batcher.close()
    np.testing.assert_array_equal(next(batcher).features[..., :2], here[9].features[..., :2])
    batcher = make(1)
    for _ in range(9):
        next(batcher)
    rest = make(1)
    rest.restore(json.loads(json.dumps(batcher.state())))
    for chunk, other in zip(here[9:], rest, strict=True):
        np.testing.assert_array_equal(chunk.features[..., :2], other.features[..., :2])
