"""Automata from files in bounded memory: byte for byte what the definition says."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automaton_oracle import automaton_arrays
from lm_files import arpas, write_records
from lm_models import random_model
from recognizer.data.errors import SpeechError
from recognizer.lm._builder import AutomatonBuilder
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import COMPACT, FAST, NgramAutomaton
from recognizer.lm.ngram.model import BEGIN, END, NgramModel
from recognizer.lm.resources import Resources


def assert_equal(automaton: NgramAutomaton, model: NgramModel) -> None:
    words, arrays = automaton_arrays(model)
    assert list(automaton.words) == words
    assert automaton.metadata["counts"] == " ".join(map(str, model.counts))
    for name, array in arrays.items():
        found = automaton.arrays[name]
        assert found.dtype == array.dtype
        assert found.tobytes() == array.tobytes(), name


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=arpas(), memory=st.sampled_from([2**20, 2**22]), threads=st.integers(1, 3))
def test_the_arrays_are_those_of_the_definition(
    tmp_path: Path, text: str, memory: int, threads: int
) -> None:
    path, output = tmp_path / "model.arpa", tmp_path / "model.ngram"
    path.write_text(text)
    resources = Resources(memory=memory, threads=threads)
    NgramAutomaton.build(path, output, resources=resources)
    model = read_arpa(path)
    assert_equal(NgramAutomaton.open(output), model)
    assert_equal(NgramAutomaton.from_model(model), model)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.arpa", "model.ngram"]


@pytest.mark.parametrize(("memory", "threads"), [(0, 1), (1000, 1), (1000, 2), (20_000, 3)])
def test_any_memory_and_threads(tmp_path: Path, memory: int, threads: int) -> None:
    """The native builder itself takes bounds below what the options allow: many runs and merges."""
    model = random_model(3, order=4, words="abcdefghij", lines=40 if memory == 0 else 400)
    words = model.vocabulary
    builder = AutomatonBuilder(
        str(tmp_path), len(words), words.index(BEGIN), words.index(END), memory, threads, 2**32 - 2
    )
    steps: list[int] = []
    for order, level in enumerate(model.levels, start=1):
        rows = np.random.default_rng(order).permutation(len(level))
        builder.begin()
        builder.add(
            model.ngrams(order)[rows].reshape(-1),
            level.log10_probs[rows].astype(np.float64),
            level.log10_backoffs[rows].astype(np.float64),
        )
        builder.end(steps.append)
    builder.build(steps.append)
    assert sum(steps) == 2 * sum(model.counts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arcs", "finals", "states"]
    for name, array in automaton_arrays(model)[1].items():
        assert (tmp_path / name).read_bytes() == array.tobytes()


@pytest.mark.parametrize("ending", ["", ".gz", ".xz", ".zst"])
@pytest.mark.parametrize("layout", [FAST, COMPACT])
def test_the_file_is_the_one_that_is_saved(tmp_path: Path, ending: str, layout: str) -> None:
    write_arpa(random_model(5, order=4), tmp_path / "model.arpa")
    content = (tmp_path / "model.arpa").read_bytes()
    compress = {
        "": bytes,
        ".gz": gzip.compress,
        ".xz": lzma.compress,
        ".zst": zstandard.ZstdCompressor().compress,
    }[ending]
    (tmp_path / f"model.arpa{ending}").write_bytes(compress(content))
    stages: dict[str, int] = {}
    NgramAutomaton.build(
        tmp_path / f"model.arpa{ending}",
        tmp_path / "built.ngram",
        layout=layout,
        resources=Resources(
            progress=lambda stage, done, _: stages.update({stage: stages.get(stage, 0) + done})
        ),
    )
    saved = NgramAutomaton.from_model(read_arpa(tmp_path / "model.arpa"))
    (saved if layout == FAST else saved.compact()).save(tmp_path / "saved.ngram")
    assert (tmp_path / "built.ngram").read_bytes() == (tmp_path / "saved.ngram").read_bytes()
    total = sum(map(int, saved.metadata["counts"].split()))
    assert stages["reading"] == len(content)
    assert stages["linking"] == total


def test_from_records(tmp_path: Path) -> None:
    model = random_model(2, order=5)
    write_records(tmp_path / "records", model)
    NgramAutomaton.build(tmp_path / "records", tmp_path / "model.ngram")
    found = NgramAutomaton.open(tmp_path / "model.ngram")
    expected = NgramAutomaton.from_model(model)
    assert set(found.words) == set(expected.words)
    assert found.num_states == expected.num_states
    sentences = [["a", "b"], [], list("abcdeabcde"), ["z", "a"]]
    np.testing.assert_allclose(
        found.sentence_log_probs(sentences), expected.sentence_log_probs(sentences), atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("records.json", None, r"records\.json: no such file"),
        ("records.json", "{}", r"records\.json: expected"),
        ("records.json", '{"order": 2, "counts": [8]}', r"records\.json: expected"),
        ("vocabulary.txt", "a\nb\n", r"vocabulary\.txt: expected 8 words, <unk> <s> </s> first"),
        ("2.records", None, r"2\.records: cannot be read: No such file"),
        ("2.records", "xyz", r"2\.records: expected \d+ bytes, found 3"),
    ],
)
def test_records_that_are_none(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    write_records(tmp_path / "records", random_model(2, order=2))
    path = tmp_path / "records" / name
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(SpeechError, match=message):
        NgramAutomaton.build(tmp_path / "records", tmp_path / "model.ngram")
    assert [file.name for file in tmp_path.iterdir()] == ["records"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (((3, 99), -1.0, 0.0), r"2\.records: record 1: expected ids below 8 and log10 values"),
        (((3, 4), 1.0, 0.0), r"2\.records: record 1: expected ids"),
        (((3, 4), -1.0, np.inf), r"2\.records: record 1: expected ids"),
        (((3, 4), -np.nan, 0.0), r"2\.records: record 1: expected ids"),
    ],
)
def test_damaged_records(tmp_path: Path, record: tuple[object, ...], message: str) -> None:
    write_records(tmp_path / "records", random_model(2, order=2))
    path = tmp_path / "records" / "2.records"
    records = np.fromfile(path, [("ids", "<u4", (2,)), ("prob", "<f4"), ("backoff", "<f4")])
    records[1] = record
    records.tofile(path)
    with pytest.raises(SpeechError, match=message):
        NgramAutomaton.build(tmp_path / "records", tmp_path / "model.ngram")
    records[1] = records[0]
    records.tofile(path)
    with pytest.raises(SpeechError, match=r"2\.records: expected distinct n-grams, found '.*' tw"):
        NgramAutomaton.build(tmp_path / "records", tmp_path / "model.ngram")


def test_too_many_histories_are_refused(tmp_path: Path) -> None:
    model = random_model(3, order=2)
    words = model.vocabulary
    builder = AutomatonBuilder(
        str(tmp_path), len(words), words.index(BEGIN), words.index(END), 2**20, 1, max_states=4
    )
    for order, level in enumerate(model.levels, start=1):
        builder.begin()
        values = level.log10_probs.astype(np.float64), level.log10_backoffs.astype(np.float64)
        builder.add(model.ngrams(order).reshape(-1), *values)
        builder.end(lambda done: None)
    with pytest.raises(ValueError, match=r"expected at most 4 histories \(.*\), found more"):
        builder.build(lambda done: None)


@pytest.mark.parametrize("stage", ["reading", "sorting 2-grams", "linking", "writing"])
def test_an_interruption_leaves_nothing(tmp_path: Path, stage: str) -> None:
    write_arpa(random_model(3), tmp_path / "model.arpa")

    def interrupt(at: str, done: int, total: int | None) -> None:
        if at == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        NgramAutomaton.build(
            tmp_path / "model.arpa",
            tmp_path / "model.ngram",
            resources=Resources(progress=interrupt),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model.arpa"]


def test_the_builder_checks_what_it_is_given(tmp_path: Path) -> None:
    for begin, end, size in ((0, 0, 5), (5, 0, 5), (0, 5, 5), (0, 1, 2)):
        with pytest.raises(ValueError, match="vocabulary: expected <s>, </s> and other words"):
            AutomatonBuilder(str(tmp_path), size, begin, end, 2**20, 1, 100)
    builder = AutomatonBuilder(str(tmp_path), 3, 1, 2, 2**20, 1, 100)
    ids, values = np.arange(3, dtype=np.int32), np.full(3, -1.0)
    with pytest.raises(ValueError, match="expected to begin an order"):
        builder.add(ids, values, values)
    builder.begin()
    with pytest.raises(ValueError, match="expected the end of the order before"):
        builder.begin()
    with pytest.raises(ValueError, match="ids: expected 3 values, found 2"):
        builder.add(ids[:2], values, values)
    for wrong in (ids - 1, ids + 1):
        with pytest.raises(ValueError, match="found an id out of range"):
            builder.add(wrong, values, values)
    for number in (1.0, np.nan, -np.inf, -1e300):
        with pytest.raises(ValueError, match="found a log10 value that is none"):
            builder.add(ids, np.full(3, number), values)
    fresh = AutomatonBuilder(str(tmp_path), 3, 1, 2, 2**20, 1, 100)
    fresh.begin()
    fresh.add(ids[:2], values[:2], values[:2])
    fresh.end(lambda done: None)
    with pytest.raises(ValueError, match="expected one unigram for each word"):
        fresh.build(lambda done: None)
