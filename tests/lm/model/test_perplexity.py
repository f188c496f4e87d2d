from __future__ import annotations

import math
from pathlib import Path

import pytest

from backoff_models import BackoffModel
from lm_models import random_lines, random_model
from recognizer.lm.arpa.files import write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.model.language_model import KenlmModel, read_language_model
from recognizer.lm.model.perplexity import Perplexity, perplexity, total, worth_loading
from recognizer.lm.ngram.model import LOG_OF_10

LINES = [*random_lines(7, "abcdxy", 50), "", "<unk> a", "z z"]


def close(found: Perplexity, expected: Perplexity) -> bool:
    assert (found.sentences, found.words, found.oov) == (
        expected.sentences,
        expected.words,
        expected.oov,
    )
    return (found.log_prob, found.oov_log_prob) == pytest.approx(
        (expected.log_prob, expected.oov_log_prob), rel=1e-6
    )


@pytest.mark.parametrize("lines_per_batch", [1, 3, 1000])
def test_automata_score_in_batches_what_others_score_word_by_word(
    monkeypatch: pytest.MonkeyPatch, lines_per_batch: int
) -> None:
    monkeypatch.setattr("recognizer.lm.model.perplexity._LINES_PER_BATCH", lines_per_batch)
    model = random_model(3, order=4)
    expected = perplexity(BackoffModel(model), iter(LINES))
    assert 0 < expected.oov < expected.words
    fast = NgramAutomaton.from_model(model)
    assert close(perplexity(fast, iter(LINES)), expected)
    assert close(perplexity(fast.compact(), iter(LINES)), expected)


def test_totals_equal_kenlms(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm")
    model = random_model(4, order=3)
    path = tmp_path / "model.arpa"
    write_arpa(model, path, decimals=9)
    peer = kenlm.Model(str(path))
    scores = [score for line in LINES for score in peer.full_scores(line)]
    found = perplexity(NgramAutomaton.from_model(model), LINES)
    assert found.log10_prob == pytest.approx(sum(score[0] for score in scores), rel=1e-6)
    assert found.log10_prob == pytest.approx(sum(map(peer.score, LINES)), rel=1e-6)
    assert found.oov == sum(score[2] for score in scores)
    assert found.words + found.sentences == len(scores)
    assert found.perplexity_with_oov == pytest.approx(10 ** (-found.log10_prob / len(scores)))
    known = [score[0] for score in scores if not score[2]]
    assert found.perplexity == pytest.approx(10 ** (-sum(known) / len(known)), rel=1e-6)
    assert close(perplexity(KenlmModel(path), LINES), found)


def test_total() -> None:
    automaton = NgramAutomaton.from_model(random_model(5))
    parts = [perplexity(automaton, LINES[:20]), perplexity(automaton, LINES[20:])]
    assert close(total(parts), perplexity(automaton, LINES))
    nothing = total([])
    assert nothing == Perplexity(0, 0, 0, 0.0, 0.0)
    assert math.isnan(nothing.perplexity)
    assert math.isnan(nothing.perplexity_with_oov)
    assert Perplexity(1, 1, 1, -1.0, -2.0).log10_prob * LOG_OF_10 == pytest.approx(-3.0)


def test_when_a_model_is_worth_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"model": 4000, "short": 150, "other": 50}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    model, short, other = (tmp_path / name for name in sizes)
    assert not worth_loading(model, [short])
    assert worth_loading(model, [short, other])
    assert not worth_loading(model, [short, "-"])
    monkeypatch.setattr("os.sysconf", {"SC_PAGE_SIZE": 1000, "SC_PHYS_PAGES": 7}.get)
    assert not worth_loading(model, [short, other])


def test_a_model_read_into_memory_says_the_same(tmp_path: Path) -> None:
    model = random_model(3, order=3)
    NgramAutomaton.from_model(model).save(tmp_path / "model.ngram")
    lines = random_lines(4)
    mapped, resident = (
        read_language_model(tmp_path / "model.ngram", resident=resident)
        for resident in (False, True)
    )
    assert isinstance(resident, NgramAutomaton)
    assert "slots" in resident.arrays
    assert perplexity(resident, lines) == perplexity(mapped, lines)
