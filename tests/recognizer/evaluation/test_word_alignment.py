"""Alignment of words: against brute force, kaldialign, and sclite itself."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import kaldialign
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer._word_alignment import align_networks
from recognizer.data.errors import SpeechError
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.transcript_files import transcript_pairs, write_trn
from recognizer.evaluation.word_alignment import (
    align,
    alignment_text,
    count_errors,
    word_error_rate,
)
from recognizer.evaluation.word_network import parse_transcript
from sclite_peer import our_counts, sclite_counts

WORDS = st.lists(st.sampled_from(["a", "b", "*", "d"]), max_size=8)


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
    counts = count_errors(ref, hyp)
    cost = 3 * (counts.insertions + counts.deletions) + 4 * counts.substitutions
    assert cost == cheapest(tuple(ref), tuple(hyp))
    assert counts.insertions - counts.deletions == len(hyp) - len(ref)


@given(WORDS, WORDS)
def test_alignment_restores_both_sides_and_its_operations_are_the_counts(ref, hyp):
    pairs = align(ref, hyp)
    assert [pair.reference for pair in pairs if pair.reference is not None] == ref
    assert [pair.hypothesis for pair in pairs if pair.hypothesis is not None] == hyp
    text = alignment_text("u", ref, hyp)
    operations = text.splitlines()[3][4:].split()
    counts = count_errors(ref, hyp)
    assert operations.count("S") == counts.substitutions
    assert operations.count("I") == counts.insertions
    assert operations.count("D") == counts.deletions
    assert operations.count("C") == counts.words - counts.substitutions - counts.deletions


def test_the_line_is_the_one_of_kaldi():
    counts = ErrorCounts(words=997, insertions=10, deletions=20, substitutions=93)
    assert str(counts) == "%WER 12.34 [ 123 / 997, 10 ins, 20 del, 93 sub ]"


def test_an_empty_reference_and_an_empty_hypothesis():
    assert count_errors([], []).wer == 0.0
    assert count_errors([], ["a"]).wer == float("inf")
    assert count_errors(["a", "b"], []) == ErrorCounts(2, 0, 2, 0)


def test_errors_are_pooled_not_averaged():
    assert word_error_rate(["a", "b c d"], ["x", "b c d"]).wer == 25.0
    with pytest.raises(SpeechError, match="2 references but 1 hypotheses"):
        word_error_rate(["a", "b"], ["a"])


def noisy(generator: np.random.Generator, words: list[str]) -> list[str]:
    """What a recogniser does to a sentence: some of each error."""
    noisy_words: list[str] = []
    for word in words:
        draw = generator.random()
        noisy_words += [] if draw < 0.1 else ["x"] if draw < 0.2 else [word]
        noisy_words += ["y"] if generator.random() < 0.1 else []
    return noisy_words


def test_sclite_counts_the_same(tmp_path: Path):
    generator = np.random.default_rng(5)
    refs, hyps = {}, {}
    for number in range(400):
        name = f"spk-{number:04d}"
        refs[name] = list(generator.choice(list("abcdefgh"), size=generator.integers(1, 25)))
        hyps[name] = noisy(generator, refs[name])
    # Few words and no relation between the two sides: many alignments have the same cost.
    for number in range(400, 2000):
        name = f"spk-{number:04d}"
        refs[name] = list(generator.choice(list("ab*"), size=generator.integers(0, 9)))
        hyps[name] = list(generator.choice(list("ab*"), size=generator.integers(0, 9)))
    # One long utterance: what a whole recording without segments is.
    refs["spk-long"] = [f"w{word}" for word in generator.integers(0, 500, size=1500)]
    hyps["spk-long"] = noisy(generator, refs["spk-long"])
    reference, hypothesis = tmp_path / "ref.trn", tmp_path / "hyp.trn"
    write_trn(reference, refs.items())
    write_trn(hypothesis, hyps.items())
    theirs = sclite_counts(reference, hypothesis)
    assert len(theirs) == 2001
    assert our_counts(transcript_pairs(reference, hypothesis)) == theirs


def test_a_recording_of_five_thousand_words_takes_a_byte_for_each_pair():
    """Memory is bounded (twice the table of choices is far from a cost for each pair)."""
    generator = np.random.default_rng(1)
    words = [f"w{word}" for word in generator.integers(0, 3000, size=5000)]
    heard = noisy(generator, words)
    script = (
        "import resource, sys\n"
        "from recognizer.evaluation.word_alignment import count_errors\n"
        "ref, hyp = (line.split() for line in sys.stdin)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(count_errors(ref, hyp).errors)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=f"{' '.join(words)}\n{' '.join(heard)}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    errors, kilobytes = map(int, done.stdout.split())
    changed = sum(word in ("x", "y") for word in heard)
    assert changed <= errors <= changed + len(words) - len([w for w in heard if w[0] == "w"])
    assert kilobytes < 2 * len(words) * len(heard) / 1024


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=3), min_size=1, max_size=3), WORDS)
def test_alternatives_have_the_errors_of_the_best_one(alternatives, hyp):
    """Of the readings of a reference the alignment takes one of the least cost."""
    text = " / ".join(" ".join(words) or "@" for words in alternatives)
    network = parse_transcript(f"a {{ {text} }} b")
    pairs = align(network, hyp)

    def cost(operations: list[str]) -> int:
        return sum({"C": 0, "S": 4, "I": 3, "D": 3}[operation] for operation in operations)

    least = min(cheapest(("a", *words, "b"), tuple(hyp)) for words in alternatives)
    assert cost([pair.operation for pair in pairs]) == least
    read = tuple(pair.reference for pair in pairs if pair.reference is not None)
    assert read in {("a", *words, "b") for words in alternatives}


def test_more_alternatives_than_a_byte_can_number():
    words = [f"w{number}" for number in range(300)]
    network = parse_transcript(f"a {{ {' / '.join(words)} }} b")
    assert align(network, ["a", "w299", "b"]) == [
        ("a", "a", "C"),
        ("w299", "w299", "C"),
        ("b", "b", "C"),
    ]
    assert count_errors(["a", "q", "b"], network) == ErrorCounts(3, 0, 0, 1)


def test_the_native_alignment_checks_its_arrays():
    good = [np.array([0, 1], np.int32), np.zeros(2, np.uint8), np.array([0, 0, 1], np.int32)]
    good += [np.zeros(1, np.int32), np.ones(1, np.int32)]
    assert [arcs.tolist() for arcs in align_networks(*good, *good)] == [[1], [1]]
    for index, bad in [
        (0, np.zeros(0, np.int32)),
        (1, np.zeros(3, np.uint8)),
        (2, np.array([0, 0, 0], np.int32)),
        (2, np.array([0, 1, 1], np.int32)),
        (2, np.array([0, 0, 9], np.int32)),
        (3, np.array([1], np.int32)),
        (3, np.array([-1], np.int32)),
        (4, np.zeros(0, np.int32)),
        (4, np.array([2], np.int32)),
    ]:
        spoiled = [*good[:index], bad, *good[index + 1 :]]
        with pytest.raises(ValueError, match="hypothesis: "):
            align_networks(*good, *spoiled)


@given(WORDS, WORDS)
def test_kaldialign_finds_the_same_cost(ref: list[str], hyp: list[str]):
    edits = kaldialign.edit_distance(ref, hyp, sclite_mode=True)
    counts = count_errors(ref, hyp)
    theirs = 3 * (edits["ins"] + edits["del"]) + 4 * edits["sub"]
    assert 3 * (counts.insertions + counts.deletions) + 4 * counts.substitutions == theirs
