"""Models estimated from files to files: the same bits however memory, threads and time are cut."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lm_models import FALLBACK, FIXTURES, compare, random_lines, text
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import (
    EstimateOptions,
    FileOptions,
    Resources,
    estimate_ngrams,
    estimate_ngrams_of_files,
)
from recognizer.lm.model.model_files import WriteOptions
from recognizer.lm.ngram.model import SPECIAL_WORDS
from recognizer.lm.resources import MIN_MEMORY

OPTIONS = EstimateOptions(4, discount_fallback=FALLBACK)
SMALL = Resources(memory=MIN_MEMORY, threads=1)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text whose n-grams do not fit the least memory: thousands of words, at random."""
    words = [f"w{i}" for i in range(3000)]
    path = tmp_path_factory.mktemp("large") / "large.txt"
    path.write_text("".join(f"{line}\n" for line in random_lines(1, words, lines=20000)))  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def expected(large: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What one thread makes of it with plenty of memory."""
    output = tmp_path_factory.mktemp("expected") / "model.arpa"
    files = FileOptions(resources=Resources(memory=1 << 28, threads=1))
    estimate_ngrams_of_files([large], output, OPTIONS, files=files)
    return output.read_bytes()


class Runs:
    """Progress that looks at the most run files of each step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.most: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        for step in self.directory.glob("*/*"):
            if step.is_dir():
                count = len(list(step.glob("*.run")))
                self.most[step.name] = max(self.most.get(step.name, 0), count)


@pytest.mark.parametrize("threads", [1, 3])
def test_memory_and_threads_change_no_bit(
    large: Path, expected: bytes, tmp_path: Path, threads: int
) -> None:
    runs = Runs(tmp_path)
    files = FileOptions(resources=Resources(MIN_MEMORY, threads, progress=runs))
    estimate_ngrams_of_files([large], tmp_path / "model.arpa", OPTIONS, files=files)
    assert (tmp_path / "model.arpa").read_bytes() == expected
    assert runs.most["counts"] >= 2  # sorted on disk indeed
    assert runs.most["adjusted"] > 2 * OPTIONS.order
    assert [path.name for path in tmp_path.iterdir()] == ["model.arpa"]


def test_files_give_what_lines_give(tmp_path: Path) -> None:
    output = tmp_path / "model.arpa"
    summary = estimate_ngrams_of_files([FIXTURES / "text.txt"], output, OPTIONS)
    result = estimate_ngrams(text(), options=OPTIONS)
    assert summary.counts == result.model.counts
    assert summary.discounts == result.discounts
    assert compare(read_arpa(output), result.model) < 1e-6


@pytest.mark.parametrize("decimals", [1, 6, 9])
def test_numbers_are_rounded_as_printf_does(tmp_path: Path, decimals: int) -> None:
    output, again = tmp_path / "model.arpa", tmp_path / "again.arpa"
    files = FileOptions(write=WriteOptions(decimals=decimals))
    estimate_ngrams_of_files([FIXTURES / "text.txt"], output, OPTIONS, files=files)
    write_arpa(estimate_ngrams(text(), options=OPTIONS).model, again, decimals=decimals)
    # "-0.0" would mean "not a history" to some readers.
    expected = re.sub(r"-(0\.0+)(?=\t|$)", r"\1", again.read_text(), flags=re.MULTILINE)
    assert sorted(output.read_text().splitlines()) == sorted(expected.splitlines())


def test_every_kind_of_output(tmp_path: Path) -> None:
    source, outputs = FIXTURES / "text.txt", [tmp_path / f"m.{e}" for e in ("arpa", "arpa.gz")]
    for output in outputs:
        estimate_ngrams_of_files([source], output, OPTIONS)
    assert gzip.decompress(outputs[1].read_bytes()) == outputs[0].read_bytes()
    automaton = tmp_path / "m.ngram"
    write = WriteOptions(layout="compact")
    estimate_ngrams_of_files([source], automaton, OPTIONS, files=FileOptions(write=write))
    lines = [line.split() for line in text()[:20]]
    reference = NgramAutomaton.from_model(estimate_ngrams(text(), options=OPTIONS).model)
    found = NgramAutomaton.open(automaton)
    assert found.layout == "compact"
    np.testing.assert_allclose(
        found.sentence_log_probs(lines), reference.sentence_log_probs(lines), rtol=1e-6
    )


def test_words_are_split_at_ascii_white_space_alone(tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    # A byte order mark, a no-break space, an ideographic space, a line separator, the C1 control
    # "next line" and a unit separator are no white space; and the last line has no end.
    content = "\ufeffa\tb\r\n\v\f\na\u00a0b c\u3000d\n\n\u2028 \u0085 \x1f a"
    source.write_bytes(content.encode())
    output = tmp_path / "model.arpa"
    estimate_ngrams_of_files([source], output, EstimateOptions(1, discount_fallback=FALLBACK))
    expected_words = ["a", "b", "a\u00a0b", "c\u3000d", "\u2028", "\u0085", "\x1f"]
    assert list(read_arpa_vocabulary(output)) == [*SPECIAL_WORDS, *expected_words]


def read_arpa_vocabulary(path: Path) -> list[str]:
    """Words of the unigrams as they stand in the file."""
    lines = path.read_bytes().decode().split("\\1-grams:\n")[1].split("\n\n")[0].split("\n")
    return [line.split("\t")[1] for line in lines]


def test_a_vocabulary_by_counts_is_chosen_in_one_pass(tmp_path: Path) -> None:
    lines = ["b a a", "a b b c", "c d", "b e"]
    source = tmp_path / "text.txt"
    source.write_text("".join(f"{line}\n" for line in lines))
    options = EstimateOptions(2, discount_fallback=FALLBACK)
    output = tmp_path / "model.arpa"
    estimate_ngrams_of_files([source], output, options, min_count=2)
    assert compare(read_arpa(output), estimate_ngrams(lines, ["b", "a", "c"], options).model) < 1e-6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a b\na <s> b\n", r"bad.txt:2: expected words, found <s>"),
        (b"a </s>", r"bad.txt:1: expected words, found </s>"),
        (b"\n\n<unk>\n", r"bad.txt:3: expected words, found <unk>"),
        (b"a\nb\xff\n", r"bad.txt:2: expected UTF-8 text, found byte 0xff"),
        (b"a\n\xed\xa0\x80\n", r"bad.txt:2: expected UTF-8 text, found byte 0xed"),
        (b"a\nb \xc3", r"bad.txt:2: expected UTF-8 text, found byte 0xc3"),
        (b"\xef\xbb", r"bad.txt:1: expected UTF-8 text, found byte 0xef"),
        (b"a\nb\0c\n", r"bad.txt:2: expected text, found byte 0x00"),
        (b"", r"bad.txt: expected sentences, found none"),
        (b"\xef\xbb\xbf", r"bad.txt: expected sentences, found none"),
        (b"a\na\n", r"discounts of 1-grams: expected counts of natural text, .*no 1-gram has"),
    ],
)
def test_bad_text(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(SpeechError, match=message):
        estimate_ngrams_of_files([tmp_path / "bad.txt"], tmp_path / "model.arpa")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.txt"]


def test_one_word_type_with_a_fallback(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"a\n" * 3)
    summary = estimate_ngrams_of_files([tmp_path / "text.txt"], tmp_path / "model.arpa", OPTIONS)
    # <unk>, <s>, </s>, a; <s> a, a </s>; <s> a </s>
    assert summary.counts == (4, 2, 1, 0)
    assert read_arpa(tmp_path / "model.arpa").counts == (4, 2, 1, 0)


@pytest.mark.parametrize("suffix", ["gz", "xz", "zst"])
def test_damaged_text(tmp_path: Path, suffix: str) -> None:
    bad = tmp_path / f"bad.txt.{suffix}"
    bad.write_bytes(b"not packed")
    with pytest.raises(SpeechError, match=rf"bad.txt.{suffix}: damaged"):
        estimate_ngrams_of_files([bad], tmp_path / "model.arpa", OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == [bad.name]


def test_missing_text(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"none.txt: no such file"):
        estimate_ngrams_of_files([tmp_path / "none.txt"], tmp_path / "model.arpa", OPTIONS)
    assert not list(tmp_path.iterdir())


def test_wrong_use(tmp_path: Path, large: Path) -> None:
    output = tmp_path / "model.arpa"
    with pytest.raises(UsageError, match="standard input can be read once"):
        estimate_ngrams_of_files(["-", "-"], output)
    with pytest.raises(UsageError, match="either a vocabulary or a least count"):
        estimate_ngrams_of_files([large], output, vocabulary=["a"], min_count=2)
    with pytest.raises(UsageError, match="nowhere: expected a directory, found none"):
        estimate_ngrams_of_files(
            [large], output, files=FileOptions(resources=Resources(temporary=tmp_path / "nowhere"))
        )
    with pytest.raises(UsageError, match="expected interrupted work to resume, found none"):
        estimate_ngrams_of_files([large], output, files=FileOptions(resume=True))
    with pytest.raises(UsageError, match=f"memory: expected at least {MIN_MEMORY} bytes"):
        Resources(memory=1000)
    with pytest.raises(UsageError, match="threads: expected at least 1"):
        Resources(threads=0)
    (tmp_path / ".model.arpa.estimate").mkdir()
    (tmp_path / ".model.arpa.estimate" / "precious").touch()
    with pytest.raises(UsageError, match="temporary files, found something else"):
        estimate_ngrams_of_files([large], output)
    assert (tmp_path / ".model.arpa.estimate" / "precious").exists()


INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from recognizer.lm.estimation.estimate import EstimateOptions, FileOptions
from recognizer.lm.estimation.estimate import Resources, estimate_ngrams_of_files
from recognizer.lm.resources import MIN_MEMORY

def progress(stage, done, total):
    if stage == sys.argv[3]:
        os.kill(os.getpid(), int(sys.argv[4]))

options = EstimateOptions(4, discount_fallback=(0.5, 1.0, 1.5))
files = FileOptions(resources=Resources(MIN_MEMORY, 2, progress=progress))
estimate_ngrams_of_files([Path(sys.argv[1])], Path(sys.argv[2]), options, files=files)
"""


def interrupt(text_path: Path, output: Path, stage: str, number: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, text_path, output, stage, str(number)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert ran.returncode == -number, ran.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("stage", "done"),
    [
        ("reading", []),
        ("counting 4-grams", ["words"]),
        ("adjusting counts", ["counts", "words"]),
        ("back-off weights", ["adjusted", "words"]),
        ("probabilities", ["adjusted", "backoffs", "words"]),
        ("writing", ["records", "words"]),
    ],
)
def test_what_was_killed_is_resumed(
    large: Path, expected: bytes, tmp_path: Path, stage: str, done: list[str]
) -> None:
    output = tmp_path / "model.arpa"
    interrupt(large, output, stage, signal.SIGKILL)
    stages: list[str] = []

    def progress(name: str, amount: int, total: int | None) -> None:
        stages.append(name)

    files = FileOptions(resources=Resources(1 << 22, 1, progress=progress), resume=True)
    estimate_ngrams_of_files([large], output, OPTIONS, files=files)
    assert output.read_bytes() == expected
    assert ("reading" in stages) == ("words" not in done)
    assert ("counting 4-grams" in stages) == (stage in ("reading", "counting 4-grams"))
    assert ("probabilities" in stages) == ("records" not in done)
    assert not list(tmp_path.glob(".model.arpa*estimate"))


def test_an_interrupt_keeps_the_work_and_a_new_start_replaces_it(
    large: Path, expected: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "model.arpa"
    interrupt(large, output, "probabilities", signal.SIGINT)
    work = tmp_path / ".model.arpa.estimate"
    assert (work / "state.json").exists()
    other = EstimateOptions(3, discount_fallback=FALLBACK)
    files = FileOptions(resources=SMALL, resume=True)
    with pytest.raises(UsageError, match=r"interrupted work with other order: expected 3, found 4"):
        estimate_ngrams_of_files([large], output, other, files=files)
    changed = tmp_path / "changed.txt"
    shutil.copy(large, changed)
    with pytest.raises(UsageError, match=r"interrupted work with other text"):
        estimate_ngrams_of_files([changed], output, OPTIONS, files=files)
    (work / "words" / "tokens").write_bytes(b"1234")
    with pytest.raises(SpeechError, match=r"tokens: expected \d+ bytes, found 4"):
        estimate_ngrams_of_files([large], output, OPTIONS, files=files)
    estimate_ngrams_of_files([large], output, OPTIONS)
    assert output.read_bytes() == expected
    assert not work.exists()


def test_one_process_at_a_time(large: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.arpa"
    found: list[str] = []

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage == "probabilities" and not found:
            with pytest.raises(UsageError, match="another process works there") as error:
                estimate_ngrams_of_files([large], output, OPTIONS)
            found.append(str(error.value))

    estimate_ngrams_of_files(
        [large], output, OPTIONS, files=FileOptions(resources=Resources(progress=progress))
    )
    assert found
    assert output.exists()


LIMITED = """
import resource, signal, sys
from pathlib import Path
from recognizer.data.errors import SpeechError
from recognizer.lm.estimation.estimate import EstimateOptions, FileOptions
from recognizer.lm.estimation.estimate import Resources, estimate_ngrams_of_files
from recognizer.lm.resources import MIN_MEMORY

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
options = EstimateOptions(4, discount_fallback=(0.5, 1.0, 1.5))
try:
    estimate_ngrams_of_files([Path(sys.argv[1])], Path(sys.argv[2]), options,
                   files=FileOptions(resources=Resources(MIN_MEMORY, 2)))
except SpeechError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (100_000, "tokens: File too large"),
        (500_000, ".run.tmp: File too large"),
        (1_500_000, ".records: File too large"),
        (3_000_000, "model.arpa: cannot be written: File too large"),
    ],
)
def test_a_full_disk(large: Path, tmp_path: Path, limit: int, message: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, large, tmp_path / "model.arpa", str(limit)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert ran.stdout.count("\n") == 1
    assert message in ran.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("order", [1, 3, 5])
@pytest.mark.parametrize("cutoffs", [(), (0, 0, 1), (0, 1, 2)])
def test_equals_lmplz_itself(tmp_path: Path, order: int, cutoffs: tuple[int, ...]) -> None:
    directory = os.environ.get("KENLM_BIN")
    program = shutil.which("lmplz", path=directory)
    if program is None:
        pytest.skip("lmplz is neither on the PATH nor in KENLM_BIN")
    options = EstimateOptions(order, cutoffs[:order], FALLBACK)
    limits = [str(options.cutoff(n)) for n in range(1, order + 1)]
    with (FIXTURES / "text.txt").open("rb") as source:
        arpa = subprocess.run(
            [program, "-o", str(order), "--prune", *limits, "--discount_fallback", "-S", "64M",
             "-T", tmp_path],
            stdin=source, capture_output=True, check=True,
        ).stdout  # fmt: skip
    theirs = tmp_path / "theirs.arpa"
    theirs.write_bytes(arpa)
    assert compare(read_arpa(theirs), estimate_ngrams(text(), options=options).model) < 1e-6
