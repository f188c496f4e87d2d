"""The Python interface: samples in every form, both passes, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import recognizer
import toy
from recognizer import Recognizer, RescoringOptions
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.paths import n_best
from recognizer.decoding.rescoring.rescore import Rescorer


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


SENTENCES = ["go left", "stop", "left left go", "now", "right now", "now write", ""] * 3


def test_every_kind_of_first_pass_finds_the_exact_words(any_toy_model):
    recogniser = Recognizer(any_toy_model)
    for text in SENTENCES[:7]:
        result = recogniser.recognize(toy.whistle(text))
        assert result.text == text
        assert result.complete
        # In the rescored lattice, costs are the same again for what was best.
        assert [word.word for word in result.words] == list(result.rescored.words)


def test_exact_backoff_takes_out_what_it_put_in(toy_model):
    """Rescored by the same model, at scale one, the graph costs are what they were."""
    recogniser = Recognizer(toy_model, rescoring=RescoringOptions())
    lattice = recogniser.first_pass(recogniser.acoustic_scores(toy.whistle("go right now")))
    bundle = recogniser.bundle
    same = Rescorer(bundle.first_pass_scores, bundle.first_pass_lm, bundle.graph.words)
    rescored = same.rescore(lattice, recogniser.search.acoustic_scale)
    first = recogniser.first_best(lattice)
    assert rescored.best.words == first.words
    assert rescored.best.graph_cost == pytest.approx(first.graph_cost, abs=1e-4)


def test_confidences_are_probabilities(toy_recognizer):
    """Homophones share what is sure together."""
    result = toy_recognizer.recognize(toy.whistle("go now write"))
    assert all(0.0 <= word.confidence <= 1.0 for word in result.words)
    go, now, write = (word.confidence for word in result.words)
    assert go > 0.99
    assert now > 0.99
    # "write" against "right" after "now", in the large model, and the ends that follow.
    write_probability, right_probability = 10**-0.1 * 10**-1.3, 10**-1.3 * 10**-0.7
    assert 0.5 < write < 0.999
    assert write == pytest.approx(
        write_probability / (write_probability + right_probability), abs=0.25
    )


def test_the_lattice_of_a_result_holds_what_was_chosen(toy_recognizer):
    result = toy_recognizer.recognize(toy.whistle("now write"))
    assert result.lattice is not None
    paths = list(n_best(result.lattice, toy_recognizer.search.acoustic_scale))
    assert paths[0].words == ("now", "write")
    assert ("now", "right") in [path.words for path in paths]
    assert toy_recognizer.recognize(np.zeros(10, np.float32)).lattice is None


def test_minimum_bayes_risk_has_times_too(toy_model):
    recogniser = Recognizer(toy_model, minimum_bayes_risk=True)
    result = recogniser.recognize(toy.whistle("go left stop"))
    assert result.text == "go left stop"
    for word, start in zip(result.words, toy.word_starts("go left stop"), strict=True):
        assert word.start == pytest.approx(start, abs=0.021)
        assert 0.9 < word.confidence <= 1.0
    assert recogniser.recognize(np.zeros(16000, np.float32)).words == ()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_batches_give_what_single_calls_give(toy_recognizer, threads):
    single = [toy_recognizer.recognize(toy.whistle(text)) for text in SENTENCES]
    found = list(toy_recognizer.recognize_all(map(toy.whistle, SENTENCES), threads))
    assert found == single  # words, times, confidences and scores, bit for bit
    assert [result.text for result in found] == SENTENCES


def test_an_error_in_a_batch_comes_in_its_turn(toy_recognizer, tmp_path):
    batch = [toy.whistle("go"), tmp_path / "none.wav", toy.whistle("stop")]
    found = toy_recognizer.recognize_all(batch, 2)
    assert next(found).text == "go"
    with pytest.raises(SpeechError, match="no such file"):
        next(found)
    with pytest.raises(UsageError, match="threads: expected at least 1"):
        next(toy_recognizer.recognize_all([], 0))


def test_a_path_and_samples_give_the_same(toy_recognizer, whistled):
    samples = toy.whistle("left go stop")
    from_path = toy_recognizer.recognize(whistled("left go stop", "x.wav"))
    from_floats = toy_recognizer.recognize(samples)
    from_int16 = toy_recognizer.recognize((samples * 32768).astype(np.int16), sample_rate=16000)
    assert from_path.text == from_floats.text == from_int16.text == "left go stop"
    for one, other in zip(from_path.words, from_floats.words, strict=True):
        assert (one.word, one.start, one.end) == (other.word, other.start, other.end)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-6)
    assert from_floats.duration == len(samples) / 16000
    assert from_floats.num_frames == round(len(samples) / 160)
    assert from_floats.complete


def test_samples_at_another_rate_and_in_stereo(toy_recognizer):
    samples = toy.whistle("go now", rate=44100)
    result = toy_recognizer.recognize(np.stack([samples, samples], axis=1), sample_rate=44100)
    assert result.text == "go now"


def test_rescoring_replaces_the_first_pass_language_model(toy_recognizer):
    """Only the large model knows that "write", a homophone of "right", follows "now"."""
    result = toy_recognizer.recognize(toy.whistle("now write"))
    assert result.first_pass.text == "now right"
    assert result.text == "now write"
    assert result.rescored.acoustic_log_prob == pytest.approx(
        result.first_pass.acoustic_log_prob, rel=1e-3
    )
    # log10 in the model files: now, then right after now and the end, against write and the end.
    first = -0.3 - 0.8 + -0.3 - 0.7 + -0.3 - 1.0
    second = -0.3 - 0.8 + -0.1 + -0.3 - 1.0
    difference = result.rescored.graph_log_prob - result.first_pass.graph_log_prob
    assert difference == pytest.approx((second - first) * np.log(10), abs=0.01)


def test_options_replace_those_of_the_model(toy_model):
    insertion = RescoringOptions(lm_scale=1.0, word_insertion_penalty=1000.0)
    recogniser = Recognizer(toy_model, acoustic_scale=0.2, beam=20.0, rescoring=insertion)
    assert recogniser.search.acoustic_scale == 0.2
    assert recogniser.search.beam == 20.0
    result = recogniser.recognize(toy.whistle("go left"))
    assert len(result.words) <= len(result.first_pass.words)


def test_threads_share_one_recogniser(toy_recognizer):
    sentences = ["go left", "stop", "left left go", "now", "right now"] * 4
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda text: toy_recognizer.recognize(toy.whistle(text)).text, sentences)
    assert list(found) == sentences


def test_silence_and_next_to_nothing(toy_recognizer):
    for length in (1, 79, 800, 16000):
        result = toy_recognizer.recognize(np.zeros(length, np.float32))
        assert (result.text, result.words) == ("", ())


def test_impossible_arguments(toy_recognizer, tmp_path):
    with pytest.raises(UsageError, match="expected none for a file"):
        toy_recognizer.recognize("a.wav", sample_rate=16000)
    with pytest.raises(SpeechError, match="no such file"):
        toy_recognizer.recognize(tmp_path / "a.wav")
    with pytest.raises(SpeechError, match="not numbers"):
        toy_recognizer.recognize(np.full(16000, np.nan))
    with pytest.raises(UsageError, match="lm_scale: expected a finite number >= 0"):
        RescoringOptions(lm_scale=-1.0)


def test_public_names_are_there_and_no_others():
    for name in recognizer.__all__:
        assert getattr(recognizer, name).__name__ == name
        assert name in dir(recognizer)
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        _ = recognizer.Recogniser  # type: ignore[attr-defined]
