"""What is fit for training, what is cut and dropped, and in which order utterances are drawn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from recognizer.am.training.criteria.criterion import Criterion
from recognizer.am.training.criteria.cross_entropy import CrossEntropy
from recognizer.am.training.criteria.targets import (
    FrameLabels,
    SupervisionGraph,
    Target,
    TokenSequence,
)
from recognizer.am.training.data.checked_data import (
    CheckedData,
    TrainingUtterance,
    is_held_out,
)
from recognizer.data.errors import SpeechError

X, Y = np.zeros((10, 3), dtype=np.float16), np.zeros(10, dtype=np.int32)
APART = TrainingUtterance("apart", X, FrameLabels(Y))


def made(*utterances: TrainingUtterance, tolerance: int = 2) -> CheckedData:
    return CheckedData.of(
        utterances, criterion=CrossEntropy(), input_dim=3, outputs=4, tolerance=tolerance,
        held_out=[APART],
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class SizedSource:
    """Features that can be had as often as wanted, and how many they are."""

    features: np.ndarray
    read: list[int]

    def __call__(self, epoch: int) -> np.ndarray:
        self.read.append(epoch)
        return self.features

    def __len__(self) -> int:
        return len(self.features)


def test_sources_that_know_their_length_are_read_only_as_first_versions() -> None:
    first, second = SizedSource(X, []), SizedSource(X[:9], [])
    short, unsized = SizedSource(X[:4], []), lambda epoch: X
    versions = [(source, FrameLabels(Y)) for source in (second, short, unsized)]
    data = made(TrainingUtterance("a", first, FrameLabels(Y), tuple(versions)))
    assert data.dropped == ("a: 4 frames of features, 10 labels",)
    assert first.read == [0] and not second.read and not short.read
    (one,) = data.training
    assert [len(target) for _, target in one.versions] == [10, 9, 10]
    assert [len(one.load(version)[0]) for version in range(3)] == [10, 9, 10]


def test_small_differences_are_cut_and_the_rest_is_dropped() -> None:
    bad = X.copy()
    bad[4, 1] = np.nan
    data = made(
        TrainingUtterance("whole", X, FrameLabels(Y)),
        TrainingUtterance(
            "trimmed", X, FrameLabels(Y[:8]), ((X[:7], FrameLabels(Y[:8])), (X, FrameLabels(Y[:3])))
        ),
        TrainingUtterance("short", X, FrameLabels(Y[:7])),
        TrainingUtterance("second", X, FrameLabels(Y[:5]), ((X, FrameLabels(Y)),)),
        TrainingUtterance("empty", X[:0], FrameLabels(Y[:2])),
        TrainingUtterance("nan", bad, FrameLabels(Y)),
        TrainingUtterance("label", X, FrameLabels(Y + 4)),
        TrainingUtterance("width", X[:, :2], FrameLabels(Y)),
        TrainingUtterance("tokens", X, TokenSequence(Y)),
        TrainingUtterance("float", X, FrameLabels(Y.astype(np.float32))),
    )
    lengths = {
        u.id: [tuple(map(len, u.load(k))) for k in range(len(u.versions))] for u in data.training
    }
    assert lengths == {"whole": [(10, 10)], "trimmed": [(8, 8), (7, 7)], "second": [(10, 10)]}
    assert data.trimmed == 2
    assert [line.split(":")[0] for line in data.dropped] == [
        "trimmed", "short", "second", "empty", "nan", "label", "width", "tokens", "float",
    ]  # fmt: skip
    assert data.dropped[1].endswith("10 frames of features, 7 labels")
    assert data.dropped[4].endswith("features are not finite")
    assert data.dropped[5].endswith("expected labels 0 to 3, found 4 to 4")
    assert data.dropped[7].endswith("expected a target of kind FrameLabels, found TokenSequence")
    assert data.frames == 10 + 8 + 10
    assert data.label_counts.tolist() == [28, 0, 0, 0]
    assert [u.id for u in data.held_out] == ["apart"]


def test_targets_of_outputs_that_are_further_apart() -> None:
    """Ten frames make four outputs; lengths may differ by the tolerance, in frames."""

    def graph(frames: int) -> SupervisionGraph:
        ints, floats = np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.float32)
        last = np.full(1, frames - 1, dtype=np.int32)
        return SupervisionGraph(ints, ints, ints, floats, ints, last, floats, frames)

    def check(criterion: Criterion, targets: list[Target]) -> CheckedData:
        utterances = [TrainingUtterance(str(n), X, target) for n, target in enumerate(targets)]
        return CheckedData.of(
            utterances, criterion=criterion, input_dim=3, outputs=4, tolerance=3, subsampling=3,
            held_out=[TrainingUtterance("apart", X, targets[0])],
        )  # fmt: skip

    labels: list[Target] = [FrameLabels(np.zeros(k, dtype=np.int32)) for k in (4, 3, 5, 2, 6)]
    data = check(CrossEntropy(), labels)
    kept = [tuple(map(len, one.load(subsampling=3))) for one in data.training]
    assert kept == [(10, 4), (9, 3), (10, 4)]
    assert data.trimmed == 2
    assert data.frames == 29
    assert data.dropped == (
        "3: 10 frames of features make 4 outputs, 2 labels",
        "4: 10 frames of features make 4 outputs, 6 labels",
    )
    data = check(_Graphs(), [graph(k) for k in (4, 3, 5)])
    assert [tuple(map(len, one.load(subsampling=3))) for one in data.training] == [(10, 4), (9, 3)]
    assert data.dropped == ("2: 10 frames of features make 4 outputs, a graph of 5",)


class _Graphs(CrossEntropy):
    target = SupervisionGraph


def test_nothing_left_and_doubles() -> None:
    with pytest.raises(SpeechError, match="found it twice"):
        made(TrainingUtterance("a", X, FrameLabels(Y)), TrainingUtterance("a", X, FrameLabels(Y)))
    with pytest.raises(SpeechError, match="found 0 and 1; the first dropped: a: 10 frames of"):
        made(TrainingUtterance("a", X, FrameLabels(Y[:2])))


def test_features_may_be_read_when_they_are_needed() -> None:
    calls = []

    def read(epoch: int) -> np.ndarray:
        calls.append(1)
        return X + 1

    data = made(TrainingUtterance("lazy", read, FrameLabels(Y[:9])))
    assert len(calls) == 1  # to look at them and count
    features, target = data.training[0].load()
    assert len(calls) == 2
    np.testing.assert_array_equal(features, X[:9] + 1)
    assert len(target) == 9
    np.testing.assert_array_equal(data.mean, [1, 1, 1])


def test_statistics() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal([10, -3, 0], [2, 5, 1e-9], size=(k, 3)).astype(np.float32) for k in (7, 40)]
    data = made(
        *(
            TrainingUtterance(str(k), part, FrameLabels(np.zeros(len(part), dtype=np.int32)))
            for k, part in enumerate(parts)
        )
    )
    frames = np.concatenate(parts).astype(np.float64)
    np.testing.assert_allclose(data.mean, frames.mean(0), atol=1e-5)
    np.testing.assert_allclose(data.inv_std[:2], 1 / frames.std(0)[:2], rtol=1e-5)
    assert np.isfinite(data.inv_std).all()


def test_parts_are_disjoint_and_keep_the_counts() -> None:
    data = made(*(TrainingUtterance(str(k), X, FrameLabels(Y)) for k in range(7)))
    parts = [data.part(index, 3) for index in range(3)]
    assert sorted(u.id for part in parts for u in part.training) == list("0123456")
    assert {part.frames for part in parts} == {70}
    assert not any(part.held_out for part in parts)


def test_held_out_is_a_stable_share() -> None:
    names = [f"speaker-{k}" for k in range(4000)]
    held = {name for name in names if is_held_out(name, 0.05)}
    assert 140 <= len(held) <= 260
    assert held <= {name for name in names if is_held_out(name, 0.1)}
    assert not any(is_held_out(name, 0.0) for name in names)
