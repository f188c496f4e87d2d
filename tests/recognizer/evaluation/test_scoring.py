"""Word error rates: against sclite itself, brute force, and the bootstrap's own properties."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import kaldialign
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.evaluation import scoring
from recognizer.evaluation.scoring import ErrorCounts

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8)


def cheapest(ref: tuple[str, ...], hyp: tuple[str, ...]) -> int:
    """The least cost with sclite's 3, 3, 4, from the recursive definition."""

    @cache
    def cost(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return 3 * (i + j)
        step = 0 if ref[i - 1] == hyp[j - 1] else 4
        return min(cost(i - 1, j - 1) + step, cost(i - 1, j) + 3, cost(i, j - 1) + 3)

    return cost(len(ref), len(hyp))


@given(WORDS, WORDS)
def test_alignment_is_the_cheapest_under_the_costs_of_sclite(ref: list[str], hyp: list[str]):
    counts = scoring.count_errors(ref, hyp)
    cost = 3 * (counts.insertions + counts.deletions) + 4 * counts.substitutions
    assert cost == cheapest(tuple(ref), tuple(hyp))
    assert counts.insertions - counts.deletions == len(hyp) - len(ref)


@given(WORDS, WORDS)
def test_alignment_restores_both_sides_and_its_operations_are_the_counts(ref, hyp):
    pairs = scoring.align(ref, hyp)
    assert [r for r, _ in pairs if r != scoring.GAP] == ref
    assert [h for _, h in pairs if h != scoring.GAP] == hyp
    text = scoring.alignment_text("u", ref, hyp)
    operations = text.splitlines()[3][4:].split()
    counts = scoring.count_errors(ref, hyp)
    assert operations.count("S") == counts.substitutions
    assert operations.count("I") == counts.insertions
    assert operations.count("D") == counts.deletions
    assert operations.count("C") == counts.words - counts.substitutions - counts.deletions


def test_the_line_is_the_one_of_kaldi():
    counts = ErrorCounts(words=997, insertions=10, deletions=20, substitutions=93)
    assert str(counts) == "%WER 12.34 [ 123 / 997, 10 ins, 20 del, 93 sub ]"


def test_an_empty_reference_and_an_empty_hypothesis():
    assert scoring.count_errors([], []).wer == 0.0
    assert scoring.count_errors([], ["a"]).wer == float("inf")
    assert scoring.count_errors(["a", "b"], []) == ErrorCounts(2, 0, 2, 0)


def test_errors_are_pooled_not_averaged():
    assert scoring.word_error_rate(["a", "b c d"], ["x", "b c d"]).wer == 25.0
    with pytest.raises(SpeechError, match="2 references but 1 hypotheses"):
        scoring.word_error_rate(["a", "b"], ["a"])


def sclite_counts(directory: Path, command: list[str]) -> dict[str, tuple[int, int, int, int]]:
    """Utterance -> (correct, substitutions, deletions, insertions) as sclite's own report says."""
    subprocess.run(
        [*command, "-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-i", "rm", "-o", "pra"],
        cwd=directory,
        check=True,
        capture_output=True,
    )
    report = (directory / "hyp.trn.pra").read_text()
    found = re.findall(r"id: \((\S+)\)\s*\nScores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", report)
    return {name: (int(c), int(s), int(d), int(i)) for name, c, s, d, i in found}


@pytest.fixture(scope="session")
def sclite() -> list[str]:
    if shutil.which("sclite"):
        return ["sclite"]
    if shutil.which("sctk"):
        return ["sctk", "sclite"]
    pytest.skip("sclite is not installed (Debian: apt install sctk)")


def noisy(generator: np.random.Generator, words: list[str]) -> list[str]:
    """What a recogniser does to a sentence: some of each error."""
    noisy_words: list[str] = []
    for word in words:
        draw = generator.random()
        noisy_words += [] if draw < 0.1 else ["x"] if draw < 0.2 else [word]
        noisy_words += ["y"] if generator.random() < 0.1 else []
    return noisy_words


def test_sclite_counts_the_same(sclite: list[str], tmp_path: Path):
    generator = np.random.default_rng(5)
    refs, hyps = {}, {}
    for number in range(400):
        name = f"spk-{number:04d}"
        refs[name] = list(generator.choice(list("abcdefgh"), size=generator.integers(1, 25)))
        hyps[name] = noisy(generator, refs[name])
    # Few words and no relation between the two sides: many alignments have the same cost.
    for number in range(400, 2000):
        name = f"spk-{number:04d}"
        refs[name] = list(generator.choice(list("abc"), size=generator.integers(0, 9)))
        hyps[name] = list(generator.choice(list("abc"), size=generator.integers(0, 9)))
    scoring.write_trn(tmp_path / "ref.trn", refs.items())
    scoring.write_trn(tmp_path / "hyp.trn", hyps.items())
    theirs = sclite_counts(tmp_path, sclite)
    assert len(theirs) == 2000
    for name in refs:
        counts = scoring.count_errors(refs[name], hyps[name])
        correct = counts.words - counts.substitutions - counts.deletions
        mine = (correct, counts.substitutions, counts.deletions, counts.insertions)
        assert theirs[name] == mine, (name, refs[name], hyps[name])


@given(WORDS, WORDS)
def test_kaldialign_finds_the_same_cost(ref: list[str], hyp: list[str]):
    edits = kaldialign.edit_distance(ref, hyp, sclite_mode=True)
    counts = scoring.count_errors(ref, hyp)
    theirs = 3 * (edits["ins"] + edits["del"]) + 4 * edits["sub"]
    assert 3 * (counts.insertions + counts.deletions) + 4 * counts.substitutions == theirs


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.text("abc'", min_size=1, max_size=4), WORDS), unique_by=lambda x: x[0])
)
def test_trn_files_are_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("trn") / "some.trn"
    scoring.write_trn(path, rows)
    assert scoring.read_trn(path) == {name: tuple(words) for name, words in rows}


def test_a_bad_trn_line_is_named(tmp_path: Path):
    path = tmp_path / "bad.trn"
    path.write_text("a b (one)\nno name here\n")
    with pytest.raises(SpeechError, match=r"bad\.trn:2: "):
        scoring.read_trn(path)
    path.write_text("a (one)\nb (one)\n")
    with pytest.raises(SpeechError, match="trn:2: utterance 'one' a second time"):
        scoring.read_trn(path)


def test_kaldi_text_is_read(tmp_path: Path):
    path = tmp_path / "text"
    path.write_text("u1 a b\nu2\n")
    assert scoring.read_transcripts(path) == {"u1": ("a", "b"), "u2": ()}


def some_counts(seed: int, rate: float) -> list[ErrorCounts]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(5, 30, size=150)
    return [ErrorCounts(int(n), 0, 0, int(generator.binomial(n, rate))) for n in lengths]


def test_the_interval_holds_the_rate_and_agrees_with_the_normal_approximation():
    counts = some_counts(1, 0.2)
    interval = scoring.wer_interval(counts, replications=4000)
    whole = scoring.total(counts)
    assert interval.low < whole.wer < interval.high
    # The spread of a ratio estimate, by the delta method.
    residuals = np.array([c.errors - whole.wer / 100 * c.words for c in counts])
    deviation = 100 * np.sqrt((residuals**2).sum()) / whole.words
    assert (interval.high - interval.low) == pytest.approx(2 * 1.96 * deviation, rel=0.08)
    assert interval == scoring.wer_interval(counts, replications=4000)


def test_the_paired_bootstrap_sees_a_gain_that_separate_intervals_hide():
    before = some_counts(2, 0.2)
    after = [
        ErrorCounts(c.words, 0, 0, max(0, c.substitutions - (i % 8 == 0)))
        for i, c in enumerate(before)
    ]
    assert scoring.wer_interval(after).high > scoring.wer_interval(before).low
    assert scoring.improvement_probability(before, after) > 0.99
    assert scoring.improvement_probability(after, before) < 0.01
    assert scoring.improvement_probability(before, before) == 0.0
    with pytest.raises(SpeechError, match="150 and 149"):
        scoring.improvement_probability(before, after[1:])


def test_cross_entropy_of_confidences():
    right = np.array([True, True, False, True])
    assert scoring.cross_entropy(np.full(4, 0.5), right) == pytest.approx(1.0)
    share = scoring.cross_entropy(np.full(4, 0.75), right)
    assert share == pytest.approx(-(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25)))
    assert scoring.cross_entropy(np.array([0.9, 0.9, 0.2, 0.8]), right) < share
    # Sure and wrong costs much, but not everything.
    assert scoring.cross_entropy(np.ones(4), right) == pytest.approx(-np.log2(0.001) / 4, rel=1e-3)
    assert scoring.cross_entropy(np.zeros(0), np.zeros(0, dtype=bool)) == 0.0
