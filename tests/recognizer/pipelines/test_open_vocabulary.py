"""Pieces of words: what no word list holds comes out spelled, with its times.

The toy language is whistled letter by letter (see `toy`): every letter is a tone. Pieces are found
in a small text, two language models of pieces are estimated from it, and words that the text lacks
are recognised.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import toy
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import monophone_tree
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.graphemes import graphemic_lexicon
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.lattice.mbr import confidences
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search.search import SearchOptions
from recognizer.evaluation.evaluate import evaluate
from recognizer.formats.ctm import ctm
from recognizer.formats.json_line import json_line
from recognizer.formats.recordings import Recording
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.text.vocabulary import count_words
from recognizer.lm.units.pieces import MARK, PieceOptions, begins_word, train_pieces
from recognizer.model import bundle, files
from recognizer.model.config import FirstPassOptions
from recognizer.model.first_pass_graph import first_pass_graph
from recognizer.recognizer import Recognizer

pytest.importorskip("sentencepiece")

TEXT = """
go on then
he went west
no one goes to the nest
so now he goes on
then one went on to the west
the one to go went on
he goes on so go now
"""
LETTERS = sorted(set(TEXT) - set(" \n"))
BINS = {letter: 5 + 4 * index for index, letter in enumerate(LETTERS)}
UNHEARD = ("ghost", "ten", "those", "hens", "shown", "o", "gents", "toes")
"""Words of the text's letters that it lacks."""


class Spelled(dict[str, str]):
    """Any word's letters."""

    def __missing__(self, word: str) -> str:
        return " ".join(word)


def whistle(text: str) -> np.ndarray:
    return toy.whistle(text, words=Spelled(), bins=BINS)


def build(
    directory: Path, first_pass: FirstPassOptions = toy.ON_THE_FLY, script: Mapping[int, str] = {}
) -> Path:
    """A model directory with pieces for words, from nothing but the text and the letters' tones.

    Args:
        directory: is made.
        first_pass: kind of search.
        script: other letters in place of the text's (`str.translate`).
    """
    directory.mkdir()
    lines = TEXT.translate(script).strip().splitlines()
    counts = count_words(lines)
    pieces = train_pieces(
        counts, directory.with_suffix(".pieces"), PieceOptions(size=30, algorithm="bpe")
    )
    vocabulary = pieces.vocabulary(counts)
    lexicon = graphemic_lexicon(vocabulary).lexicon
    phones = PhoneTable.from_base(lexicon.phones)
    topology = Topology.standard(phones)
    tree = monophone_tree(phones, topology)
    transitions = TransitionModel(topology, phones, tree.tuples())
    models = []
    for order in (2, 4):
        options = EstimateOptions(order=order, discount_fallback=(0.5, 1.0, 1.5))
        estimated = estimate_ngrams(pieces.segment_all(lines), vocabulary, options)
        models.append(NgramAutomaton.from_model(estimated.model))
    models[0].save(directory / files.FIRST_PASS)
    models[1].compact().save(directory / files.RESCORING)
    graph = first_pass_graph(
        lexicon, phones, tree, transitions, models[0], first_pass, GraphOptions()
    )
    lexicon.write(directory / files.LEXICON)
    phones.write(directory / files.PHONES)
    tree.write(directory / files.TREE)
    transitions.write(directory / files.TRANSITIONS)
    graph.save(directory / files.graph_file(first_pass))
    bins = {letter.translate(script): mel_bin for letter, mel_bin in BINS.items()}
    toy.write_network(toy.network(phones, tree, transitions, bins), directory / files.ACOUSTIC)
    # The acoustic scores count more than the language model of a small text.
    search = SearchOptions(acoustic_scale=1.0, beam=40.0)
    text_rules = "unicode" if script else "english"
    config = replace(toy.config(first_pass), units="pieces", search=search, text_rules=text_rules)
    bundle.write_config(directory, config)
    return directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("open") / "model")


@pytest.fixture(scope="module")
def recognizer(directory: Path) -> Recognizer:
    return Recognizer(directory)


@pytest.mark.parametrize(
    "text",
    ["go on then", "the ghost went on", "he goes so hens go", "o those gents", " ".join(UNHEARD)],
)
def test_words_outside_the_text_come_out_spelled(recognizer: Recognizer, text: str) -> None:
    assert not set(UNHEARD) & set(TEXT.split())
    result = recognizer.recognize_samples(whistle(text))
    assert result.text == text == result.rescored.text == result.first_pass.text
    assert result.complete


def test_a_static_graph_finds_the_same(recognizer: Recognizer, tmp_path: Path) -> None:
    static = Recognizer(build(tmp_path / "model", FirstPassOptions("static", "epsilon")))
    samples = whistle("the ghost went on")
    found = static.recognize_samples(samples)
    assert found.text == "the ghost went on"
    expected = recognizer.recognize_samples(samples).first_pass
    assert found.first_pass.graph_log_prob == pytest.approx(expected.graph_log_prob, abs=1e-2)


@pytest.mark.parametrize("minimum_bayes_risk", [False, True])
def test_words_have_times_and_confidences(directory: Path, minimum_bayes_risk: bool) -> None:
    text = "the ghost went on those toes"
    recognizer = Recognizer(directory, minimum_bayes_risk=minimum_bayes_risk)
    result = recognizer.recognize_samples(whistle(text))
    starts = toy.word_starts(text, words=Spelled())
    assert [word.word for word in result.words] == text.split()
    for word, start in zip(result.words, starts, strict=True):
        end = start + toy.PHONE_SECONDS * len(word.word)
        assert word.start == pytest.approx(start, abs=0.03)
        assert word.end == pytest.approx(end, abs=0.03)
        assert 0.5 < word.confidence <= 1.0 + 1e-6
    recording = Recording("a.wav", "a", alone=True)
    assert json.loads(json_line(recording, result))["text"] == text
    assert [line.split()[4] for line in ctm(recording, result).splitlines()] == text.split()


def test_a_word_is_no_surer_than_its_pieces(recognizer: Recognizer) -> None:
    found = recognizer.first_pass(recognizer.acoustic_scores(whistle("ghost")))
    rescored = recognizer.second_pass(found)
    scale = 0.05  # much may have been said
    words = recognizer.words(rescored, confidence_scale=scale)
    pieces = confidences(
        rescored.lattice, rescored.best, recognizer.search.acoustic_scale * scale, scale
    ).confidences
    assert len(pieces) > 1
    assert [word.confidence for word in words] == [min(pieces)]


def test_audio_that_ends_within_a_word(recognizer: Recognizer) -> None:
    samples = whistle("the ghost")
    result = recognizer.recognize_samples(samples[: int(0.93 * toy.RATE)])
    first, _ = result.words
    assert first.word == "the"
    assert result.words[1].end == pytest.approx(0.93, abs=0.01)


def test_any_script(tmp_path: Path) -> None:
    script = str.maketrans("eghnostw", "егхноств")
    model = build(tmp_path / "model", script=script)
    text = "the ghost went on"
    soundfile.write(tmp_path / "a.wav", whistle(text), toy.RATE)
    spoken = text.translate(script)
    heard = Utterance("a", tmp_path / "a.wav", "s", f"{spoken.upper()}!")
    evaluation = evaluate(Corpus("cyrillic", (heard,)), model)
    assert evaluation.rescored.words == 4
    assert evaluation.rescored.errors == 0
    assert evaluation.scores[0].rescored == tuple(spoken.split())


def test_lattices_hold_pieces(recognizer: Recognizer) -> None:
    result = recognizer.recognize_samples(whistle("ten toes"))
    assert result.lattice is not None
    path = best_path(result.lattice, recognizer.search.acoustic_scale)
    assert sum(map(begins_word, path.words)) == 2
    assert "".join(path.words) == f"{MARK}ten{MARK}toes"


def test_any_words_align_with_their_letters(directory: Path, tmp_path: Path, command) -> None:
    text = "ghost shown toes"
    data = tmp_path / "data"
    data.mkdir()
    soundfile.write(data / "a.wav", whistle(text), toy.RATE)
    (data / "wav.scp").write_text("a a.wav\n")
    (data / "text").write_text(f"a {text.upper()}\n")
    (data / "utt2spk").write_text("a a\n")
    target = tmp_path / "aligned"
    ran = command("recognizer", "align", data, "--model", directory, "--output-dir", target)
    assert ran.code == 0, ran.err
    assert "1 of 1 utterances aligned; 0 words outside the lexicon" in ran.err
    lines = [line.split() for line in (target / "words.ctm").read_text().splitlines()]
    assert [fields[4] for fields in lines] == text.split()
    starts = [float(fields[2]) for fields in lines]
    assert starts == pytest.approx(toy.word_starts(text, words=Spelled()), abs=0.03)
    phones = [line.split()[4] for line in (target / "phones.ctm").read_text().splitlines()]
    assert [phone for phone in phones if phone != "SIL"] == list(text.replace(" ", ""))


def test_the_bundle_says_what_its_units_are(directory: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(directory, broken)
    config = files.read_config(broken)
    assert config.units == "pieces"
    bundle.ModelBundle(broken).check()
    bundle.write_config(broken, replace(config, units="words"))
    with pytest.raises(SpeechError, match="units: expected words as in"):
        Recognizer(broken)
    text = (broken / "model.toml").read_text()
    (broken / "model.toml").write_text(text.replace('units = "words"', 'units = "letters"'))
    with pytest.raises(SpeechError, match="units: expected 'words' or 'pieces', found 'letters'"):
        Recognizer(broken)
