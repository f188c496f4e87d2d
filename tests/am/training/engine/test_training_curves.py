"""What a training tells: its log, event files for TensorBoard, and pictures."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from recognizer.am.training.engine import log as training_log
from recognizer.am.training.engine.curves import plot_curves, read_curve
from recognizer.am.training.engine.log import TrainingProgress
from recognizer.am.training.parallel.synchronous import SyncTrainer, train_synchronously
from recognizer.data.errors import SpeechError, UsageError
from toy_training import toy_task


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training with event files that went on from before its latest measurement."""
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


@pytest.mark.parametrize("planned", [1000, None])
def test_the_bar_shows_speed_and_accuracy(
    monkeypatch: pytest.MonkeyPatch, planned: int | None
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        training_log, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=150)
    )
    with TrainingProgress(planned, enabled=True) as progress:
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
    assert ("25.0 %" in text) == (planned is not None)


def test_elsewhere_than_on_a_terminal_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(training_log, "Console", lambda stderr: Console(file=screen))
    with TrainingProgress(1000, enabled=True) as progress:
        progress.update(250, epoch=2, speed=5432.0, measures=MEASURES)
        progress.say("measured")
    assert screen.getvalue() == "measured\n"


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
