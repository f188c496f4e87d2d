"""The recogniser beside its peers: `benchmarks.recognition`, with the toy model and a made peer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

import toy
from places import ROOT
from recognizer.data.audio.reading import SAMPLE_RATE

TEXTS = ("go left", "stop now", "go right now write stop")

PEER = """
class Decoder:
    def __init__(self, loglevel): pass
    def start_utt(self): self.bytes = 0
    def process_raw(self, samples, no_search, full_utt): self.bytes += len(samples)
    def end_utt(self): pass
    def hyp(self):
        class Hypothesis:
            hypstr = "Go, LEFT!"
        return Hypothesis if self.bytes else None
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the toy model, a set of three utterances and a peer."""
    root = tmp_path_factory.mktemp("peers")
    toy.build(root / "model")
    data = root / "whistles"
    data.mkdir()
    for index, text in enumerate(TEXTS):
        soundfile.write(data / f"{index}.wav", toy.whistle(text), SAMPLE_RATE)
    keys = range(len(TEXTS))
    (data / "wav.scp").write_text("".join(f"u{k} {data}/{k}.wav\n" for k in keys))
    (data / "text").write_text("".join(f"u{k} {TEXTS[k]}\n" for k in keys))
    metadata = root / "packages" / "pocketsphinx-7.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pocketsphinx\nVersion: 7.0\n")
    (root / "packages" / "pocketsphinx.py").write_text(PEER)
    return root


def run(made: Path, *options: str, packages: bool = True) -> tuple[str, dict]:
    paths = [str(made / "packages")] * packages + [os.environ.get("PYTHONPATH", "")]
    figures = made / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.recognition", "whistles", "--corpora", str(made),
         "--model", str(made / "model"), "--json", str(figures), *options],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(figures.read_text())


def test_errors_and_times_of_all_systems(made: Path) -> None:
    said, result = run(made, "--rounds", "1", "--lengths", "1.5")
    assert "Whisper tiny.en, int8: left out" in said or "Whisper" in result["errors"][1]["system"]
    rows = {row["system"]: row for row in result["errors"]}
    ours, peer = rows["recognizer"], rows["pocketsphinx (7.0)"]
    assert ours["words"] == peer["words"] == 9 and ours["utterances"] == 3
    assert ours["wer"] == ours["low"] == ours["high"] == 0
    # It always says the same, and its capitals and its punctuation are no errors.
    assert (peer["substitutions"], peer["deletions"], peer["insertions"]) == (3, 3, 0)
    assert peer["low"] < peer["wer"] < peer["high"]
    seconds = sum(len(toy.whistle(text)) for text in TEXTS) / SAMPLE_RATE
    assert ours["audio_seconds"] == round(seconds, 1)
    assert ours["real_time_factor"] == pytest.approx(ours["processor_seconds"] / seconds, abs=0.01)
    for row in result["start"]:
        assert row["audio_seconds"] == 1.5
        assert row["processor_seconds"] > 0 and row["peak_memory_mb"] > 5
    assert {row["system"] for row in result["start"]} == set(rows)


def test_absent_peers_are_left_out(made: Path) -> None:
    said, result = run(
        made, "--parts", "errors", "--utterances", "2", "--peers", sys.executable, packages=False
    )
    if "pocketsphinx: left out" not in said:
        pytest.skip("this Python has the peers")
    assert f"{sys.executable} has no pocketsphinx" in said.replace("\n", "")
    assert result.keys() == {"errors"}
    ours = result["errors"][0]
    assert (ours["system"], ours["utterances"]) == ("recognizer", 2)
