"""Words at run time: recognised with times, scored by their classes, one clear line if wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import toy
from recognizer import (
    Adaptation,
    NewWord,
    Recognizer,
    SpeechError,
    StreamGroup,
    UsageError,
    read_words,
)
from recognizer.model.config import FirstPassOptions

# Phones of the toy language, in words that it does not have.
NEW: Mapping[str, str] = {"Tow": "T OW", "Sawtay": "S AA T AY", "ow": "OW", "goer": "G OW R"}
ALL = {**toy.WORDS, **NEW}


def new_words(*words: str, like: str | None = None, weight: float = 50_000.0) -> list[NewWord]:
    """The toy model's <unk> is even less likely than that of a real one."""
    return [NewWord(word, tuple(NEW[word].split()), like, weight) for word in words]


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


@pytest.mark.parametrize(
    "text", ["Tow", "go Tow left", "Sawtay Sawtay", "left Tow", "goer go goer", "ow ow stop"]
)
@pytest.mark.parametrize("mbr", [False, True])
def test_new_words_are_recognized_with_their_times(toy_model, text, mbr):
    recognizer = Recognizer(toy_model, words=new_words(*NEW), minimum_bayes_risk=mbr)
    result = recognizer.recognize(toy.whistle(text, words=ALL))
    assert result.text == text
    assert result.complete
    for word, start in zip(result.words, toy.word_starts(text, ALL), strict=True):
        length = toy.PHONE_SECONDS * len(ALL[word.word].split())
        assert (word.start, word.end) == pytest.approx((start, start + length), abs=0.021)
        assert 0.5 < word.confidence <= 1.0


def test_recordings_of_one_model_have_words_of_their_own(toy_recognizer):
    samples = toy.whistle("go Tow left", words=ALL)
    first = toy_recognizer.adapted(words=new_words("Tow"))
    second = toy_recognizer.adapted(words=new_words("Sawtay"))
    before = toy_recognizer.recognize(samples)
    assert "Tow" not in before.text
    assert first.recognize(samples).text == "go Tow left"
    assert "Tow" not in second.recognize(samples).text
    assert second.recognize(toy.whistle("Sawtay", words=ALL)).text == "Sawtay"
    assert toy_recognizer.recognize(samples) == before


def test_streams_have_the_words_too(toy_recognizer):
    samples = toy.whistle("left Sawtay", words=ALL)
    with StreamGroup(toy_recognizer) as group:
        streams = [
            toy_recognizer.stream(words=new_words("Sawtay")),
            toy_recognizer.stream(adaptation=Adaptation(words=new_words("Sawtay"))),
            group.stream(words=new_words("Sawtay")),
            group.stream(),  # streams of one group have different words
        ]
        texts = [[*one.accept(samples, toy.RATE), *one.finish()][-1].text for one in streams]
    assert texts[:3] == ["left Sawtay"] * 3
    assert "Sawtay" not in texts[3]


def test_words_that_the_model_has_already_change_nothing(toy_recognizer):
    samples = toy.whistle("now write stop")
    adapted = toy_recognizer.adapted(words=["stop", "Now"])
    assert adapted.decoder.graph is toy_recognizer.decoder.graph
    assert adapted.recognize(samples) == toy_recognizer.recognize(samples)


def test_without_words_nothing_is_different(toy_recognizer):
    samples = toy.whistle("now write stop")
    assert toy_recognizer.adapted(words=[]).recognize(samples) == toy_recognizer.recognize(samples)


def test_a_weight_counts_in_both_passes_once(toy_recognizer):
    samples = toy.whistle("go Tow", words=ALL)
    plain = toy_recognizer.adapted(words=new_words("Tow")).recognize(samples)
    heavier = toy_recognizer.adapted(words=new_words("Tow", weight=1_000_000.0)).recognize(samples)
    for name in ("first_pass", "rescored"):
        one, other = getattr(plain, name), getattr(heavier, name)
        assert one.words == other.words == ("go", "Tow")
        gain = other.graph_log_prob - one.graph_log_prob
        assert gain == pytest.approx(2.9957, abs=1e-3)  # log 20


def test_a_word_that_is_like_another_has_its_neighbours(toy_recognizer):
    # The large model alone knows that after "now" one writes.
    samples = toy.whistle("now Sawtay", words=ALL)
    costs = []
    for like in ("write", "left"):
        adapted = toy_recognizer.adapted(words=new_words("Sawtay", like=like, weight=1.0))
        result = adapted.recognize(samples)
        assert result.text == "now Sawtay"
        costs.append((result.first_pass.graph_log_prob, result.rescored.graph_log_prob))
    of_write, of_left = costs
    assert of_write[1] - of_write[0] > of_left[1] - of_left[0] + 1.0


def test_a_known_word_gets_one_more_pronunciation(toy_recognizer):
    samples = toy.whistle("go Sawtay", words=ALL)
    adapted = toy_recognizer.adapted(words=[NewWord("stop", tuple(NEW["Sawtay"].split()))])
    assert adapted.recognize(samples).text == "go stop"
    assert adapted.recognize(toy.whistle("go stop")).text == "go stop"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Tow\tT XX", ":2: word 'Tow': expected phones of the model .*, found 'XX'"),
        ("Tow\tT OW\tnobody", ":2: word 'Tow': expected to be like a word.*found 'nobody'"),
        ("stop\tT OW\tgo", ":2: word 'stop': expected no word that it is like"),
        ("stop\t\t\t2", ":2: word 'stop': expected no weight, for the model has the word"),
        ("zzz", ":2: word 'zzz': found no pronunciation"),
    ],
)
def test_words_that_do_not_fit_the_model_are_named(toy_recognizer, line, message, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(f"Sawtay\tS AA T AY\n{line}\n")
    with pytest.raises(SpeechError, match=message) as caught:
        toy_recognizer.adapted(words=read_words(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("two words\tT", r":2: expected one word, found 'two words'"),
        ("\tT OW", r":2: expected one word, found ''"),
        ("<unk>\tT", r":2: expected one word, found '<unk>'"),
        ("Tow\tT\t\theavy", r":2: expected a weight > 0, found 'heavy'"),
        ("Tow\tT\t\t0", r":2: word 'Tow': expected a weight > 0, found 0.0"),
        ("Tow\tT\t\tnan", r":2: word 'Tow': expected a weight > 0, found nan"),
        ("Tow\tT\t\t1\tmore", r":2: expected at most 4 columns, found 5"),
    ],
)
def test_wrong_lines_are_named(line, message, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(f"Sawtay\n{line}\n")
    with pytest.raises(SpeechError, match=message):
        read_words(path)


def test_an_empty_pronunciation_is_refused():
    with pytest.raises(UsageError, match=r"^a\.txt:3: word 'Tow': expected at least one phone"):
        NewWord("Tow", (), source="a.txt:3")


def test_a_file_has_up_to_four_columns(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("Tow\n\nSawtay\tS AA T AY\ngoer\t\tgo\t2.5\n")
    assert read_words(path) == (
        NewWord("Tow"),
        NewWord("Sawtay", ("S", "AA", "T", "AY")),
        NewWord("goer", None, "go", 2.5),
    )


def test_a_model_with_a_static_graph_is_refused(tmp_path: Path):
    model = toy.build(tmp_path / "static", FirstPassOptions("static", "epsilon"))
    with pytest.raises(UsageError, match=r"searches on the fly.*static graph"):
        Recognizer(model, words=new_words("Tow"))


def test_the_command_takes_a_file(command, toy_model, tmp_path):
    import soundfile

    audio, words = tmp_path / "a.wav", tmp_path / "words.txt"
    soundfile.write(audio, toy.whistle("go Tow left", words=ALL), toy.RATE)
    words.write_text("Tow\tT OW\t\t1000\n")
    ran = command("recognize", audio, "--model", toy_model, "--words", words)
    assert (ran.code, ran.out, ran.err) == (0, "go Tow left\n", "")
    words.write_text("Tow\tT OW\nSawtay\tS XX\n")
    ran = command("recognize", audio, "--model", toy_model, "--words", words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"{words}:2: word 'Sawtay'" in ran.err
