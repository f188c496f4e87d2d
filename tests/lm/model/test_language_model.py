from __future__ import annotations

import gzip
import importlib.util
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoff_models import BackoffModel, EpsilonBackoffModel
from lm_models import (
    FIXTURES,
    as_dict,
    best_epsilon_path,
    log10_prob,
    random_lines,
    random_model,
    text,
)
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.model.language_model import KenlmModel, LanguageModel, read_language_model
from recognizer.lm.model.perplexity import perplexity
from recognizer.lm.model.prune import prune_ngrams
from recognizer.lm.ngram.model import LOG_OF_10

needs_kenlm = pytest.mark.skipif(
    importlib.util.find_spec("kenlm") is None,
    reason="KenLM is not installed (it does not compile on Python 3.13)",
)


def total(model: LanguageModel, words: list[str]) -> float:
    state = model.start()
    result = 0.0
    for word in words:
        log_prob, state = model.score(state, word)
        result += log_prob
    return result + model.final(state)


def shuffled_text() -> list[list[str]]:
    rng = random.Random(0)
    sentences = [line.split() for line in text()]
    for words in sentences[::2]:
        rng.shuffle(words)
    sentences[3] = ["the", "zebra", "saw", "a", "fox"]
    return sentences


@pytest.fixture(scope="module", params=["whole", "pruned"])
def arpa(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "whole":
        return FIXTURES / "order4.arpa.gz"
    path = tmp_path_factory.mktemp("pruned") / "pruned.arpa"
    write_arpa(prune_ngrams(read_arpa(FIXTURES / "order4.arpa.gz"), ngrams=500), path)
    return path


@needs_kenlm
def test_back_off_and_kenlm_agree(arpa: Path) -> None:
    ours, kenlm = BackoffModel(read_arpa(arpa)), KenlmModel(arpa)
    for words in shuffled_text():
        state, peer_state = ours.start(), kenlm.start()
        for word in words:
            log_prob, state = ours.score(state, word)
            expected, peer_state = kenlm.score(peer_state, word)
            assert log_prob == pytest.approx(expected, abs=2e-5)
        assert ours.final(state) == pytest.approx(kenlm.final(peer_state), abs=2e-5)


@pytest.mark.parametrize("seed", range(3))
def test_back_off_equals_its_definition(seed: int) -> None:
    model = prune_ngrams(random_model(seed, order=3), ngrams=30)
    ngrams = as_dict(model)
    ours = BackoffModel(model)
    for line in random_lines(seed + 10, lines=20):
        history = ("<s>",)
        state = ours.start()
        for word in line.split():
            log_prob, state = ours.score(state, word)
            assert log_prob == pytest.approx(LOG_OF_10 * log10_prob(ngrams, history[-2:], word))
            history = (*history, word)
        expected = LOG_OF_10 * log10_prob(ngrams, history[-2:], "</s>")
        assert ours.final(state) == pytest.approx(expected)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 5), st.integers(1, 4), st.integers(0, 60), st.lists(st.sampled_from("abcdez"))
)
def test_epsilon_back_off_is_the_best_path(
    seed: int, order: int, ngrams: int, words: list[str]
) -> None:
    # Few lines and many cut n-grams: explicit n-grams dearer than backing off do occur.
    model = prune_ngrams(random_model(seed, order=order, lines=15), ngrams=ngrams)
    words = words[:7]
    assert total(EpsilonBackoffModel(model), words) == pytest.approx(
        best_epsilon_path(model, words)
    )


def test_epsilon_back_off_differs_where_backing_off_is_cheaper() -> None:
    model = read_arpa(FIXTURES / "order4.arpa.gz")
    exact, epsilon = BackoffModel(model), EpsilonBackoffModel(model)
    gains = [total(epsilon, words) - total(exact, words) for words in shuffled_text()]
    assert min(gains) > -1e-9
    assert max(gains) > 0.1


@needs_kenlm
def test_states_merge_histories_that_do_not_matter() -> None:
    model = read_arpa(FIXTURES / "order4.arpa.gz")
    for ours in (BackoffModel(model), EpsilonBackoffModel(model), KenlmModel(_fixture())):
        states = []
        for first in ("zebra", "giraffe"):
            _, state = ours.score(ours.start(), first)
            _, state = ours.score(state, "zebra")
            states.append(state)
        assert states[0] == states[1]
        assert len(set(states)) == 1


def _fixture() -> Path:
    return FIXTURES / "order4.arpa.gz"


@needs_kenlm
def test_vocabulary_membership() -> None:
    model = read_arpa(_fixture())
    for ours in (BackoffModel(model), EpsilonBackoffModel(model), KenlmModel(_fixture())):
        assert "fox" in ours
        assert not any(word in ours for word in ("zebra", "<unk>", "<s>", "</s>"))


@needs_kenlm
def test_kenlm_reads_plain_files(tmp_path: Path) -> None:
    plain = tmp_path / "model.arpa"
    plain.write_bytes(gzip.decompress(_fixture().read_bytes()))
    assert KenlmModel(plain).order == 4
    words = ["the", "fox"]
    assert total(KenlmModel(plain), words) == total(KenlmModel(_fixture()), words)


@needs_kenlm
def test_kenlm_faults_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="expected a language model, found nothing"):
        KenlmModel(tmp_path / "none.arpa")
    with pytest.raises(SpeechError, match="expected a language model, found a directory"):
        KenlmModel(tmp_path)
    bad = tmp_path / "bad.arpa"
    bad.write_text("hello\n")
    with pytest.raises(SpeechError, match="KenLM cannot load it") as error:
        KenlmModel(bad)
    assert "\n" not in str(error.value)
    cut = tmp_path / "cut.arpa.gz"
    cut.write_bytes(_fixture().read_bytes()[:2000])
    with pytest.raises(SpeechError, match="damaged"):
        KenlmModel(cut)


def test_reading_either_kind_of_file(tmp_path: Path) -> None:
    words = ["the", "zebra", "saw", "the", "old", "fox"]
    expected = total(BackoffModel(read_arpa(_fixture())), words)
    from_arpa = read_language_model(_fixture())
    assert isinstance(from_arpa, NgramAutomaton)
    assert total(from_arpa, words) == pytest.approx(expected, abs=1e-5)
    from_arpa.save(tmp_path / "model.lm")
    mapped = read_language_model(tmp_path / "model.lm")
    assert isinstance(mapped, NgramAutomaton)
    assert total(mapped, words) == total(from_arpa, words)
    with pytest.raises(SpeechError, match="no such file"):
        read_language_model(tmp_path / "none")
    (tmp_path / "cut.gz").write_bytes(_fixture().read_bytes()[:5])
    with pytest.raises(SpeechError, match=r"cut\.gz: damaged"):
        read_language_model(tmp_path / "cut.gz")


@needs_kenlm
def test_kenlms_binaries_go_to_kenlm(tmp_path: Path) -> None:
    binary = tmp_path / "model.binary"
    binary.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(100))
    with pytest.raises(SpeechError, match="KenLM cannot load it"):
        read_language_model(binary)


def test_perplexity_counts_words_outside_the_vocabulary() -> None:
    kenlm = pytest.importorskip("kenlm")
    path = _fixture()
    lines = ["the zebra saw the old fox", "", "a child followed her dog"]
    ours = perplexity(BackoffModel(read_arpa(path)), lines)
    assert (ours.sentences, ours.words, ours.oov) == (3, 11, 1)
    assert ours.oov_rate == pytest.approx(1 / 11)
    with gzip.open(path) as file:
        plain = file.read()
    peer = _kenlm_scores(kenlm, plain, lines)
    known = [log10 for log10, oov in peer if not oov]
    every = [log10 for log10, _ in peer]
    assert ours.perplexity == pytest.approx(10 ** -(sum(known) / len(known)), rel=1e-5)
    assert ours.perplexity_with_oov == pytest.approx(10 ** -(sum(every) / len(every)), rel=1e-5)


def _kenlm_scores(kenlm, arpa: bytes, lines: list[str]) -> list[tuple[float, bool]]:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".arpa") as file:
        file.write(arpa)
        file.flush()
        model = kenlm.Model(file.name)
    return [(log10, oov) for line in lines for log10, _, oov in model.full_scores(line)]


def test_without_kenlm_one_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kenlm", None)
    path = tmp_path / "model.binary"
    path.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(100))
    for read in (read_language_model, KenlmModel):
        with pytest.raises(UsageError, match=r"needs KenLM: pip install 'recognizer\[kenlm\]'$"):
            read(path)
