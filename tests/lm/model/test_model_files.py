"""Models from file to file: what comes back, and what is left where something fails."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lm_files import arpas, write_records
from lm_models import FIXTURES, as_dict, random_model
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm._arpa import format_log10
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import COMPACT, FAST, NgramAutomaton
from recognizer.lm.automaton.ngrams import AutomatonSource, ngram_model
from recognizer.lm.model.model_files import WriteOptions, convert, verify
from recognizer.lm.ngram.model import LOG_OF_10
from recognizer.lm.resources import Resources

SORTED = """\
\\data\\
ngram 1=5
ngram 2=6
ngram 3=2

\\1-grams:
-1.5\t<unk>\t-0.125
-99\t<s>\t-0.25
-0.5\t</s>\t0
-0.6\ta\t-0.1
-0.700001\tb\t-0.2

\\2-grams:
-3\t<unk> a\t0
-0.3\t<s> a\t-0.05
-0.2\ta </s>\t0
-0.4\ta a\t0
-6.123456\ta b\t0.25
-0.25\tb b\t-1.123456

\\3-grams:
-0.125\t<s> a b
-0.0625\ta b b

\\end\\
"""


def natural(log10: float) -> np.float32:
    return np.float32(log10 * LOG_OF_10)


@given(st.floats(width=32, min_value=-(2.0**100), max_value=2.0**100))
def test_numbers_come_back_as_the_same_floats(value: float) -> None:
    text = format_log10(value / LOG_OF_10, -1)
    assert natural(float(text)) == natural(value / LOG_OF_10)
    assert text != "-0"


@given(digits=st.integers(0, 6_000_000), decimals=st.integers(0, 6))
def test_short_numbers_come_back_as_the_same_text(digits: int, decimals: int) -> None:
    text = f"{-digits / 10**6:.{decimals}f}"
    shortest = (text.rstrip("0").rstrip(".") if "." in text else text).replace("-0", "-0")
    assert format_log10(float(text), -1) == ("0" if float(text) == 0 else shortest)
    assert float(format_log10(float(text), 6)) == pytest.approx(float(text), abs=1e-12)


@given(value=st.floats(-99, 99), decimals=st.integers(1, 9))
@example(value=-0.0000005, decimals=6)
@example(value=-0.125, decimals=2)
@example(value=-1.0000025, decimals=6)
def test_numbers_are_rounded_as_by_printf(value: float, decimals: int) -> None:
    expected = f"{value:.{decimals}f}"
    assert format_log10(value, decimals) == (expected if float(expected) else expected.lstrip("-"))


def test_decimals_are_rounded() -> None:
    assert [format_log10(-1.23456, n) for n in (0, 2, 4, 9)] == [
        "-1",
        "-1.23",
        "-1.2346",
        "-1.234560000",
    ]
    assert format_log10(-0.0004, 3) == "0.000"


@pytest.mark.parametrize("layout", [FAST, COMPACT])
@pytest.mark.parametrize("rows_of_begin", [0, 1, 4])
def test_a_sorted_file_comes_back_to_the_letter(
    tmp_path: Path, layout: str, rows_of_begin: int
) -> None:
    text = SORTED
    if rows_of_begin != 1:  # elsewhere in the vocabulary, and so in the order
        begin, unknown = "-99\t<s>\t-0.25\n", "-3\t<unk> a\t0\n"
        text = text.replace(begin, "")
        place = "-1.5\t<unk>" if rows_of_begin == 0 else "\n\\2-grams"
        text = text.replace(place, begin + place)
        pair = "-0.3\t<s> a\t-0.05\n"
        text = text.replace(pair, "")
        place = unknown if rows_of_begin == 0 else "\n\\3-grams"
        text = text.replace(place, pair + place)
        if rows_of_begin == 4:
            text = text.replace("-0.125\t<s> a b\n", "").replace(
                "\n\\end", "-0.125\t<s> a b\n\n\\end"
            )
    (tmp_path / "model.arpa").write_text(text)
    convert(tmp_path / "model.arpa", tmp_path / "model.ngram", WriteOptions(layout=layout))
    convert(tmp_path / "model.ngram", tmp_path / "again.arpa.gz")
    with gzip.open(tmp_path / "again.arpa.gz", "rt") as file:
        assert file.read() == text
    convert(tmp_path / "model.arpa", tmp_path / "sorted.arpa")
    assert (tmp_path / "sorted.arpa").read_text() == text


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=arpas(), layout=st.sampled_from([FAST, COMPACT]))
def test_binaries_come_back_to_the_byte(tmp_path: Path, text: str, layout: str) -> None:
    (tmp_path / "model.arpa").write_text(text)
    options = WriteOptions(layout=layout)
    convert(tmp_path / "model.arpa", tmp_path / "model.ngram", options)
    first = NgramAutomaton.open(tmp_path / "model.ngram")
    convert(tmp_path / "model.ngram", tmp_path / "again.arpa")
    convert(tmp_path / "again.arpa", tmp_path / "again.ngram", options)
    again = NgramAutomaton.open(tmp_path / "again.ngram")
    for name, array in first.arrays.items():
        assert again.arrays[name].tobytes() == array.tobytes(), name
    # What says nothing of any sentence is counted no more, and does not come back.
    assert {**again.metadata, "counts": ""} == {**first.metadata, "counts": ""}
    convert(tmp_path / "again.ngram", tmp_path / "third.arpa")
    assert (tmp_path / "third.arpa").read_bytes() == (tmp_path / "again.arpa").read_bytes()
    ngrams = as_dict(ngram_model(first))
    for words, (prob, backoff) in as_dict(read_arpa(tmp_path / "again.arpa")).items():
        if words != ("<s>",):
            assert (prob, backoff) == pytest.approx(ngrams[words], rel=1e-6)


def test_rounded_text(tmp_path: Path) -> None:
    automaton = NgramAutomaton.from_model(random_model(3))
    write_arpa(AutomatonSource(automaton), tmp_path / "model.arpa", decimals=2)
    rounded, exact = as_dict(read_arpa(tmp_path / "model.arpa")), as_dict(ngram_model(automaton))
    errors = [abs(rounded[words][0] - exact[words][0]) for words in exact if words != ("<s>",)]
    assert 1e-4 < max(errors) <= 0.005 + 1e-6
    with pytest.raises(UsageError, match="decimals"):
        write_arpa(AutomatonSource(automaton), tmp_path / "model.arpa", decimals=10)


def test_text_from_files_of_before(tmp_path: Path) -> None:
    """Binaries that do not say where `<s>` and `</s>` stood have them after all words."""
    automaton = NgramAutomaton.from_model(random_model(3))
    automaton.metadata = {"counts": automaton.metadata["counts"], "layout": FAST}
    automaton.save(tmp_path / "model.ngram")
    convert(tmp_path / "model.ngram", tmp_path / "model.arpa")
    model = read_arpa(tmp_path / "model.arpa")
    assert model.vocabulary == (*automaton.words, "<s>", "</s>")
    again = NgramAutomaton.from_model(model)
    for name, array in automaton.arrays.items():
        assert again.arrays[name].tobytes() == array.tobytes()


def test_damaged_automata_have_no_text(tmp_path: Path) -> None:
    automaton = NgramAutomaton.from_model(random_model(3))
    arcs = automaton.arrays["arcs"].copy()
    arcs[arcs[:, 2] == 4, 2] = 0
    automaton.arrays["arcs"] = arcs
    with pytest.raises(SpeechError, match="expected an arc to every state"):
        write_arpa(AutomatonSource(automaton), tmp_path / "model.arpa")
    assert not list(tmp_path.iterdir())


def test_conversions_between_all_kinds(tmp_path: Path) -> None:
    write_records(tmp_path / "records", random_model(4, order=4))
    convert(tmp_path / "records", tmp_path / "fast.ngram")
    convert(tmp_path / "records", tmp_path / "records.arpa")
    convert(tmp_path / "fast.ngram", tmp_path / "fast.arpa")
    assert (tmp_path / "records.arpa").read_bytes() == (tmp_path / "fast.arpa").read_bytes()
    convert(tmp_path / "fast.ngram", tmp_path / "compact.ngram", WriteOptions(layout=COMPACT))
    convert(tmp_path / "compact.ngram", tmp_path / "again.ngram")
    assert (tmp_path / "again.ngram").read_bytes() == (tmp_path / "fast.ngram").read_bytes()
    for bits in (None, 8):
        options = WriteOptions(layout=COMPACT, bits=bits)
        convert(tmp_path / "fast.arpa", tmp_path / "built.ngram", options)
        automaton = NgramAutomaton.open(tmp_path / "fast.ngram").compact(bits=bits)
        automaton.save(tmp_path / "packed.ngram")
        assert (tmp_path / "built.ngram").read_bytes() == (tmp_path / "packed.ngram").read_bytes()


def test_checksums_are_verified_on_request(tmp_path: Path) -> None:
    path = tmp_path / "model.ngram"
    NgramAutomaton.from_model(random_model(3)).save(path)
    assert verify(path).num_states > 5
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # of the last word
    path.write_bytes(content)
    NgramAutomaton.open(path)
    with pytest.raises(SpeechError, match=r"model\.ngram: vocabulary: expected the CRC-32"):
        verify(path)


def test_orders_that_are_too_high(tmp_path: Path) -> None:
    lines = ["\\data\\", *(f"ngram {n}=0" for n in range(1, 10)), ""]
    lines[1] = "ngram 1=3"
    lines += ["\\1-grams:", "-1 <s>", "-1 </s>", "-1 a"]
    (tmp_path / "model.arpa").write_text("\n".join([*lines, "\\2-grams:", ""]))
    with pytest.raises(SpeechError, match=r"model\.arpa: .*orders up to 8, found 9"):
        convert(tmp_path / "model.arpa", tmp_path / "model.ngram")
    assert [path.name for path in tmp_path.iterdir()] == ["model.arpa"]


def test_options() -> None:
    for wrong in ({"decimals": 0}, {"layout": "slow"}, {"bits": 7}, {"bits": 8, "layout": FAST}):
        with pytest.raises(UsageError):
            WriteOptions(**wrong)
    for wrong in ({"memory": 1000}, {"threads": 0}, {"temporary": Path("/none")}):
        with pytest.raises(UsageError):
            Resources(**wrong)


@pytest.mark.parametrize("output", ["full.ngram", "full.arpa", "full.arpa.gz"])
@pytest.mark.parametrize("limit", [2_000, 15_000])
def test_a_full_disk(tmp_path: Path, output: str, limit: int) -> None:
    """A limit on the size of files stands in for it: one line, nothing left behind."""
    source = FIXTURES / "order4.arpa.gz"
    program = (
        "import resource, signal, sys\n"
        "from recognizer.data.errors import SpeechError\n"
        "from recognizer.lm.model.model_files import convert\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "limit = int(sys.argv[3])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "try:\n"
        "    convert(sys.argv[1], sys.argv[2])\n"
        "except SpeechError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(source), str(tmp_path / output), str(limit)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "File too large" in ran.stdout
    assert output in ran.stdout
    assert len(ran.stdout.splitlines()) == 1
    assert not list(tmp_path.iterdir())
