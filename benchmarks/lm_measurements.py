"""Language models beside KenLM's: estimation, size, load time, queries per second.

    python benchmarks/lm.py TEXT [--order N] [--lines N] [--json FILE]

Estimates a model without cut-offs from the text but for every twentieth line, and scores those
lines, and as many words drawn at random. KenLM's `lmplz`, `build_binary` and `kenlm_benchmark` are
measured where they are on the PATH. Estimation is measured by the clock; loading and queries, by
one thread, in processor seconds: the best of three.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.files import read_lines
from lm.automaton import NgramAutomaton
from lm.estimate import EstimateOptions, estimate
from lm.perplexity import perplexity

STARTER = Path(__file__).with_name("lm.py")
QUANTISED_BITS = 8
HELD_OUT = 20
REPEATS = 3

Row = dict[str, Any]


def main() -> None:
    """Print the rows; with --json write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--lines", type=int, default=None, help="of the text; default: all")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--estimate-to", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.estimate_to is not None:  # the child process whose memory is measured
        estimate_to(arguments.text, arguments.order, arguments.estimate_to)
        return
    with tempfile.TemporaryDirectory() as directory:
        rows = measure(arguments.text, arguments.order, arguments.lines, Path(directory))
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))
    result = {"rows": rows, "summary": summary(rows)}
    print(json.dumps(result["summary"], indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(text: Path, order: int, lines: int | None, directory: Path) -> list[Row]:
    """All rows; files go to the directory."""
    train, test = directory / "train.txt", directory / "test.txt"
    words = split(text, lines, train, test)
    arpa, model = directory / "model.arpa", directory / "model.automaton"
    rows = [
        estimation_row(
            "ours",
            [
                sys.executable,
                str(STARTER),
                str(train),
                f"--order={order}",
                f"--estimate-to={model}",
            ],
            words,
        )
    ]
    if shutil.which("lmplz") is not None:
        command = ["lmplz", f"--order={order}", f"--text={train}", f"--arpa={arpa}"]
        command += ["-T", str(directory), "--discount_fallback"]
        rows.append(estimation_row("lmplz", command, words))
    fast = NgramAutomaton.open(model)
    sentences = [line.split() for line in test.read_text(encoding="utf-8").splitlines()]
    drawn = random_sentences(fast, sentences)
    random_text = directory / "random.txt"
    random_text.write_text("".join(" ".join(s) + "\n" for s in drawn), encoding="utf-8")
    variants = {
        "fast": fast,
        "compact": fast.compact(),
        f"compact, {QUANTISED_BITS} bits": fast.compact(bits=QUANTISED_BITS),
    }
    for name, automaton in variants.items():
        rows.append(our_row(name, automaton, sentences, drawn, directory / "ours"))
    del fast, variants
    tools = ("build_binary", "kenlm_benchmark")
    if arpa.exists() and all(shutil.which(tool) is not None for tool in tools):
        ngrams = rows[-1]["ngrams"]
        for name, options in KENLM_FORMATS.items():
            rows.append(kenlm_row(name, options, arpa, (test, random_text), ngrams, directory))
    return rows


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


def estimate_to(text: Path, order: int, model: Path) -> None:
    """Estimate and save, and nothing else."""
    options = EstimateOptions(order=order, discount_fallback=(0.5, 1.0, 1.5))
    NgramAutomaton.from_model(estimate(read_lines(text), options=options).model).save(model)


def estimation_row(name: str, command: Sequence[str], words: int) -> Row:
    """What a command takes that estimates a model."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]}: failed: {said.decode(errors='replace')[-500:]}")
    return {
        "what": "estimation",
        "system": name,
        "words_per_second": round(words / seconds),
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(usage.ru_maxrss / 1024),
    }


def random_sentences(
    automaton: NgramAutomaton, sentences: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Sentences of the same lengths, of words drawn from the vocabulary."""
    rng = np.random.default_rng(0)
    words = automaton.words
    return [[words[i] for i in rng.integers(0, len(words), len(s))] for s in sentences]


def our_row(
    name: str,
    automaton: NgramAutomaton,
    sentences: Sequence[Sequence[str]],
    drawn: Sequence[Sequence[str]],
    path: Path,
) -> Row:
    """One layout of ours; queries from mapped memory."""
    automaton.save(path)
    size = path.stat().st_size
    ngrams = sum(map(int, automaton.metadata["counts"].split()))
    seconds, opened = best(lambda: NgramAutomaton.open(path))
    scored = perplexity(opened, (" ".join(sentence) for sentence in sentences[:2000]))
    return {
        "what": "queries",
        "system": name,
        "ngrams": ngrams,
        "bytes_per_ngram": round(size / ngrams, 2),
        "load_seconds": round(seconds, 4),
        "text_queries_per_second": our_speed(opened, sentences),
        "random_queries_per_second": our_speed(opened, drawn),
        "perplexity": round(scored.perplexity, 3),
    }


def our_speed(automaton: NgramAutomaton, sentences: Sequence[Sequence[str]]) -> int:
    """Queries per second, ids given, as `kenlm_benchmark` takes them."""
    ids, offsets = automaton.sentence_ids(sentences)
    seconds, _ = best(lambda: automaton.score_ids(ids, offsets))
    return round((len(ids) + len(sentences)) / seconds)


def best(action: Callable[[], Any]) -> tuple[float, Any]:
    """The least processor time of a few calls, and the last result."""
    times, result = [], None
    for _ in range(REPEATS):
        begin = time.process_time()
        result = action()
        times.append(time.process_time() - begin)
    return min(times), result


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


def kenlm_row(
    name: str,
    options: Sequence[str],
    arpa: Path,
    texts: tuple[Path, Path],
    ngrams: int,
    directory: Path,
) -> Row:
    """One format of KenLM's."""
    binary = directory / "kenlm.binary"
    run(["build_binary", *options[:-1], "-T", str(directory), options[-1], str(arpa), str(binary)])
    speeds = []
    for text in texts:
        model = ["kenlm_benchmark", "-m", str(binary)]
        ids = run([*model, "-v"], text.read_bytes()).stdout
        found = []
        for _ in range(REPEATS):
            said = run([*model, "-q", "-t", "1"], ids).stdout.decode()
            match = re.search(r"Queries per second excluding load, CPU: (\S+)", said)
            assert match is not None, said
            found.append(float(match[1]))
        speeds.append(round(max(found)))
    return {
        "what": "queries",
        "system": name,
        "ngrams": ngrams,
        "bytes_per_ngram": round(binary.stat().st_size / ngrams, 2),
        "text_queries_per_second": speeds[0],
        "random_queries_per_second": speeds[1],
    }


def run(command: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """A command's output; ends the benchmark where it fails."""
    done = subprocess.run(command, input=given, capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-500:]
        raise SystemExit(f"{command[0]}: failed: {said}")
    return done


def summary(rows: Sequence[Row]) -> Row:
    """Ratios to KenLM's figures on real text; null where its tool is absent."""
    by_system = {row["system"]: row for row in rows}

    def ratio(ours: str, peer: str, key: str) -> float | None:
        if peer not in by_system:
            return None
        return round(float(by_system[ours][key]) / float(by_system[peer][key]), 3)

    quantised = f"compact, {QUANTISED_BITS} bits"
    return {
        "estimate_speedup_vs_lmplz": ratio("ours", "lmplz", "words_per_second"),
        "query_speedup_vs_kenlm_probing": ratio("fast", "KenLM probing", "text_queries_per_second"),
        "query_speedup_vs_kenlm_trie": ratio("compact", "KenLM trie", "text_queries_per_second"),
        "bytes_per_ngram": by_system["compact"]["bytes_per_ngram"],
        "bytes_per_ngram_quantised": by_system[quantised]["bytes_per_ngram"],
    }


if __name__ == "__main__":
    main()
