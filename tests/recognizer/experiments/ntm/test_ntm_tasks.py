"""The sequences of the five tasks, checked vector by vector, and the optimal estimator."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recognizer.data.errors import UsageError
from recognizer.experiments.ntm.tasks import (
    NGRAM_CONTEXT,
    TASKS,
    AssociativeRecallTask,
    CopyTask,
    DynamicNgramsTask,
    PrioritySortTask,
    RepeatCopyTask,
    batches_to_test,
    bayes_estimates,
    optimal_costs,
)

SEEDS = range(20)


@pytest.mark.parametrize("name", TASKS)
def test_sequences_have_the_dimensions_that_the_task_says(name: str) -> None:
    task = TASKS[name]
    for seed in range(3):
        episodes = task.draw(np.random.default_rng(seed), 7)
        steps, batch, inputs = episodes.inputs.shape
        assert (batch, inputs) == (7, task.inputs)
        assert episodes.targets.shape[1:] == (7, task.outputs)
        assert len(episodes.targets) <= steps
        assert set(np.unique(episodes.targets)) <= {0.0, 1.0}
        again = task.draw(np.random.default_rng(seed), 7)
        np.testing.assert_array_equal(again.inputs, episodes.inputs)
    for test in task.tests().values():
        assert (test.inputs, test.outputs) == (task.inputs, task.outputs)


def test_copy_asks_for_the_vectors_after_the_delimiter() -> None:
    lengths = set()
    for seed in SEEDS:
        episodes = CopyTask(1, 4, 3).draw(np.random.default_rng(seed), 2)
        length = len(episodes.targets)
        lengths.add(length)
        assert len(episodes.inputs) == 2 * length + 1
        np.testing.assert_array_equal(episodes.inputs[:length, :, :3], episodes.targets)
        delimiters = np.zeros(2 * length + 1)
        delimiters[length] = 1
        np.testing.assert_array_equal(episodes.inputs[:, 0, 3], delimiters)
        assert not episodes.inputs[length:, :, :3].any()
    assert lengths == {1, 2, 3, 4}


def test_repeat_copy_asks_for_the_copies_and_the_end() -> None:
    copies = []
    for seed in SEEDS:
        episodes = RepeatCopyTask(1, 3, 1, 10, 2).draw(np.random.default_rng(seed), 2)
        length = int(episodes.inputs[:, 0, 2].argmax())
        number = round(episodes.inputs[length, 0, 3] * math.sqrt(8.25) + 5.5)
        copies.append(number)
        expected = np.concatenate([episodes.inputs[:length, :, :2]] * number)
        np.testing.assert_array_equal(episodes.targets[:-1, :, :2], expected)
        np.testing.assert_array_equal(episodes.targets[-1], [[0, 0, 1]] * 2)
        assert not episodes.targets[:-1, :, 2].any()
        assert len(episodes.inputs) == length + 1 + len(episodes.targets)
    assert min(copies) < 4
    assert max(copies) > 7


def test_recall_asks_for_the_item_after_the_query() -> None:
    asked = set()
    for seed in SEEDS:
        episodes = AssociativeRecallTask(3, 3, 2, 8).draw(np.random.default_rng(seed), 4)
        assert episodes.inputs.shape == (3 * 3 + 2 + 2 + 2, 4, 10)
        np.testing.assert_array_equal(np.flatnonzero(episodes.inputs[:, 0, 8]), [0, 3, 6])
        np.testing.assert_array_equal(np.flatnonzero(episodes.inputs[:, 0, 9]), [9, 12])
        for one in range(4):
            items = [episodes.inputs[3 * i + 1 : 3 * i + 3, one, :8] for i in range(3)]
            query = episodes.inputs[10:12, one, :8]
            follow = [
                items[i + 1] for i in range(2) if np.array_equal(items[i], query)
            ]  # two equal items are possible
            assert any(np.array_equal(episodes.targets[:, one], item) for item in follow)
            asked.add(next(i for i in range(3) if np.array_equal(items[i], query)))
    assert asked == {0, 1}


def test_priority_sort_asks_for_the_highest_first() -> None:
    episodes = PrioritySortTask(5, 3, 6).draw(np.random.default_rng(0), 3)
    assert episodes.inputs.shape == (5 + 1 + 3, 3, 8)
    for one in range(3):
        pairs = [(-vector[6], tuple(vector[:6])) for vector in episodes.inputs[:5, one]]
        expected = [vector for _, vector in sorted(pairs)][:3]
        np.testing.assert_array_equal(episodes.targets[:, one], expected)
    np.testing.assert_array_equal(np.flatnonzero(episodes.inputs[:, 0, 7]), [5])


def test_ngrams_are_drawn_from_tables_of_their_own() -> None:
    """Of Beta(1/2, 1/2), half of a context's bits have a probability beyond 0.85 or below 0.15."""
    episodes = DynamicNgramsTask(2000).draw(np.random.default_rng(0), 8)
    bits = np.concatenate([episodes.inputs[:, :, 0], episodes.targets[-1:, :, 0]])
    np.testing.assert_array_equal(bits[NGRAM_CONTEXT:], episodes.targets[:, :, 0])
    shares = []
    for column in bits.T:
        followers: dict[tuple[float, ...], list[float]] = {}
        for step in range(NGRAM_CONTEXT, len(column)):
            context = tuple(column[step - NGRAM_CONTEXT : step])
            followers.setdefault(context, []).append(column[step])
        shares += [float(np.mean(after)) for after in followers.values() if len(after) > 30]
    extreme = np.mean([share < 0.1464 or share > 0.8536 for share in shares])
    assert 0.4 < extreme < 0.65


def test_the_optimal_estimator_is_that_of_equation_10() -> None:
    bits = np.random.default_rng(1).integers(0, 2, (60, 3))
    found = bayes_estimates(bits)
    for column in range(3):
        for step in range(NGRAM_CONTEXT, 60):
            context = bits[step - NGRAM_CONTEXT : step, column]
            after = [
                bits[before, column]
                for before in range(NGRAM_CONTEXT, step)
                if np.array_equal(bits[before - NGRAM_CONTEXT : before, column], context)
            ]
            expected = (sum(after) + 0.5) / (len(after) + 1.0)
            assert found[step - NGRAM_CONTEXT, column] == expected


def test_no_estimator_of_ngrams_is_better_on_average() -> None:
    """Other pseudo-counts than 1/2, the parameter of the beta distribution, cost more."""
    task = DynamicNgramsTask(120)
    optimal = np.mean(optimal_costs(task, 400))
    for pseudo in (0.3, 1.0):
        total, count = 0.0, 0
        for batch in batches_to_test(task, 400):
            bits = np.concatenate([batch.inputs[:5, :, 0], batch.targets[:, :, 0]]).astype(int)
            for column in bits.T:
                seen: dict[tuple[int, ...], list[float]] = {}
                for step in range(NGRAM_CONTEXT, len(column)):
                    counts = seen.setdefault(
                        tuple(column[step - NGRAM_CONTEXT : step]), [pseudo, pseudo]
                    )
                    total -= math.log2(counts[column[step]] / sum(counts))
                    counts[column[step]] += 1
                count += 1
        assert count == 400
        assert optimal < total / count


def test_impossible_tasks_are_refused() -> None:
    with pytest.raises(UsageError, match="length: expected more than 5, found 5"):
        DynamicNgramsTask(5)
    with pytest.raises(UsageError, match="sorted: expected 1 to 3, found 4"):
        PrioritySortTask(3, 4)
