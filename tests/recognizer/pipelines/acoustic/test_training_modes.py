"""`recognizer train` in its modes, with features from files or computed as they are needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import babble
from commands_run import Ran
from descendants import wait_until
from places import ROOT
from recognizer.am.nnet.network_file import read_network
from recognizer.am.training.engine.options import ParameterServerOptions, TrainingOptions
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.textgrid import write_textgrid
from recognizer.data.errors import SpeechError, UsageError
from recognizer.pipelines.acoustic import feature_cache
from recognizer.pipelines.acoustic.feature_cache import FeatureFile
from recognizer.pipelines.acoustic.network_stages import NETWORK_FILE
from recognizer.pipelines.acoustic.training_modes import check_mode
from recognizer.pipelines.train import train_from_file

torch = pytest.importorskip("torch", reason="training needs torch")

TRAIN = """
output = "{output}"
[[sets]]
data = "train"
alignments = "aligned"
[acoustic]
speeds = [1.0, 0.9]
cache_features = {cache}
[acoustic.tree]
num_leaves = 30
min_count = 20.0
[acoustic.network]
layers = 1
cells = 16
projection = 8
[acoustic.training]
epochs = 2
streams = 4
optimizer = "sgd"
learning_rate = 0.1
final_learning_rate = 0.1
max_gradient_norm = 1.0
initial_range = 0.1
held_out_fraction = 0.2
threads = 1
shards_at_once = 2
tensorboard = false
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("modes")
    for name in ("audio", "aligned"):
        (root / name).mkdir()
    rng = np.random.default_rng(5)
    pairs = [babble.utterance(rng, f"u{i:02d}", root / "audio") for i in range(16)]
    babble.write_data([utterance for utterance, _ in pairs], root / "train")
    for utterance, phones in pairs:
        words = (Segment("all", phones[0].start, phones[-1].end),)
        alignment = Alignment(utterance.id, words, tuple(phones))
        write_textgrid(alignment, root / "aligned" / f"{utterance.id}.TextGrid")
    return root


def recipe(data: Path, output: str, *, cache: bool = True) -> Path:
    path = data / f"{output}.toml"
    path.write_text(TRAIN.format(output=output, cache=str(cache).lower()))
    return path


def weights(data: Path, output: str) -> dict[str, np.ndarray]:
    return dict(read_network(data / output / NETWORK_FILE).tensors)


def test_features_on_the_fly_are_the_same(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_cache, "UTTERANCES_PER_SHARD", 3)
    for output, cache in (("cached", True), ("computed", False)):
        assert train_from_file(recipe(data, output, cache=cache)) == data / output
    assert len(list((data / "cached/work/features").glob("*.features"))) == 12
    assert not list((data / "computed/work/features").glob("*.features"))
    expected = weights(data, "cached")
    for name, array in weights(data, "computed").items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


AUGMENTED = """
[acoustic.augmentation]
copies = 2
[acoustic.augmentation.noise]
clips = ["hum"]
[acoustic.augmentation.volume]
[acoustic.augmentation.telephone]
"""


def augmented(data: Path, output: str, *, cache: bool = True) -> Path:
    path = recipe(data, output, cache=cache)
    path.write_text(path.read_text() + AUGMENTED)
    return path


def test_training_on_augmented_copies(data: Path) -> None:
    path = augmented(data, "augmented")
    with pytest.raises(SpeechError, match="hum: expected audio files of noise, found none"):
        train_from_file(path)
    assert not (data / "augmented").exists()  # told before any work
    (data / "hum").mkdir()
    hum = np.sin(np.arange(8000) / 25).astype(np.float32)
    soundfile.write(data / "hum" / "hum.wav", 0.1 * hum, 16000)
    train_from_file(path)
    features = data / "augmented/work/features"
    assert sorted(one.name for one in features.iterdir()) == [
        "noise.txt", "stage.json", "train@0.9+1-00000.features", "train@1+2-00000.features",
        "train@1-00000.features",
    ]  # fmt: skip
    assert (features / "noise.txt").read_text() == f"{data / 'hum' / 'hum.wav'}\n"
    copies = [FeatureFile(features / name).load() for name in ("train@1", "train@1+2")]
    for utterance, rows in copies[0].items():
        assert not np.array_equal(rows(), copies[1][utterance]())
    metadata = read_network(data / "augmented" / NETWORK_FILE).metadata
    assert metadata["augmentation"]["noise"]["clips"] == ["hum"]
    # Made anew in each epoch, the first time like those in files.
    made = []
    for output, processes in (("anew", 0), ("ahead", 1)):
        changes = {"feature_processes": processes}
        train_from_file(augmented(data, output, cache=False), changes=changes)
        made.append(weights(data, output))
    for name, array in made[0].items():
        np.testing.assert_array_equal(array, made[1][name], err_msg=name)
    assert any((made[0][name] != array).any() for name, array in weights(data, "augmented").items())


def test_asynchronous_processes(data: Path) -> None:
    path = recipe(data, "async", cache=False)
    train_from_file(path, changes={"mode": "async", "workers": 2})
    options = read_network(data / "async" / NETWORK_FILE).metadata["training"]["options"]
    assert (options["mode"], options["workers"]) == ("async", 2)
    log = (data / "async/work/network/training.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["epoch"] >= 1.8


def test_curves_are_plotted(tmp_path: Path, command: Callable[..., Ran]) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    log = tmp_path / "training.jsonl"
    wanted = ("held_out_accuracy", "held_out_cross_entropy", "training_accuracy",
              "training_cross_entropy", "seconds")  # fmt: skip
    lines = [{"frames": frames, **dict.fromkeys(wanted, 0.5)} for frames in (10, 20)]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    picture = tmp_path / "curves.svg"
    ran = command("recognizer", "curves", tmp_path, "-o", picture)
    assert (ran.code, ran.err) == (0, "")
    assert "frame accuracy" in picture.read_text()
    log.unlink()
    ran = command("recognizer", "curves", tmp_path, "-o", tmp_path / "none.svg")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert f"recognizer: {log}: expected the log" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == [picture.name]


def test_workers_on_a_cluster(data: Path, cluster: None) -> None:
    path = recipe(data, "ray", cache=False)
    changes = {"mode": "ray", "workers": 2, "cluster": ParameterServerOptions(threads=2)}
    train_from_file(path, changes=changes)
    options = read_network(data / "ray" / NETWORK_FILE).metadata["training"]["options"]
    assert (options["mode"], options["workers"]) == ("ray", 2)
    log = (data / "ray/work/network/training.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["epoch"] >= 1.8
    assert "staleness_mean" in log[-1]


def test_torchrun_starts_processes_that_act_as_one(data: Path) -> None:
    program = data / "program.py"
    program.write_text("from recognizer.cli.main import main\nmain()\n")
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
            str(program), "train", str(recipe(data, "ddp")), "--mode", "ddp",
        ],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{data / 'ddp'}\n"
    log = (data / "ddp/work/network/training.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["epoch"] >= 1.8
    options = read_network(data / "ddp" / NETWORK_FILE).metadata["training"]["options"]
    assert options["mode"] == "ddp"


@pytest.mark.parametrize(("mode", "ahead"), [("single", 0), ("single", 2), ("async", 0)])
def test_an_interrupted_training_says_so_and_goes_on(data: Path, mode: str, ahead: int) -> None:
    """With the exit codes and the one line of all commands."""
    path = recipe(data, f"interrupted-{mode}-{ahead}", cache=not ahead)
    forever = f"epochs = 1000000\nfeature_processes = {ahead}"
    path.write_text(path.read_text().replace("epochs = 2", forever))
    log = data / path.stem / "work/network/training.jsonl"
    frames = 0
    for number, code, word in (
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
    ):
        process = subprocess.Popen(
            [
                sys.executable, "-c", "from recognizer.cli.main import main\nmain()",
                "train", str(path), "--mode", mode,
            ],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            assert wait_until(
                lambda process=process, frames=frames: (
                    process.poll() is not None or (log.exists() and last_frames(log) > frames)
                )
            )
            assert process.poll() is None
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert (process.returncode, err.splitlines()[-1]) == (code, f"recognizer: {word}"), err
        assert "Traceback" not in err
        assert last_frames(log) > frames
        frames = last_frames(log)


def last_frames(log: Path) -> int:
    """Of the last measurement; 0 before the first."""
    lines = log.read_text().splitlines()
    return int(json.loads(lines[-1])["frames"]) if lines else 0


def test_modes_that_cannot_be(data: Path) -> None:
    path = recipe(data, "wrong")
    with pytest.raises(UsageError, match="expected to be started by torchrun"):
        train_from_file(path, changes={"mode": "ddp"})
    with pytest.raises(UsageError, match=r'optimizer: expected sgd in mode "ray", found .adam'):
        train_from_file(path, changes={"mode": "ray", "optimizer": "adam"})
    with pytest.raises(UsageError, match="workers: expected more than 1 only in mode"):
        train_from_file(path, changes={"workers": 2})


def test_a_mode_is_checked_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="expected to be started by torchrun, as recognizer"):
        check_mode(TrainingOptions(mode="ddp"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ray" else name)
    with pytest.raises(SpeechError, match=r"pip install 'recognizer\[cluster\]'"):
        check_mode(TrainingOptions(mode="ray", optimizer="sgd"))
