"""Estimation and querying of n-gram models, beside KenLM's tools where those are on the PATH.

Command line:

    python -m benchmarks.lm TEXT [--order N] [--lines N] [--memory 4G] [--estimate-only]
        [--json FILE]

A model is estimated from 19 of 20 lines of the text, in the memory given, and asked for the words
of the twentieth and for as many words drawn at random. Estimation is measured by the clock; loading
and queries, by one thread, in processor seconds, each in a process of its own. The systems take
turns, and of three turns the best counts.

Queries of ours are measured from a mapped file and `resident`, that is, read into huge pages, as
`kenlm_benchmark` reads its models; and one sentence at a time, which is the way of
`kenlm_benchmark` (a word that its program asks for does not wait for the one before either, since
KenLM's addresses depend on words alone), and 16 at a time, as texts are scored. The summary's
`query_speedup_vs_kenlm_probing` and `_trie` compare like with like: the automaton resident, in the
fast layout for probing and the exact compact one for the trie, real text, one sentence at a time.
`ratios` holds the other ways too. Peak memory is that of the model and the queries, in MB (10^6
bytes): what a process had above what it held before it opened the model, and of KenLM's the whole.
A resident automaton is copied from a mapped file, whose pages count until then.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.processes import measured
from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.data.io.files import read_lines
from recognizer.lm.automaton.automaton import COMPACT, FAST, NgramAutomaton
from recognizer.lm.model.perplexity import perplexity

COMMAND = [sys.executable, "-c", "from recognizer.cli.main import main; main()", "lm"]
QUANTISED_BITS = 8
HELD_OUT = 20
TURNS = 3
QUERIES = 1_000_000  # at least so many a turn: a text that is shorter is asked for again
ONE_SENTENCE = "_one_sentence_at_a_time"
QUANTISED = f"{COMPACT}, {QUANTISED_BITS} bits"
LAYOUTS = {FAST: None, COMPACT: None, QUANTISED: QUANTISED_BITS}

Row = dict[str, Any]


def main() -> None:
    """Print the rows; with --json write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--lines", type=int, default=None, help="of the text; default: all")
    parser.add_argument("--memory", default="4G", help="of both estimators; default: 4G")
    parser.add_argument("--estimate-only", action="store_true", help="no queries: large texts")
    add_json_option(parser)
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--resident", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask is not None:  # the child process that is measured
        print(json.dumps(ask(arguments.ask, arguments.text, arguments.resident)))
        return
    with tempfile.TemporaryDirectory() as directory:
        limits = (arguments.lines, arguments.memory)
        rows = measure(
            arguments.text,
            arguments.order,
            limits,
            Path(directory),
            queries=not arguments.estimate_only,
        )
    print_rows("Estimation", [row for row in rows if row["what"] == "estimation"])
    print_rows("Queries", [row for row in rows if row["what"] != "estimation"])
    result = {"rows": rows, "ratios": ratios(rows), "summary": summary(rows)}
    print(json.dumps({key: result[key] for key in ("ratios", "summary")}, indent=1))
    write_json(arguments.json, result)


def measure(
    text: Path, order: int, limits: tuple[int | None, str], directory: Path, *, queries: bool
) -> list[Row]:
    """All rows; files go to the directory.

    Args:
        text: one sentence a line.
        order: of the model.
        limits: lines of the text; memory for estimation.
        directory: for files.
        queries: whether the models are asked too.
    """
    lines, memory = limits
    train, test, drawn = (directory / f"{name}.txt" for name in ("train", "test", "random"))
    words = split(text, lines, train, test)
    arpa = directory / "model.arpa"
    command = [
        *COMMAND,
        "estimate",
        f"--order={order}",
        f"--memory={memory}",
        "--discount-fallback",
    ]
    rows = [estimation_row("ours", [*command, f"--output={arpa}", str(train)], words)]
    if shutil.which("lmplz") is not None:
        command = ["lmplz", f"--order={order}", f"--text={train}", "-S", memory]
        command += [f"--arpa={directory / 'lmplz.arpa'}", "-T", str(directory)]
        rows.append(estimation_row("lmplz", [*command, "--discount_fallback"], words))
        (directory / "lmplz.arpa").unlink()
    if not queries:
        return rows
    fast = directory / "fast.ngram"
    NgramAutomaton.build(arpa, fast)
    draw(NgramAutomaton.open(fast), test, drawn)
    write_queries(NgramAutomaton.open(fast), (test, drawn), directory / "queries.npz")
    systems = [*our_systems(fast, test), *kenlm_systems(arpa, (test, drawn))]
    for _ in range(TURNS):
        for system in systems:
            system.take_turn()
    return rows + [system.row() for system in systems]


def split(text: Path, limit: int | None, train: Path, test: Path) -> int:
    """Write the two parts of the text; returns the words of the first."""
    words = 0
    with train.open("w", encoding="utf-8") as kept, test.open("w", encoding="utf-8") as held:
        for index, line in enumerate(itertools.islice(read_lines(text), limit)):
            if index % HELD_OUT:
                kept.write(line + "\n")
                words += len(line.split())
            else:
                held.write(line + "\n")
    return words


def estimation_row(name: str, command: Sequence[str], words: int) -> Row:
    """What a command takes that estimates a model and writes it as ARPA."""
    found = measured(command)
    return {
        "what": "estimation",
        "system": name,
        "words_per_second": round(words / found["seconds"]),
        **found,
    }


def draw(automaton: NgramAutomaton, test: Path, path: Path) -> None:
    """Write sentences of the same lengths, of words drawn from the vocabulary."""
    rng = np.random.default_rng(0)
    words = automaton.words
    with path.open("w", encoding="utf-8") as stream:
        for line in read_lines(test):
            drawn = rng.integers(0, len(words), len(line.split()))
            stream.write(" ".join(words[i] for i in drawn) + "\n")


def write_queries(automaton: NgramAutomaton, texts: tuple[Path, Path], path: Path) -> None:
    """What `ask` asks for: ids, since `kenlm_benchmark` takes ids too."""
    text, offsets = automaton.sentence_ids(line.split() for line in read_lines(texts[0]))
    drawn, _ = automaton.sentence_ids(line.split() for line in read_lines(texts[1]))
    times = repetitions(len(text) + len(offsets) - 1)
    starts = [offsets[1:] + i * offsets[-1] for i in range(times)]
    np.savez(
        path,
        text=np.tile(text, times),
        random=np.tile(drawn, times),
        offsets=np.concatenate([offsets[:1], *starts]),
    )


def repetitions(queries: int) -> int:
    """How often a text is asked for in one turn."""
    return -(-QUERIES // queries)


def ask(model: Path, queries: Path, resident: bool) -> Row:
    """One turn of an automaton of ours."""
    asked = np.load(queries)
    texts, offsets = {name: asked[name] for name in ("text", "random")}, asked["offsets"]
    before = memory_bytes("VmRSS")
    begin = time.process_time()
    automaton = NgramAutomaton.open(model, validate=False, resident=resident)
    row: Row = {"load_seconds": time.process_time() - begin}
    for suffix, at_once in (("", 16), (ONE_SENTENCE, 1)):
        for name, words in texts.items():
            begin = time.process_time()
            automaton.score_ids(words, offsets, at_once=at_once)
            seconds = time.process_time() - begin
            row[f"{name}_queries_per_second{suffix}"] = (len(words) + len(offsets) - 1) / seconds
    row["peak_memory_mb"] = (memory_bytes("VmHWM") - before) / 1e6
    return row


def memory_bytes(field: str) -> int:
    """Of this process, now (VmRSS) or at most (VmHWM): pages of files count where they are in."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@dataclass
class System:
    """What takes turns with others.

    Attributes:
        known: of its row.
        turns: what was measured in each.
    """

    known: Row
    turns: list[Row]

    def take_turn(self) -> None:
        """Measure once."""
        raise NotImplementedError

    def row(self) -> Row:
        """The least time and memory, and the most queries, of all turns."""
        best: Row = {}
        for key in self.turns[0]:
            values = [turn[key] for turn in self.turns]
            if "per_second" in key:
                best[key] = round(max(values))
            else:
                best[key] = round(min(values), 4 if "seconds" in key else None)
        return {"what": "queries", **self.known, **best}


@dataclass
class Ours(System):
    """An automaton of ours in a file."""

    path: Path
    resident: bool

    def take_turn(self) -> None:
        """Measure in a process."""
        command = [sys.executable, "-m", "benchmarks.lm", str(self.path.with_name("queries.npz"))]
        command += [f"--ask={self.path}", *(["--resident"] if self.resident else [])]
        self.turns.append(json.loads(run(command).stdout))


@dataclass
class Kenlm(System):
    """A model in one of KenLM's formats, and ids for it by text."""

    path: Path
    ids: dict[str, bytes]

    def take_turn(self) -> None:
        """Measure in a process for each text."""
        turn: Row = {}
        for name, ids in self.ids.items():
            command = ["kenlm_benchmark", "-m", str(self.path), "-q", "-t", "1"]
            # A shell stands between for the reason of benchmarks.common.processes.
            said = run(["sh", "-c", '"$@"; exit "$?"', "sh", *command], ids).stdout
            found = [
                re.search(pattern, said.decode())
                for pattern in (
                    r"To Load, CPU: (\S+)",
                    r"Queries per second excluding load, CPU: (\S+)",
                    r"RSSMax: (\S+)",
                )
            ]
            load, speed, memory = (float(match[1]) for match in found if match is not None)
            turn["load_seconds"] = load
            turn[f"{name}_queries_per_second{ONE_SENTENCE}"] = speed
            turn["peak_memory_mb"] = memory / 1e6
        self.turns.append(turn)


def our_systems(fast: Path, test: Path) -> list[System]:
    """Layouts, each mapped and resident, with the perplexity of the text."""
    systems: list[System] = []
    lines = list(read_lines(test))
    exact = 0.0
    for name, bits in LAYOUTS.items():
        path = fast.with_name(f"{name}.ngram")
        automaton = NgramAutomaton.open(fast)
        if name != FAST:
            automaton.compact(bits=bits).save(path)
        ngrams = sum(map(int, automaton.metadata["counts"].split()))
        automaton = NgramAutomaton.open(path)
        found = perplexity(automaton, lines).perplexity
        exact = found if name == FAST else exact
        known = {"perplexity": round(found, 3)}
        if bits is not None:
            known["perplexity_change_percent"] = round(100 * (found / exact - 1), 4)
        for resident in (False, True):
            arrays = (automaton.resident() if resident else automaton).arrays.values()
            about: Row = {
                "system": f"{name}, resident" if resident else name,
                "ngrams": ngrams,
                "bytes_per_ngram": round(path.stat().st_size / ngrams, 2),
                "bytes_per_ngram_in_memory": round(sum(a.nbytes for a in arrays) / ngrams, 2),
                **known,
            }
            systems.append(Ours(about, [], path, resident))
    return systems


KENLM_FORMATS = {
    "KenLM probing": ["probing"],
    "KenLM trie": ["trie"],
    f"KenLM trie, {QUANTISED_BITS} bits": [
        "-q",
        str(QUANTISED_BITS),
        "-b",
        str(QUANTISED_BITS),
        "trie",
    ],
}


def kenlm_systems(arpa: Path, texts: tuple[Path, Path]) -> list[System]:
    """KenLM's formats; none where its tools are absent."""
    if any(shutil.which(tool) is None for tool in ("build_binary", "kenlm_benchmark")):
        return []
    systems: list[System] = []
    with arpa.open(encoding="utf-8") as stream:
        header = itertools.takewhile(lambda line: not line.startswith("\\1-grams"), stream)
        ngrams = sum(int(line.split("=")[1]) for line in header if line.startswith("ngram "))
    for name, options in KENLM_FORMATS.items():
        path = arpa.with_name(f"{name}.binary")
        temporary = ["-T", str(arpa.parent)]
        run(["build_binary", *options[:-1], *temporary, options[-1], str(arpa), str(path)])
        ids = {}
        for key, text in zip(("text", "random"), texts, strict=True):
            content = text.read_bytes()
            queries = len(content.split()) + content.count(b"\n")
            found = run(["kenlm_benchmark", "-m", str(path), "-v"], content).stdout
            ids[key] = found * repetitions(queries)
        size = round(path.stat().st_size / ngrams, 2)
        systems.append(
            Kenlm({"system": name, "ngrams": ngrams, "bytes_per_ngram": size}, [], path, ids)
        )
    return systems


def run(command: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A command's output; ends the benchmark where it fails."""
    done = subprocess.run(command, input=given, capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-500:]
        raise SystemExit(f"{command[0]}: failed: {said}")
    return done


def ratios(rows: Sequence[Row]) -> Row:
    """Our queries per second over those of KenLM's format of the kind, on real and random text."""
    by_system = {row["system"]: row for row in rows}
    found: Row = {}
    for layout, peer in zip(LAYOUTS, KENLM_FORMATS, strict=True):
        for system in (layout, f"{layout}, resident"):
            for suffix in ("", ONE_SENTENCE):
                for text in ("text", "random"):
                    key = f"{text}_queries_per_second"
                    if peer in by_system:
                        ratio = (
                            by_system[system][key + suffix] / by_system[peer][key + ONE_SENTENCE]
                        )
                        found[f"{system}: {text}{suffix}"] = round(ratio, 3)
    return found


def summary(rows: Sequence[Row]) -> Row:
    """What the project promises; null where a tool of KenLM's is absent."""
    by_system = {row["system"]: row for row in rows}
    found = ratios(rows)
    ours, peer = by_system["ours"], by_system.get("lmplz")
    speedup = peer and round(ours["words_per_second"] / peer["words_per_second"], 3)
    return {
        "estimate_speedup_vs_lmplz": speedup,
        "query_speedup_vs_kenlm_probing": found.get(f"{FAST}, resident: text{ONE_SENTENCE}"),
        "query_speedup_vs_kenlm_trie": found.get(f"{COMPACT}, resident: text{ONE_SENTENCE}"),
        "bytes_per_ngram": by_system.get(COMPACT, {}).get("bytes_per_ngram"),
        "bytes_per_ngram_quantised": by_system.get(QUANTISED, {}).get("bytes_per_ngram"),
    }


if __name__ == "__main__":
    main()
