"""Model directories of networks that spell: recognition, streams, and what they do not have."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
import toy_ctc
from recognizer.am.nnet.ctc import PRUNED, CtcPruning, greedy_tokens
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.nnet.recurrent import RnnOptions
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.text.characters import CharacterSet
from recognizer.decoding.ctc.labels import CtcLabels
from recognizer.decoding.lattice.lattice import BestPath
from recognizer.keywords.indexing import index_corpus
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.config import AcousticConfig, ModelConfig
from recognizer.model.ctc import ctc_config
from recognizer.model.files import (
    ACOUSTIC,
    CHARACTERS,
    FIRST_PASS,
    RESCORING,
    TL,
    TLG,
    TREE,
)
from recognizer.model.static import STATIC, make_static
from recognizer.model.summary import network_summary
from recognizer.recognizer import Recognizer
from recognizer.streaming.events import Final

TEXTS = ("go left", "now write", "stop", "right now go stop")


@pytest.fixture(scope="module", params=["on-the-fly", "static"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    directory = tmp_path_factory.mktemp("ctc") / "model"
    return toy_ctc.build(directory, toy.ON_THE_FLY if request.param == "on-the-fly" else STATIC)


@pytest.fixture
def model(bundle: ModelBundle, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(bundle.path, tmp_path / "model"))


def test_a_whole_model_passes_the_check(bundle: ModelBundle) -> None:
    bundle.check()
    graph = TLG if bundle.config.first_pass.search == "static" else TL
    assert set(bundle.config.files) == {ACOUSTIC, CHARACTERS, FIRST_PASS, RESCORING, graph}
    assert bundle.config.acoustic == AcousticConfig(kind="ctc", priors="none", output_delay=0)
    assert bundle.characters == toy_ctc.SPELLING
    assert bundle.acoustic_model.num_outputs == len(toy_ctc.SPELLING.characters) + 1
    first, second = network_summary(bundle)
    assert "14 characters and the blank every 10 ms" in first
    assert second.startswith("no tree, no phones, no transitions")


@pytest.mark.parametrize("text", TEXTS)
def test_words_and_times(bundle: ModelBundle, text: str) -> None:
    samples = toy_ctc.whistle(text)
    recognizer = Recognizer(bundle)
    result = recognizer.recognize_samples(samples)
    assert result.complete and result.text == text
    assert [word.start for word in result.words] == pytest.approx(
        toy_ctc.word_starts(text), abs=0.04
    )
    for word in result.words:
        assert word.end - word.start == pytest.approx(0.1 * len(word.word), abs=0.06)
        assert 0.5 < word.confidence <= 1
    greedy = greedy_tokens(recognizer.acoustic_scores(samples))
    assert toy_ctc.SPELLING.decode(greedy.tokens.tolist()) == text


def test_a_stream_ends_with_the_words_of_the_whole(bundle: ModelBundle) -> None:
    samples = toy_ctc.whistle(TEXTS[3])
    recognizer = Recognizer(bundle)
    with recognizer.stream(endpointing=None) as stream:
        events = []
        for begin in range(0, len(samples), 3001):
            events += stream.accept(samples[begin : begin + 3001], 16000)
        events += stream.finish()
    (final,) = [event for event in events if isinstance(event, Final)]
    assert final.result.words == recognizer.recognize_samples(samples).words


def test_a_static_variant(bundle: ModelBundle, tmp_path: Path) -> None:
    static = make_static(bundle.path, tmp_path / "static")
    assert TLG in static.config.files and TL not in static.config.files
    samples = toy_ctc.whistle(TEXTS[1])
    assert Recognizer(static).recognize_samples(samples).text == TEXTS[1]


def test_keywords_are_indexed_where_they_are(bundle: ModelBundle, tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    soundfile.write(path, toy_ctc.whistle(TEXTS[3]), 16000)
    index = index_corpus([Utterance("one", path, "someone", "")], Recognizer(bundle))
    starts = zip(TEXTS[3].split(), toy_ctc.word_starts(TEXTS[3]), strict=True)
    for word, start in starts:
        postings = index.postings_of(index.symbols.index(word))
        assert np.abs(0.01 * postings.begins - start).min() < 0.04


def test_pruning_leaves_the_words(bundle: ModelBundle, model: Path) -> None:
    acoustic = replace(bundle.config.acoustic, pruning=CtcPruning(most=5))
    pruned = Recognizer(write_config(model, replace(bundle.config, acoustic=acoustic)))
    assert pruned.bundle.config.acoustic.pruning == CtcPruning(0.99, 5)
    samples = toy_ctc.whistle(TEXTS[0])
    scores = pruned.acoustic_scores(samples)
    assert ((scores > PRUNED).sum(1) <= 5).all() and (scores <= PRUNED).any()
    assert pruned.recognize_samples(samples).text == TEXTS[0]


def test_what_only_hybrid_models_have_is_refused(bundle: ModelBundle) -> None:
    for part, name in (
        ("tree", "a decision tree"), ("phones", "phones"), ("transitions", "transitions"),
        ("lexicon", "a lexicon"), ("pronouncer", "a lexicon"),
    ):  # fmt: skip
        message = f"expected a model of acoustic kind 'hybrid', which has {name}, found .* 'ctc'$"
        with pytest.raises(UsageError, match=message):
            getattr(bundle, part)
    with pytest.raises(UsageError, match="acoustic kind 'hybrid', which has"):
        Recognizer(bundle).adapted(words=["newword"])


def test_a_hybrid_model_has_no_characters(toy_model: Path) -> None:
    with pytest.raises(UsageError, match=r"kind 'ctc', which has characters, found .* 'hybrid'$"):
        assert ModelBundle(toy_model).characters


def test_parts_of_the_other_kind(model: Path, toy_model: Path) -> None:
    config = ModelBundle(model).config
    hybrid = replace(config, acoustic=replace(config.acoustic, kind="hybrid"))
    with pytest.raises(SpeechError, match="expected a file of the model, found none"):
        write_config(model, hybrid)
    shutil.copyfile(toy_model / TREE, model / TREE)
    text = (model / "model.toml").read_text()
    record = f'\n[files."{TREE}"]\nsize = {(model / TREE).stat().st_size}\nsha256 = ""\n'
    (model / "model.toml").write_text(text + record)
    with pytest.raises(SpeechError, match=r"unknown key 'tree.json' in a model of kind 'ctc'"):
        ModelBundle(model)


def test_parts_that_do_not_fit(model: Path) -> None:
    bundle = ModelBundle(model)
    fewer = CharacterSet(bundle.characters.characters[:-1])
    fewer.write(model / CHARACTERS)
    changed = write_config(model, bundle.config)
    with pytest.raises(SpeechError, match=r"outputs: expected 14, as in characters.txt, found 15"):
        assert changed.network
    with pytest.raises(SpeechError, match=r"the 27 labels of characters.txt with their pdfs"):
        assert changed.graph


def test_options_that_do_not_fit() -> None:
    ctc = AcousticConfig(kind="ctc", priors="none")
    with pytest.raises(UsageError, match="priors: expected 'none' of kind 'ctc', found 'labels'"):
        AcousticConfig(kind="ctc")
    with pytest.raises(UsageError, match="units: expected 'words' in a model of acoustic kind"):
        ModelConfig(name="x", language="x", licence="x", acoustic=ctc, units="pieces")
    with pytest.raises(UsageError, match="pruning: expected none of kind 'hybrid', found one"):
        AcousticConfig(pruning=CtcPruning())
    config = toy_ctc.config()
    with pytest.raises(UsageError, match="aligner: expected none in a model of acoustic kind"):
        replace(config, acoustic=ctc, aligner=config.recognition)


def test_networks_that_do_not_fit() -> None:
    with pytest.raises(SpeechError, match="expected 3 outputs, the blank and 2 characters, found"):
        ctc_config(toy_ctc.config(), toy_ctc.network().options, CharacterSet(("a", "b")))
    both = NetworkShape(kind="layered", layers=(RnnOptions(units=3, bidirectional=True),))
    with pytest.raises(UsageError, match="expected a layer of one direction"):
        options = NetworkOptions.of(both, toy_ctc.SPELLING.num_outputs, 40)
        ctc_config(toy_ctc.config(), options, toy_ctc.SPELLING)


# Times


LABELS = CtcLabels(CharacterSet(tuple(" abc")))


def path(outputs: list[int], *words: str, complete: bool = True) -> BestPath:
    tids = np.array(outputs, np.int32) + 1
    return BestPath(words, np.zeros(len(words), np.int32), tids, 0.0, 0.0, complete)


def test_times_of_words() -> None:
    """1 is the space; "a" is 2."""
    said = path([0, 2, 2, 3, 0, 1, 0, 2, 0, 2, 2, 0], "ab", "aa")
    assert LABELS.word_times(said) == (("ab", 1, 4), ("aa", 7, 11))
    assert LABELS.word_times(path([0, 0])) == ()
    assert LABELS.silence_outputs == {0, 1} and LABELS.num_outputs == 5
    # Of "a", "b", "c" where they begin a word; the space is 1 + 1, and no word's beginning.
    assert LABELS.boundaries.begins.tolist() == [7, 8, 9]
    assert LABELS.boundaries.pauses.tolist() == [2, 6]
    unspaced = CtcLabels(CharacterSet(("a", "b")))
    assert unspaced.word_times(path([1, 2, 2, 1], "ab", "a")) == (("ab", 0, 3), ("a", 3, 4))


def test_times_of_words_that_are_cut_off() -> None:
    """The graph may give a word before it is said, or only with its last character."""
    cut = path([2, 0, 1, 3, 3], "a", "bc", complete=False)
    assert LABELS.word_times(cut) == (("a", 0, 1), ("bc", 3, 5))
    assert LABELS.word_times(path([2, 1, 0], "a", "bc", complete=False))[1] == ("bc", 3, 3)
    assert LABELS.word_times(path([2, 1, 3], "a", complete=False)) == (("a", 0, 1),)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (path([2, 3], "ac"), "expected the characters of 'ac' after 0 words, found 'ab'"),
        (path([2, 3], "ab", "c"), "expected the characters of 'c' after 1 words, found ''"),
        (path([2, 3], "a"), "expected 1 characters of 1 words, found 2"),
        (path([3], "a", complete=False), "expected the characters of 'a' after 0 words"),
    ],
)
def test_paths_of_other_words(said: BestPath, message: str) -> None:
    with pytest.raises(SpeechError, match=message):
        LABELS.word_times(said)
