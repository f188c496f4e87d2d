"""What the contestants of `benchmarks.search` read, prepared once in a work directory.

Scores of the test set, the shipped graph as OpenFst's, the graph without a language model, and the
static graphs of other language models. What has been prepared stays and serves the next run as long
as model and data are the same.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search.language_models import arpa_path, automaton_path
from benchmarks.search.workers import Utterance
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.io.console import console, progress_bar
from recognizer.decoding.graph.build import build_graph
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.lm.arpa.files import read_arpa
from recognizer.model.bundle import ModelBundle
from recognizer.model.config import FirstPassOptions
from recognizer.model.files import ACOUSTIC, FIRST_PASS, LEXICON, TRANSITIONS, TREE, file_record
from recognizer.model.first_pass_graph import graph_of_bundle
from recognizer.model.static import STATIC
from recognizer.recognizer import Recognizer

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class StaticGraph:
    """A static graph, or why there is none.

    Attributes:
        path: its file; None: building it exceeded the limit of memory.
        arcs: their number.
        build_seconds: CPU time of building, or until it was given up.
        build_gib: peak resident set of the building process.
    """

    path: Path | None
    arcs: int
    build_seconds: float
    build_gib: float


class Inputs:
    """The work directory's files.

    Args:
        model: model directory.
        data: corpus, with transcripts.
        work: where to keep files.
        limit: number of utterances, None for all.
    """

    def __init__(self, model: Path, data: Path, work: Path, limit: int | None) -> None:
        self.bundle = ModelBundle(model)
        self._work = work
        work.mkdir(parents=True, exist_ok=True)
        self.utterances = self._scores(data, limit)
        self.graph = self._graph()
        self.words = work / "words.txt"
        self.words.write_text("\n".join(MappedGraph.open(self.graph).words), encoding="utf-8")

    def openfst(self) -> Path:
        """The model's graph for kaldi-decoder, with the same numbers of states."""
        path = self._work / "graph.fst"
        if not self._valid(path, self._static_parts()):
            graph = MappedGraph.open(self.graph)
            graph.to_graph().to_kaldifst(graph.pdfs()).write(str(path))
            self._made(path, self._static_parts())
        return path

    def hcl(self) -> Path:
        """The model's graph without a language model."""
        path = self._work / "hcl.graph"
        made_of = self._graph_parts()
        if not self._valid(path, made_of):
            with console.status("building HCL"):
                graph_of_bundle(self.bundle, FirstPassOptions()).save(path)
            self._made(path, made_of)
        return path

    def first_pass_automaton(self) -> Path:
        """The model's first-pass language model for search on the fly."""
        return self.bundle.path / FIRST_PASS

    def static_graph(self, models: Path, millions: float, limit_gib: float) -> StaticGraph:
        """The static graph of one of the third table's language models.

        Args:
            models: directory of the language models.
            millions: which of them.
            limit_gib: building is given up when its process holds more.
        """
        arpa = arpa_path(models, millions)
        path = self._work / f"{millions:g}M.graph"
        record = file_record(arpa)
        made_of = self._graph_parts() | {"lm": record.sha256, "limit_gib": limit_gib}
        known = self._valid(path, made_of)
        if known is None or (known["result"]["arcs"] and not path.exists()):
            arcs, seconds, gib = _build_within(self.bundle.path, arpa, path, limit_gib)
            known = {"result": {"arcs": arcs, "build_seconds": seconds, "build_gib": gib}}
            self._made(path, made_of, **known)
        result = known["result"]
        return StaticGraph(path if result["arcs"] else None, **result)

    def _graph(self) -> Path:
        """The static graph of the model's parts in a mapped file."""
        path = self._work / "model.graph"
        if not self._valid(path, self._static_parts()):
            with console.status("building HCLG"):
                graph_of_bundle(self.bundle, STATIC).save(path)
            self._made(path, self._static_parts())
        return path

    def _scores(self, data: Path, limit: int | None) -> list[Utterance]:
        directory = self._work / "scores"
        directory.mkdir(exist_ok=True)
        corpus = list(read_corpus(data))[:limit]
        recognizer: Recognizer | None = None
        utterances = []
        made_of = {"acoustic": self._hash(ACOUSTIC), "data": str(data.resolve())}
        with progress_bar("scores", len(corpus)) as advance:
            for one in corpus:
                path = directory / f"{one.id}.npy"
                if not self._valid(path, made_of):
                    recognizer = recognizer or Recognizer(self.bundle)
                    np.save(path, recognizer.acoustic_scores(one.samples()))
                    self._made(path, made_of)
                frames = len(np.load(path, mmap_mode="r"))
                utterances.append(Utterance(one.id, one.words, path, frames))
                advance()
        return utterances

    def _hash(self, name: str) -> str:
        return self.bundle.config.files[name].sha256

    def _graph_parts(self) -> dict[str, Any]:
        return {name: self._hash(name) for name in (LEXICON, TREE, TRANSITIONS)} | {
            "options": dataclasses.asdict(self.bundle.config.graph)
        }

    def _static_parts(self) -> dict[str, Any]:
        return self._graph_parts() | {"lm": self._hash(FIRST_PASS)}

    def _valid(self, path: Path, made_of: dict[str, Any]) -> dict[str, Any] | None:
        """What was recorded of a file, if it was made of the same."""
        record = _record(path)
        if not record.exists():
            return None
        known: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        missing = not path.exists() and "result" not in known
        return known if known["made_of"] == made_of and not missing else None

    def _made(self, path: Path, made_of: dict[str, Any], **more: Any) -> None:
        text = json.dumps({"made_of": made_of, **more}, indent=1)
        _record(path).write_text(text + "\n", encoding="utf-8")


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _build_within(model: Path, arpa: Path, out: Path, limit_gib: float) -> tuple[int, float, float]:
    """Builds a graph in another process: arcs (0 beyond the limit), CPU seconds, peak GiB."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_build, args=(sender, model, arpa, out), daemon=True)
    begin, cpu_begin = time.monotonic(), _children_seconds()
    process.start()
    sender.close()
    peak, given_up = 0.0, False
    with console.status(f"building the static graph of {arpa.name}") as status:
        while process.is_alive():
            now, highest = _resident_gib(process.pid)
            peak = max(peak, highest)
            passed = time.monotonic() - begin
            status.update(
                f"building the static graph of {arpa.name}: {passed:.0f} s, {now:.1f} GiB"
            )
            if now > limit_gib:
                given_up = True
                process.kill()
            process.join(_POLL_SECONDS)
    process.join()
    seconds = _children_seconds() - cpu_begin
    if given_up:
        return 0, seconds, peak
    if process.exitcode != 0 or not receiver.poll():
        raise SystemExit(f"building the graph of {arpa} ended with exit status {process.exitcode}")
    return receiver.recv(), seconds, peak


def _children_seconds() -> float:
    """CPU time of this process's children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _build(sender: Any, model: Path, arpa: Path, out: Path) -> None:
    bundle = ModelBundle(model)
    graph = build_graph(
        bundle.lexicon,
        bundle.phones,
        bundle.tree,
        bundle.transitions,
        read_arpa(arpa),
        bundle.config.graph,
    )
    MappedGraph.from_graph(graph, bundle.transitions.pdf).save(out)
    sender.send(graph.num_arcs)


def _resident_gib(process: int | None) -> tuple[float, float]:
    """Resident set now and at its peak; zeros once the process has ended."""
    values = {"VmRSS": 0, "VmHWM": 0}
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name in values:
            values[name] = int(value.split()[0])
    return values["VmRSS"] / 2**20, values["VmHWM"] / 2**20


def sizes_in(models: Path) -> list[float]:
    """Sizes of the language models in a directory, in millions of n-grams, ascending."""
    sizes = [
        float(path.name.removesuffix("M.arpa.gz"))
        for path in models.glob("*M.arpa.gz")
        if automaton_path(models, float(path.name.removesuffix("M.arpa.gz"))).exists()
    ]
    return sorted(sizes)
