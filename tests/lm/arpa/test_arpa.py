from __future__ import annotations

import gzip
import lzma
import re
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lm_models import FIXTURES, as_dict, compare, random_model
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm._arpa import ArpaError, ArpaParser
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton

SMALL = """\
\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-1.5\t<unk>\t0
0\t<s>\t-0.25
-0.5\t</s>\t0
-0.6\ta\t-0.1
-0.7\tb\t-0.2

\\2-grams:
-0.3\t<s> a\t-0.05
-0.4\ta b
-0.2\tb </s>\t0

\\3-grams:
-0.125\t<s> a b

\\end\\
"""


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "model.arpa"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_reads_what_is_written_there(tmp_path: Path) -> None:
    model = read_arpa(write(tmp_path, "# a comment\n\n" + SMALL))
    assert model.vocabulary == ("<unk>", "<s>", "</s>", "a", "b")
    assert as_dict(model) == {
        ("<unk>",): (-1.5, 0.0),
        ("<s>",): (0.0, -0.25),
        ("</s>",): (-0.5, 0.0),
        ("a",): (-0.6, -0.1),
        ("b",): (-0.7, -0.2),
        ("<s>", "a"): (-0.3, -0.05),
        ("a", "b"): (-0.4, 0.0),
        ("b", "</s>"): (-0.2, 0.0),
        ("<s>", "a", "b"): (-0.125, 0.0),
    }


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_written_and_read_again(tmp_path: Path, name: str) -> None:
    model = random_model(1, order=4)
    write_arpa(model, tmp_path / name)
    assert compare(model, read_arpa(tmp_path / name)) < 1e-6
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = random_model(2)
    for name in ("one.arpa.gz", "other.arpa.gz"):
        write_arpa(model, tmp_path / name)
    assert (tmp_path / "one.arpa.gz").read_bytes() == (tmp_path / "other.arpa.gz").read_bytes()


def test_decimals(tmp_path: Path) -> None:
    model = random_model(3)
    write_arpa(model, tmp_path / "model.arpa", decimals=2)
    assert 1e-4 < compare(model, read_arpa(tmp_path / "model.arpa")) <= 0.005 + 1e-9
    with pytest.raises(UsageError, match="decimals"):
        write_arpa(model, tmp_path / "model.arpa", decimals=0)


def test_any_order_of_lines(tmp_path: Path) -> None:
    with gzip.open(FIXTURES / "order4.arpa.gz", "rt") as file:
        sections = file.read().split("\n\n")
    for index in range(2, 5):
        head, *lines = sections[index].split("\n")
        sections[index] = "\n".join([head, *reversed(lines)])
    path = write(tmp_path, "\n\n".join(sections))
    assert compare(read_arpa(FIXTURES / "order4.arpa.gz"), read_arpa(path)) == 0


def test_a_missing_unk_is_added(tmp_path: Path) -> None:
    content = SMALL.replace("ngram 1=5", "ngram 1=4").replace("-1.5\t<unk>\t0\n", "")
    model = read_arpa(write(tmp_path, content))
    assert as_dict(model)[("<unk>",)] == (-100.0, 0.0)


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1000])
def test_blocks_may_end_anywhere(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    whole = read_arpa(FIXTURES / "order4.arpa.gz")
    monkeypatch.setattr("recognizer.lm.arpa.reader._BLOCK_BYTES", block_bytes)
    assert compare(whole, read_arpa(FIXTURES / "order4.arpa.gz")) == 0


@pytest.mark.parametrize("ending", ["gz", "xz", "zst"])
def test_compressed(tmp_path: Path, ending: str) -> None:
    compress = {
        "gz": gzip.compress,
        "xz": lzma.compress,
        "zst": zstandard.ZstdCompressor().compress,
    }[ending]
    path = tmp_path / f"model.arpa.{ending}"
    path.write_bytes(compress(SMALL.encode()))
    assert as_dict(read_arpa(path)) == as_dict(read_arpa(write(tmp_path, SMALL)))


@given(number=st.floats(min_value=-1e30, max_value=0.0), form=st.sampled_from("efgr"))
def test_numbers_are_as_near_as_doubles_can_be(number: float, form: str) -> None:
    field = repr(number) if form == "r" else f"{number:.{abs(hash(number)) % 20}{form}}"
    parser = ArpaParser()
    text = f"{field}\ta\t{field}\n-.5e-3 <unk>  \n".encode()
    lines, probs, backoffs, words = parser.parse(text, 1, False, 5)
    assert lines.tolist() == [5, 6]
    assert probs.tolist() == [float(field), -0.0005]
    assert backoffs.tolist() == [float(field), 0]
    assert words.tolist() == [0, 1]
    assert parser.words() == [b"a", b"<unk>"]


@pytest.mark.parametrize(
    "field", ["-", ".", "1e", "1e+", "0x1p3", "infin", "nan", "1_0", "1.2.3", "1e999", "1,5", "e5"]
)
def test_what_is_no_number(field: str) -> None:
    with pytest.raises(ArpaError) as error:
        ArpaParser().parse(f"-1 a -{field}".encode(), 1, False, 3)
    assert error.value.args == (3, "a back-off", f"-{field}".encode(), "")


def test_carriage_returns_and_blanks(tmp_path: Path) -> None:
    content = SMALL.replace("\n", "\r\n").replace("-0.4\ta b", "-0.4 \t a  b ")
    assert as_dict(read_arpa(write(tmp_path, content)))[("a", "b")] == (-0.4, 0.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", r":1: expected \\data\\, found 'data'"),
        ("ngram 2=3", "ngram 3=3", r":3: expected ngram 2=COUNT, found 'ngram 3=3'"),
        ("ngram 2=3", "ngram 2=4", r":18: expected 4 2-grams, as the header says, .* found 3"),
        ("ngram 3=1", "ngram 3=0", r":21: expected 0 3-grams, as the header says, .* found 1"),
        ("\\2-grams:", "\\4-grams:", r":13: expected \\2-grams:, found '\\\\4-grams:'"),
        ("-0.4\ta b", "-0.4\ta", r":15: expected log10 probability, 2 words and .* found"),
        ("-0.4\ta b", "-0.4\ta b c -0.1", r":15: expected log10 probability, 2 words and"),
        ("-0.4\ta b", "-0,4\ta b", r":15: expected a log10 probability.* found '-0,4'"),
        ("-0.4\ta b", "nan\ta b", r":15: expected a log10 probability.* found 'nan'"),
        ("-0.4\ta b", "0.4\ta b", r":15: expected a log10 .* of at most 0, found '0.4'"),
        ("-0.4\ta b", "-0.4\ta b\tx", r":15: expected a back-off, found 'x'"),
        ("-0.4\ta b", "-0.4\ta c", r":15: expected words that are unigrams, found 'c'"),
        ("-0.4\ta b", "-0.4\tb </s>", r":16: expected distinct 2-grams, found 'b </s>' again"),
        ("-0.7\tb", "-0.7\ta", r":11: expected distinct unigrams, found 'a' again .*line 10"),
        ("<s> a b", "a a b", r":19: expected an n-gram whose history .* found 'a a b'"),
        ("ngram 2=3", "ngram 2=2", r":18: expected 2 2-grams, as the header says, .* found 3"),
        ("-0.7\tb", "-1e300\tb", r":11: expected a log10 probability .* found '-1e300'"),
        ("-0.7\tb\t-0.2", "-0.7\tb\t1e39", r":11: expected a back-off .* found '1e39'"),
        ("<s> a b", "<s> a b -1", r":19: expected no back-off in a 3-gram"),
        ("0\t<s>\t-0.25", "0\t<S>\t-0.25", r"expected a unigram <s>, found none"),
        ("\n\\end\\", "", r":21: expected the end of the 3-grams and \\end\\, found end of file"),
        ("\\end\\", "\\fin\\", r":21: expected \\end\\, found '\\\\fin\\\\'"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    path = write(tmp_path, SMALL.replace(old, new))
    with pytest.raises(SpeechError, match=message) as error:
        read_arpa(path)
    assert str(error.value).startswith(f"{path}:")
    assert "\n" not in str(error.value)
    with pytest.raises(SpeechError) as built:
        NgramAutomaton.build(path, tmp_path / "model.ngram")
    assert str(built.value) == str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["model.arpa"]


def test_histories_that_are_missing_altogether(tmp_path: Path) -> None:
    content = SMALL.replace("ngram 2=3", "ngram 2=0")
    for line in ("-0.3\t<s> a\t-0.05\n", "-0.4\ta b\n", "-0.2\tb </s>\t0\n"):
        content = content.replace(line, "")
    path = write(tmp_path, content)
    for read in (read_arpa, lambda path: NgramAutomaton.build(path, tmp_path / "model.ngram")):
        with pytest.raises(SpeechError, match=r":16: expected an n-gram whose .* '<s> a b'"):
            read(path)


def test_words_are_utf8(tmp_path: Path) -> None:
    assert (
        "é"
        in read_arpa(
            write(
                tmp_path,
                SMALL.replace("\ta\t", "\té\t").replace("a b", "é b").replace("<s> a", "<s> é"),
            )
        ).vocabulary
    )
    path = write(tmp_path, SMALL.encode().replace(b"\ta\t", b"\t\xff\t"))
    for read in (read_arpa, lambda path: NgramAutomaton.build(path, tmp_path / "model.ngram")):
        with pytest.raises(SpeechError, match=r":10: expected a word in UTF-8"):
            read(path)


def test_files_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="no such file"):
        read_arpa(tmp_path / "none.arpa")
    with pytest.raises(SpeechError, match="expected a file, found a directory"):
        read_arpa(tmp_path)
    damaged = tmp_path / "damaged.arpa.gz"
    whole = (FIXTURES / "order4.arpa.gz").read_bytes()
    for content in (whole[:3000], b"not gzip", whole[:2000] + b"\0" * 50 + whole[2050:]):
        damaged.write_bytes(content)
        for read in (read_arpa, lambda path: NgramAutomaton.build(path, tmp_path / "model.ngram")):
            with pytest.raises(SpeechError, match=r"damaged\.arpa\.gz: damaged after line \d+: "):
                read(damaged)
    assert not list(tmp_path.glob("*ngram*"))
    with pytest.raises(SpeechError, match=r":0: expected \\data\\, found end of file"):
        read_arpa(write(tmp_path, ""))


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "directory"
    target.mkdir()
    with pytest.raises(SpeechError, match="cannot be written"):
        write_arpa(random_model(4), target)
    assert list(tmp_path.iterdir()) == [target]


MINUS_INFINITY = ("-inf", "-Inf", "-INF", "-infinity", "-Infinity", "-99", "-99.0", "-99.00000")


@pytest.mark.parametrize("zero", MINUS_INFINITY)
def test_probabilities_and_weights_of_zero(tmp_path: Path, zero: str) -> None:
    content = SMALL.replace("0\t<s>\t-0.25", f"{zero}\t<s>\t-0.25")
    content = content.replace("-0.7\tb\t-0.2", f"{zero}\tb\t{zero}")
    content = content.replace("-0.4\ta b", f"{zero}\ta b")
    path = write(tmp_path, content)
    found = as_dict(read_arpa(path))
    assert found[("<s>",)] == (-99.0, -0.25)
    assert found[("b",)] == (-99.0, -99.0)
    assert found[("a", "b")] == (-99.0, 0.0)
    NgramAutomaton.build(path, tmp_path / "model.ngram")
    automaton = NgramAutomaton.open(tmp_path / "model.ngram")
    expected = NgramAutomaton.from_model(read_arpa(path))
    for sentence in (["a", "b"], ["b"], ["b", "a", "b"]):
        found_log_prob, log_prob = (
            model.sentence_log_probs([sentence])[0] for model in (automaton, expected)
        )
        assert found_log_prob == log_prob
        assert np.isfinite(log_prob)
    again = tmp_path / "again.arpa"
    write_arpa(read_arpa(path), again)
    assert "inf" not in again.read_text()
    assert as_dict(read_arpa(again)) == found


@pytest.mark.parametrize("field", ["inf", "+inf", "Infinity", "nan", "-nan", "-in", "-infinit"])
def test_numbers_that_no_model_has(tmp_path: Path, field: str) -> None:
    for old, new in (("-0.4\ta b", f"{field}\ta b"), ("<s> a\t-0.05", f"<s> a\t{field}")):
        with pytest.raises(
            SpeechError, match=rf"model\.arpa:1[45]: expected .*'{re.escape(field)}'"
        ):
            read_arpa(write(tmp_path, SMALL.replace(old, new)))


BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

CMU_HEADER = """\
#############################################################################
## Copyright (c) 1996, Carnegie Mellon University, Cambridge University,
#############################################################################
This is a 3-gram language model, based on a vocabulary of 5 words,
  which begins "<s>", "a", "b"...
This is an OPEN-vocabulary model (type 1)
This file is in the ARPA-standard format introduced by Doug Paul.
"""

AS_TOOLS_WRITE = {
    "a byte order mark": lambda text: BYTE_ORDER_MARK + text,
    "a byte order mark and a blank line": lambda text: BYTE_ORDER_MARK + "\r\n" + text,
    "the lines of Windows": lambda text: text.replace("\n", "\r\n"),
    "SRILM": lambda text: "\n" + text.replace("\t0\n", "\n"),
    "the CMU toolkit": lambda text: CMU_HEADER + text.replace("\t", " ").replace("<unk>", "<UNK>"),
    "IRSTLM": lambda text: "\n" + re.sub(r"ngram (\d)=(\d)", r"ngram  \1=       \2", text) + "\n",
    "OpenGrm": lambda text: "\n" + text.replace("\n\n\\end", "\n\\end"),
    "spaces for tabs": lambda text: text.replace("\t", "  "),
    "blanks at the ends of lines": lambda text: text.replace("\n", " \t\n"),
    "blank lines anywhere": lambda text: text.replace("\n", "\n\n\n"),
    "lines after the end": lambda text: text + "\n   \nmade by a tool\n",
    "no line feed at the end": lambda text: text.rstrip("\n"),
    "comments": lambda text: "# made by a tool\n#\n\n" + text,
}


@pytest.mark.parametrize("tool", AS_TOOLS_WRITE)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_files_as_tools_write_them(tmp_path: Path, tool: str, ending: str) -> None:
    content = AS_TOOLS_WRITE[tool](SMALL).encode()
    path = tmp_path / f"tool.arpa{ending}"
    path.write_bytes(gzip.compress(content) if ending else content)
    expected = read_arpa(write(tmp_path, SMALL))
    found = read_arpa(path)
    assert found.vocabulary == expected.vocabulary
    assert as_dict(found) == as_dict(expected)
    NgramAutomaton.build(path, tmp_path / "tool.ngram")
    NgramAutomaton.build(write(tmp_path, SMALL), tmp_path / "model.ngram")
    built = (tmp_path / "tool.ngram").read_bytes()
    assert built == (tmp_path / "model.ngram").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("iARPA\n\n" + SMALL, ":1: expected an ARPA file, found IRSTLM's format 'iARPA'"),
        ("blmt 3 5 3 1\n", ":1: expected an ARPA file, found IRSTLM's format 'blmt 3 5 3 1'"),
        ("\nthe text of a book\n" * 9, r":2: expected \\data\\, found 'the text of a book'"),
        ("a line\n" * 5000 + SMALL, r":1: expected \\data\\, found 'a line'"),
        (SMALL.replace("-1.5\t<unk>", "-1.5\t<UNK>").replace("\tb\t", "\t<unk>\t"),
         ":11: expected distinct unigrams, found '<unk>' again .first on line 7"),
        (SMALL.replace("<s> a b", "b <UNK> a"), ":19: expected an n-gram whose history"),
        (SMALL.replace("-0.3\t<s> a", "-0.3\tb <UNK>").replace("-0.4\ta b", "-0.4\tb <unk>"),
         ":15: expected distinct 2-grams, found 'b <unk>' again .first on line 14"),
    ],
)  # fmt: skip
def test_what_is_no_such_file(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, content)
    for read in (read_arpa, lambda path: NgramAutomaton.build(path, tmp_path / "model.ngram")):
        with pytest.raises(SpeechError, match=rf"model\.arpa{message}") as error:
            read(path)
        assert "\n" not in str(error.value)
