"""What a training tells: its log, event files for TensorBoard, and pictures."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

from recognizer.am.nnet.network_file import read_network
from recognizer.am.training.engine import log as training_log
from recognizer.am.training.engine.curves import plot_curves, read_curve
from recognizer.am.training.engine.log import TrainingProgress
from recognizer.am.training.parallel.synchronous import SyncTrainer, train_synchronously
from recognizer.data.errors import SpeechError, UsageError
from toy_training import toy_task


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training with event files that went on from before its latest measurement."""
    if importlib.util.find_spec("tensorboard") is not None:
        from tensorboard.summary.writer import event_file_writer

        # TensorBoard reads files in the order of their names, which end in a number that counts
        # those of a process: of the same second, 10 would come before 9.
        event_file_writer._global_uid = event_file_writer.AtomicCounter(0)
    task = toy_task(tmp_path_factory.mktemp("run"), evaluate_frames=300, epochs=2, tensorboard=True)
    trainer = SyncTrainer(task)
    trainer.train(max_chunks=12)
    checkpoint = trainer.run.checkpoint_path.read_bytes()
    trainer.train(max_chunks=25)
    assert len(read_curve(task.directory)) >= 2
    trainer.run.checkpoint_path.write_bytes(checkpoint)
    train_synchronously(task)
    return task.directory


def test_tensorboard_reads_the_curves(trained: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trained / "tensorboard"))
    events.Reload()
    log = read_curve(trained)
    assert len(log) >= 3
    for name in set(log[0]) - {"frames"}:
        scalars = events.Scalars(name)
        assert [scalar.step for scalar in scalars] == [entry["frames"] for entry in log]
        assert [scalar.value for scalar in scalars] == pytest.approx([entry[name] for entry in log])


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_plot(trained: Path, tmp_path: Path, kind: str) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    log = read_curve(trained)
    picture = tmp_path / f"curves.{kind}"
    plot_curves({"one": log, "other": log[:2]}, picture, over="seconds")
    content = picture.read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG")
    else:
        text = content.decode()
        assert "<svg" in text and "frame accuracy" in text and "other" in text
    assert [path.name for path in tmp_path.iterdir()] == [picture.name]


MEASURES = {"loss": 1.25, "cross_entropy": 2.5, "accuracy": 0.625, "failed_share": 0.0}


@pytest.mark.parametrize("at_most", [False, True])
def test_the_bar_shows_speed_and_accuracy(monkeypatch: pytest.MonkeyPatch, at_most: bool) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        training_log, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=180)
    )
    with TrainingProgress(1000, at_most=at_most, enabled=True) as progress:
        progress.update(250, epoch=2, speed=5432.0, measures=MEASURES)
        progress.say("measured")
    text = Text.from_ansi(screen.getvalue()).plain
    for part in (
        "epoch 3",
        "5,432 frames/s",
        "loss 1.2500  cross entropy 2.5000  accuracy 62.50%  failed share 0.00%",
        "measured",
    ):
        assert part in text
    assert f"25.0 % of {'at most ' if at_most else ''}1,000 frames" in text


def test_elsewhere_than_on_a_terminal_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(training_log, "Console", lambda stderr: Console(file=screen))
    with TrainingProgress(1000, enabled=True) as progress:
        progress.update(250, epoch=2, speed=5432.0, measures=MEASURES)
        progress.say("measured")
    assert screen.getvalue() == "measured\n"


def test_each_measurement_tells_the_total_and_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log has a line for each, as long as it is; the last one has no end to tell."""
    task = toy_task(tmp_path / "run", evaluate_frames=300, epochs=2)
    train_synchronously(dataclasses.replace(task, progress=True))
    lines = capsys.readouterr().err.splitlines()
    entries = read_curve(tmp_path / "run")
    assert len(lines) == len(entries) > 2
    for line, entry in zip(lines, entries, strict=True):
        assert f"  {entry['frames']:,.0f} of {task.planned_frames:,} frames  " in line
        end = re.search(r"  ends \d\d:\d\d \(\d+:\d\d:\d\d\)$", line)
        assert (end is None) == (entry is entries[-1]), line


def test_each_row_of_the_log_is_of_frames_that_were_trained_on(trained: Path) -> None:
    """No measurement is written twice at the end, where nothing was trained on in between."""
    log = read_curve(trained)
    frames = [entry["frames"] for entry in log]
    assert frames == sorted(set(frames))
    assert all(entry["training_accuracy"] > 0 for entry in log)


@pytest.mark.parametrize("evaluate_frames", [0, 300])
def test_a_training_from_a_network_measures_it_first(tmp_path: Path, evaluate_frames: int) -> None:
    """Where training makes it worse, the network of the start is the best, and patience ends it."""
    first = toy_task(tmp_path / "first", epochs=4)
    train_synchronously(first)
    task = toy_task(
        tmp_path / "second",
        epochs=50,
        evaluate_frames=evaluate_frames,
        learning_rate=1.0,
        final_learning_rate=1.0,
        patience=2,
    )
    start = first.directory / "best.safetensors"
    task = dataclasses.replace(task, initial=start)
    result = train_synchronously(task)
    log = read_curve(task.directory)
    assert log[0]["frames"] == 0 and "frames_per_second" not in log[0]
    assert result.best is not None and result.last is not None
    assert result.best["accuracy"] == pytest.approx(log[0]["held_out_accuracy"], abs=1e-5)
    assert result.last["accuracy"] < result.best["accuracy"]
    assert result.frames < 10 * task.data.frames
    assert len(log) == 3 and log[-1]["frames"] == result.frames
    best = read_network(result.best_path).tensors
    for name, tensor in read_network(start).tensors.items():
        np.testing.assert_array_equal(best[name], tensor)


def test_what_cannot_be_plotted(trained: Path, tmp_path: Path) -> None:
    log = read_curve(trained)
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.pdf"):
        plot_curves({"run": log}, tmp_path / "curves.gif")
    with pytest.raises(SpeechError, match=r"run: expected held-out measurements in its log"):
        plot_curves({"run": [{"frames": 1}]}, tmp_path / "curves.svg")
    other = [{"frames": 1, "training_ctc_loss": 2.0, "held_out_ctc_loss": 2.0}]
    with pytest.raises(SpeechError, match=r"other: expected 'held_out_accuracy' in every line"):
        plot_curves({"run": log, "other": other}, tmp_path / "curves.svg")
    with pytest.raises(SpeechError, match=r"training\.jsonl: expected the log"):
        read_curve(tmp_path)
    (tmp_path / "training.jsonl").write_text(json.dumps({"frames": 1}) + "\n[1]\n")
    with pytest.raises(SpeechError, match=r"training\.jsonl:2: expected numbers"):
        read_curve(tmp_path)
