"""Training learns, resumes with the same bits, and says what is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from recognizer.am.nnet.inference import log_posteriors
from recognizer.am.nnet.native import NativeNetwork
from recognizer.am.nnet.network_file import read_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.nnet.priors import count_labels, state_priors
from recognizer.am.torch.networks import make_network
from recognizer.am.training.criteria.cross_entropy import CrossEntropy
from recognizer.am.training.engine.errors import DivergedError
from recognizer.am.training.parallel.synchronous import SyncTrainer
from recognizer.am.training.train import (
    AugmentOptions,
    FrameLabels,
    Objective,
    TrainingOptions,
    TrainingUtterance,
    evaluate,
    make_task,
    train,
)
from recognizer.data.errors import SpeechError, UsageError
from toy_training import DIM, NETWORK, STATES, make_utterances


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


OPTIONS = TrainingOptions(
    epochs=4,
    streams=4,
    learning_rate=5e-3,
    final_learning_rate=1e-3,
    initial_range=0.3,
    held_out_fraction=0.2,
    dropout=0.1,
    max_gradient_norm=5.0,
    average_frames=500,
    evaluate_frames=700,
    augment=AugmentOptions(gain_std=0.1, noise_std=0.1),
    tensorboard=False,
)


def run(
    directory: Path,
    options: TrainingOptions = OPTIONS,
    network: NetworkOptions = NETWORK,
    utterances: Sequence[TrainingUtterance] | None = None,
    **arguments: Any,
) -> SyncTrainer:
    directory.mkdir(exist_ok=True)
    task = make_task(
        utterances or make_utterances(), network, options, directory, progress=False, **arguments
    )
    return SyncTrainer(task)


def labels_of(utterance: TrainingUtterance) -> npt.NDArray[np.int32]:
    assert isinstance(utterance.target, FrameLabels)
    return utterance.target.labels


def weights_of(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    return dict(read_network(path).tensors)


def test_it_learns_and_writes_everything(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, epochs=25, evaluate_frames=0, learning_rate=2e-2)
    result = train(
        make_utterances(), NETWORK, options, tmp_path, silence_pdfs=[0], progress=False,
        metadata={"features": {"num_bins": DIM}},
    )  # fmt: skip
    assert result.finished and result.last is not None and result.best is not None
    assert result.last["accuracy"] > 0.9
    assert result.best["accuracy"] >= result.last["accuracy"]
    assert result.dropped == () and result.trimmed == 0
    network = read_network(result.last_path)
    assert network.options == NETWORK
    assert network.metadata["features"] == {"num_bins": DIM}
    assert network.metadata["training"]["options"]["epochs"] == 25
    lines = [json.loads(line) for line in (tmp_path / "training.jsonl").read_text().splitlines()]
    assert len(lines) >= 25
    assert lines[-1]["held_out_accuracy"] == pytest.approx(result.last["accuracy"], abs=1e-5)
    assert lines[-1]["training_cross_entropy"] < lines[0]["training_cross_entropy"] / 3

    split = run(tmp_path).task.data
    training, held_out = split.training, split.held_out
    assert len(training) + len(held_out) == 30
    priors = state_priors(count_labels((labels_of(u) for u in training), STATES), [0])
    np.testing.assert_array_equal(network.log_priors, priors)

    # The written network does at inference what was measured in training.
    correct = frames = 0
    model = NativeNetwork(network)
    for utterance in held_out:
        best = log_posteriors(model, utterance.features).argmax(1)
        correct += int((best == labels_of(utterance)).sum())
        frames += len(best)
    assert frames == result.last.frames
    assert correct / frames == pytest.approx(result.last["accuracy"], abs=2 / frames)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_run_ends_with_the_same_bits(
    tmp_path: Path, optimizer: str, precision: str
) -> None:
    options = dataclasses.replace(OPTIONS, optimizer=optimizer, precision=precision)
    whole = run(tmp_path / "whole", options)
    assert whole.train().finished
    for chunks in (1, 17, 40):
        directory = tmp_path / f"cut-{chunks}"
        result = run(directory, options).train(max_chunks=chunks)
        assert not result.finished
        # Interrupted again at once, and once more later.
        for more in (0, 5):
            again = run(directory, options)
            again.restore()
            if more:
                again.train(max_chunks=more)
            else:
                again.save()
        last = run(directory, options)
        last.restore()
        assert last.train().finished
        assert last.run.frames == whole.run.frames
        for name in ("last.safetensors", "best.safetensors"):
            ours, expected = weights_of(directory / name), weights_of(tmp_path / "whole" / name)
            for key, array in expected.items():
                np.testing.assert_array_equal(ours[key], array, err_msg=key)
        logs = [
            [
                {k: v for k, v in json.loads(line).items() if k.startswith("held_out")}
                for line in (folder / "training.jsonl").read_text().splitlines()
            ]
            for folder in (directory, tmp_path / "whole")
        ]
        assert logs[0] == logs[1]


def test_finished_run_is_not_repeated(tmp_path: Path) -> None:
    arguments = (make_utterances(), NETWORK, OPTIONS, tmp_path)
    first = train(*arguments, progress=False)
    before = weights_of(first.last_path)
    again = train(*arguments, progress=False)
    assert again == first
    for key, array in weights_of(again.last_path).items():
        np.testing.assert_array_equal(array, before[key])


def test_max_frames_ends_the_run(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, epochs=1, max_frames=4000)
    result = run(tmp_path, options).train()
    assert result.finished
    assert 4000 <= result.frames < 4000 + options.streams * options.chunk


def measurements(directory: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (directory / "training.jsonl").read_text().splitlines()]


def test_patience_ends_the_run(tmp_path: Path) -> None:
    options = dataclasses.replace(
        OPTIONS, epochs=1000, evaluate_frames=700, patience=2, learning_rate=2e-2
    )
    result = run(tmp_path, options).train()
    assert result.finished and result.best is not None
    accuracies = [entry["held_out_accuracy"] for entry in measurements(tmp_path)]
    best = accuracies.index(max(accuracies))
    # Two measurements after the best, the second of which is of the network at the end.
    assert len(accuracies) == best + 1 + 2
    assert result.last is not None
    assert accuracies[-1] == pytest.approx(result.last["accuracy"], abs=1e-5)
    # Nowhere before had it failed twice.
    records = [k for k in range(best) if accuracies[k] > max(accuracies[:k], default=0.0)]
    assert all(max(accuracies[k + 1 : k + 3]) > accuracies[k] for k in records)
    assert accuracies[best] == pytest.approx(result.best["accuracy"], abs=1e-5)


def test_patience_outlives_an_interruption(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, epochs=1000, patience=2, learning_rate=2e-2)
    whole = run(tmp_path / "whole", options).train()
    trainer = run(tmp_path / "cut", options)
    chunks = 0
    while not trainer.train(max_chunks=7).finished:
        trainer = run(tmp_path / "cut", options)
        trainer.restore()
        chunks += 7
    assert chunks > 50
    assert trainer.run.frames == whole.frames
    for key, array in weights_of(whole.last_path).items():
        np.testing.assert_array_equal(weights_of(tmp_path / "cut" / "last.safetensors")[key], array)


def test_rate_decays_over_its_own_frames() -> None:
    options = dataclasses.replace(
        OPTIONS, learning_rate=1e-2, final_learning_rate=1e-4, decay_frames=1000
    )
    rates = [options.learning_rate_at(frames, 10_000) for frames in (0, 500, 1000, 2000)]
    assert rates == pytest.approx([1e-2, 1e-3, 1e-4, 1e-6])
    with pytest.raises(UsageError, match="patience: expected 0 in mode"):
        TrainingOptions(mode="async", optimizer="sgd", patience=2)
    expected = "learning_rate: expected at least 0.01, the final one, as it decays without end, f"
    with pytest.raises(UsageError, match=expected):
        TrainingOptions(learning_rate=1e-3, final_learning_rate=1e-2, decay_frames=10)


def test_interrupt_finishes_the_chunk_and_saves(tmp_path: Path) -> None:
    calls = 0

    def interrupting(
        x: npt.NDArray[np.float32], rng: np.random.Generator
    ) -> npt.NDArray[np.float32]:
        nonlocal calls
        calls += 1
        if calls == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return x

    before = signal.getsignal(signal.SIGINT)
    trainer = run(tmp_path, augment=interrupting)
    result = trainer.train()
    assert signal.getsignal(signal.SIGINT) is before
    assert not result.finished and result.frames > 0
    again = run(tmp_path, augment=lambda x, rng: x)
    again.restore()
    assert again.run.frames == result.frames
    assert again.train().finished


def test_paper_options_are_plain_gradient_descent(tmp_path: Path) -> None:
    """One step moves the weights by the rate times the gradient of the summed loss."""
    options = dataclasses.replace(TrainingOptions.paper(), initial_range=0.3, held_out_fraction=0.2)
    assert (options.optimizer, options.reduction, options.chunk) == ("sgd", "sum", 20)
    trainer = run(tmp_path, options)
    before = [p.detach().clone() for p in trainer.parameters]
    batcher = run(tmp_path, options).learner.batcher
    chunk = next(batcher)
    model = Objective(make_network(NETWORK), CrossEntropy())
    model.load_state_dict(trainer.run.model.state_dict())
    loss, _ = model(chunk, model.initial_states(4))
    loss.loss.backward()
    trainer.train(max_chunks=1)
    for old, new, parameter in zip(before, trainer.parameters, model.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(new.detach(), old - 1e-5 * parameter.grad, rtol=0, atol=1e-7)


def test_learning_rate_decays_exponentially() -> None:
    options = TrainingOptions(learning_rate=1e-2, final_learning_rate=1e-4)
    assert options.learning_rate_at(0, 1000) == pytest.approx(1e-2)
    assert options.learning_rate_at(500, 1000) == pytest.approx(1e-3)
    assert options.learning_rate_at(1000, 1000) == pytest.approx(1e-4)
    assert options.learning_rate_at(2000, 1000) == pytest.approx(1e-4)
    warm = dataclasses.replace(options, warmup_frames=100)
    assert warm.learning_rate_at(49, 1000) == pytest.approx(options.learning_rate_at(49, 1000) / 2)
    assert warm.learning_rate_at(100, 1000) == options.learning_rate_at(100, 1000)


def test_start_from_a_trained_network(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, epochs=20)
    first = train(make_utterances(), NETWORK, options, tmp_path / "a", progress=False)
    assert first.last is not None
    more = dataclasses.replace(OPTIONS, epochs=1, average_frames=0, learning_rate=1e-4)
    second = train(
        make_utterances(), NETWORK, more, tmp_path / "b", initial=first.last_path, progress=False
    )
    assert second.last is not None and second.last["accuracy"] > first.last["accuracy"] - 0.05
    other = dataclasses.replace(NETWORK, cells=17)
    with pytest.raises(SpeechError, match="cells=17"):
        train(make_utterances(), other, more, tmp_path / "c", initial=first.last_path)


def test_given_held_out_utterances(tmp_path: Path) -> None:
    held_out = [
        dataclasses.replace(u, id=f"other-{u.id}") for u in make_utterances(count=3, seed=7)
    ]
    trainer = run(tmp_path, held_out=held_out)
    assert len(trainer.task.data.training) == 30
    assert [u.id for u in trainer.task.data.held_out] == ["other-u0", "other-u1", "other-u2"]


def test_evaluate_is_exact() -> None:
    model = make_network(NETWORK, generator=torch.Generator().manual_seed(1), initial_range=0.5)
    utterances = make_utterances(7)
    result = evaluate(Objective(model, CrossEntropy()), utterances, streams=3)
    network = model.to_network(np.zeros(STATES, dtype=np.float32))
    loss = correct = frames = 0.0
    for utterance in utterances:
        rows = log_posteriors(NativeNetwork(network), utterance.features)
        loss -= float(rows[np.arange(len(rows)), labels_of(utterance)].sum())
        correct += float((rows.argmax(1) == labels_of(utterance)).sum())
        frames += len(rows)
    assert result.frames == frames
    assert result["cross_entropy"] == pytest.approx(loss / frames, rel=1e-4)
    assert result["accuracy"] == pytest.approx(correct / frames)


def test_damaged_or_foreign_checkpoint(tmp_path: Path) -> None:
    trainer = run(tmp_path)
    trainer.train(max_chunks=2)
    whole = trainer.run.checkpoint_path.read_bytes()
    trainer.run.checkpoint_path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SpeechError, match="not a whole checkpoint"):
        run(tmp_path).restore()
    trainer.run.checkpoint_path.write_bytes(whole)
    with pytest.raises(SpeechError, match="seed: expected 5, found 0"):
        run(tmp_path, dataclasses.replace(OPTIONS, seed=5)).restore()
    for name, value in (("layers", 1), ("peepholes", False), ("output_delay", 0)):
        changed = dataclasses.replace(NETWORK, **{name: value})
        found = getattr(NETWORK, name)
        with pytest.raises(SpeechError, match=f"option {name}: expected {value}, found {found}"):
            run(tmp_path, network=changed).restore()
    others = [
        dataclasses.replace(
            one,
            features=one.features[:-1],
            target=one.target.cut(0, len(one.target) - 1),
            alternatives=(),
        )
        for one in make_utterances()
    ]
    with pytest.raises(SpeechError, match="hash of their names and lengths: expected"):
        run(tmp_path, utterances=others).restore()
    with pytest.raises(SpeechError, match="optimizer: expected sgd, found adam"):
        run(tmp_path, dataclasses.replace(OPTIONS, optimizer="sgd")).restore()
    other = dataclasses.replace(NETWORK, cells=17)
    with pytest.raises(SpeechError, match="option cells: expected 17, found"):
        run(tmp_path, network=other).restore()


def test_a_loss_that_explodes_is_named(tmp_path: Path) -> None:
    options = dataclasses.replace(
        OPTIONS, optimizer="sgd", learning_rate=1e30, final_learning_rate=1e30,
        max_gradient_norm=0.0, reduction="sum", average_frames=0,
    )  # fmt: skip
    with pytest.raises(DivergedError, match="not finite"):
        run(tmp_path, options).train()


def test_weights_that_the_last_step_spoils_are_not_kept(tmp_path: Path) -> None:
    """No further chunk shows what became of them: only the measurement at the end does."""
    options = dataclasses.replace(
        OPTIONS, optimizer="sgd", learning_rate=1e38, final_learning_rate=1e38, max_frames=1,
        max_gradient_norm=0.0, reduction="sum", average_frames=0,
    )  # fmt: skip
    with pytest.raises(DivergedError, match="not finite"):
        run(tmp_path, options).train()
    assert not list(tmp_path.glob("*st.safetensors"))


def test_needs_both_parts(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="30 and 0"):
        run(tmp_path, dataclasses.replace(OPTIONS, held_out_fraction=0.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"streams": -1},
        {"optimizer": "newton"},
        {"precision": "int8"},
        {"reduction": "max"},
        {"dropout": 1.0},
        {"learning_rate": float("nan")},
        {"held_out_fraction": 1.5},
        {"average_frames": -1},
    ],
)
def test_wrong_options(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        TrainingOptions(**wrong)  # type: ignore[arg-type]


def test_whole_utterances_of_a_bidirectional_network(tmp_path: Path) -> None:
    network = dataclasses.replace(NETWORK, bidirectional=True, output_delay=0)
    options = dataclasses.replace(OPTIONS, epochs=3, evaluate_frames=0)
    whole = run(tmp_path / "whole", options, network)
    assert whole.train().finished
    run(tmp_path / "cut", options, network).train(max_chunks=7)
    again = run(tmp_path / "cut", options, network)
    again.restore()
    assert again.train().finished
    expected = weights_of(whole.run.last_path)
    for key, array in weights_of(again.run.last_path).items():
        np.testing.assert_array_equal(array, expected[key], err_msg=key)


def test_ray_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "recognizer.am.training.parallel.ray_training", raising=False)
    options = dataclasses.replace(
        OPTIONS, mode="ray", optimizer="sgd", average_frames=0, dropout=0.0
    )
    with pytest.raises(SpeechError, match=r"pip install 'recognizer\[cluster\]'"):
        train(make_utterances(), NETWORK, options, tmp_path, progress=False)
