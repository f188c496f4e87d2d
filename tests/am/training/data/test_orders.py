"""Orders of an epoch: by shards, by length, in buckets of lengths."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recognizer.am.training.criteria.targets import FrameLabels
from recognizer.am.training.data.batching import StreamBatcher
from recognizer.am.training.data.checked_data import TrainingUtterance
from recognizer.am.training.data.orders import epoch_by_length, epoch_in_buckets, epoch_order

APART = TrainingUtterance("apart", np.zeros((3, 2), np.float32), FrameLabels(np.zeros(3, np.int32)))


@given(
    shards=st.lists(st.integers(0, 6), min_size=1, max_size=40),
    at_once=st.integers(0, 4),
    epoch=st.integers(0, 3),
)
def test_an_epoch_draws_shard_by_shard(shards: list[int], at_once: int, epoch: int) -> None:
    utterances = [
        dataclasses.replace(APART, id=str(k), shard=shard) for k, shard in enumerate(shards)
    ]
    order = epoch_order(utterances, 5, epoch, at_once)
    np.testing.assert_array_equal(order, epoch_order(utterances, 5, epoch, at_once))
    assert sorted(order.tolist()) == list(range(len(shards)))
    if at_once:
        begun: list[int] = []
        for index in order:
            if shards[index] not in begun:
                begun.append(shards[index])
            # Never older than the window, and windows do not overlap.
            assert begun.index(shards[index]) // at_once == (len(begun) - 1) // at_once


def test_shards_come_in_another_order_each_epoch() -> None:
    utterances = [dataclasses.replace(APART, id=str(k), shard=k // 5) for k in range(50)]
    orders = {tuple(epoch_order(utterances, 0, epoch, 2).tolist()) for epoch in range(4)}
    assert len(orders) == 4


def test_sorted_epochs_take_the_shortest_first() -> None:
    lengths = [7, 3, 9, 3, 5]
    utterances = [
        TrainingUtterance(str(k), np.zeros((length, 2), np.float32), FrameLabels(np.zeros(20 - k)))
        for k, length in enumerate(lengths)
    ]
    assert epoch_by_length(utterances).tolist() == [1, 3, 4, 0, 2]
    # Features that do not say how many they are: by the targets.
    unknown = [dataclasses.replace(u, features=lambda: np.zeros((4, 2))) for u in utterances]
    assert epoch_by_length(unknown).tolist() == [4, 3, 2, 1, 0]


def test_sorted_epochs_come_before_the_shuffled_ones() -> None:
    utterances = [
        TrainingUtterance(str(k), np.full((k + 1, 1), k, np.float32),
                          FrameLabels(np.zeros(k + 1, np.int32)))
        for k in reversed(range(12))
    ]  # fmt: skip
    batcher = StreamBatcher(
        utterances, streams=1, chunk=None, delay=0, epochs=4, sorted_epochs=2, seed=3
    )
    drawn = [int(chunk.features[0, 0, 0]) for chunk in batcher]
    epochs = [drawn[at : at + 12] for at in range(0, 48, 12)]
    assert epochs[0] == epochs[1] == list(range(12))
    assert all(sorted(epoch) == list(range(12)) != epoch for epoch in epochs[2:])


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=60),
    buckets=st.integers(1, 8),
    streams=st.integers(1, 6),
    epoch=st.integers(0, 2),
)
def test_rows_of_a_bucket_are_about_equally_long(
    lengths: list[int], buckets: int, streams: int, epoch: int
) -> None:
    utterances = [
        dataclasses.replace(APART, id=str(k), features=np.zeros((length, 2), np.float32))
        for k, length in enumerate(lengths)
    ]
    order = epoch_in_buckets(utterances, 7, epoch, buckets, streams)
    again = epoch_in_buckets(utterances, 7, epoch, buckets, streams)
    np.testing.assert_array_equal(order, again)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    parts = np.array_split(np.argsort(lengths, kind="stable"), buckets)
    bucket_of = {int(index): number for number, part in enumerate(parts) for index in part}
    rows = sum(len(part) // streams for part in parts)
    for row in order[: rows * streams].reshape(rows, streams):
        assert len({bucket_of[index] for index in row.tolist()}) == 1
    left = [bucket_of[index] for index in order[rows * streams :].tolist()]
    assert left == sorted(left)


def test_buckets_leave_little_padding() -> None:
    rng = np.random.default_rng(0)
    utterances = [
        dataclasses.replace(APART, id=str(k), features=np.zeros((length, 2), np.float32),
                            target=FrameLabels(np.zeros(length, np.int32)))
        for k, length in enumerate(rng.integers(5, 100, 96))
    ]  # fmt: skip

    def padding(buckets: int) -> float:
        batcher = StreamBatcher(
            utterances, streams=8, chunk=None, delay=0, epochs=2, length_buckets=buckets, seed=3
        )
        chunks = list(batcher)
        return 1 - sum(c.frames for c in chunks) / sum(c.features[..., 0].size for c in chunks)

    assert padding(12) < 0.15 < 0.3 < padding(0)
