"""Words and phrases with a bonus: recognised in both passes, one clear line if wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

import toy
from recognizer import NewWord, Phrase, Recognizer, SpeechError, UsageError, read_phrases
from recognizer.model.config import FirstPassOptions


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


def test_a_phrase_decides_between_homophones(toy_recognizer):
    # "right" and "write" sound alike, and "right" is likelier after "go".
    samples = toy.whistle("go write left")
    assert toy_recognizer.recognize(samples).text == "go right left"
    boosted = toy_recognizer.adapted(boost=[Phrase(("go", "write"), 6.0)])
    assert boosted.recognize(samples).text == "go write left"
    # Only where the phrase is whole.
    assert boosted.recognize(toy.whistle("left write")).text == "left right"


def test_the_bonus_counts_in_both_passes_once(toy_recognizer):
    samples = toy.whistle("go left left stop")
    plain = toy_recognizer.recognize(samples)
    boost = [Phrase(("left",), 0.5), Phrase(("left", "stop"), 0.25), Phrase(("stop", "go"), 9.0)]
    boosted = toy_recognizer.adapted(boost=boost).recognize(samples)
    assert boosted.text == plain.text
    for name in ("first_pass", "rescored"):
        gain = getattr(boosted, name).graph_log_prob - getattr(plain, name).graph_log_prob
        assert gain == pytest.approx(2 * 0.5 + 0.25, abs=1e-3), name


def test_the_default_grows_with_the_words():
    assert Phrase(("a", "b")).log_weight == 2 * Phrase(("a",)).log_weight > 0


def test_phrases_go_with_new_words(toy_recognizer):
    words = [NewWord("Tow", ("T", "OW"), weight=1000.0)]
    boosted = toy_recognizer.adapted(words=words, boost=[Phrase(("Tow", "write"), 8.0)])
    samples = toy.whistle("Tow write", words={**toy.WORDS, "Tow": "T OW"})
    assert boosted.recognize(samples).text == "Tow write"


def test_words_that_nobody_can_pronounce_are_named(toy_recognizer, tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_text("go left\ngo zzz\n")
    with pytest.raises(SpeechError, match=r":2: word 'zzz': found no pronunciation"):
        toy_recognizer.adapted(boost=read_phrases(path))


def test_a_file_has_phrases_and_bonuses(tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_text("go left\n\n right  now \t-1.5\nstop\t\n")
    assert read_phrases(path) == (
        Phrase(("go", "left")),
        Phrase(("right", "now"), -1.5),
        Phrase(("stop",)),
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("go\tmuch", r":2: expected a finite bonus, found 'much'"),
        ("go\tinf", r":2: expected a finite bonus, found inf"),
        ("\t2.0", r":2: expected at least one word"),
        ("go\t1\t2", r":2: expected at most 2 columns, found 3"),
    ],
)
def test_wrong_lines_are_named(line, message, tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_text(f"stop\n{line}\n")
    with pytest.raises(SpeechError, match=message):
        read_phrases(path)


def test_a_model_with_a_static_graph_is_refused(tmp_path: Path):
    model = toy.build(tmp_path / "static", FirstPassOptions("static", "epsilon"))
    with pytest.raises(UsageError, match=r"searches on the fly, to boost phrases.*static graph"):
        Recognizer(model, boost=["go left"])


def test_the_command_takes_a_file(command, toy_model, whistled, tmp_path):
    phrases = tmp_path / "phrases.txt"
    phrases.write_text("go write\t6\n")
    audio = whistled("go write left")
    assert soundfile.info(audio).frames > 0
    ran = command("recognize", audio, "--model", toy_model, "--boost", phrases)
    assert (ran.code, ran.out, ran.err) == (0, "go write left\n", "")


def test_streams_side_by_side_have_the_bonuses_of_whole_recordings(toy_recognizer):
    boosted = toy_recognizer.adapted(boost=[Phrase(("go", "write"), 6.0), "stop now"])
    texts = ["go write left", "stop now go write", "right now"]
    samples = [toy.whistle(text) for text in texts]
    streams = [boosted.stream() for _ in texts]
    for first in range(0, max(map(len, samples)), 1600):  # in turn
        for stream, one in zip(streams, samples, strict=True):
            stream.accept(one[first : first + 1600], toy.RATE)
    for stream, one in zip(streams, samples, strict=True):
        final = stream.finish()[-1]
        assert final.result == boosted.recognize(one)
    assert boosted.recognize(samples[0]).text == "go write left"
