"""Results with readable words: which words they stand for, and in every format."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pysubs2
import pytest

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.text.tags import MARKS
from recognizer.formats.names import FORMATS
from recognizer.formats.recordings import Recording
from recognizer.formats.writing import formatted
from recognizer.lm.tagging.options import TaggerOptions
from recognizer.lm.tagging.tagger_file import TaggerFile, write_tagger
from recognizer.lm.tagging.vocabulary import UNKNOWN, TaggerVocabulary
from recognizer.readable.writer import TAGGER, ReadableWriter, check_readable, shipped_writer
from recognizer.recognition.result import Hypothesis, Result, TranscriptSegment, Word

NOTHING = Hypothesis((), 0.0, 0.0)
SAID = ("we", "saw", "twenty", "five", "birds"), (), ("did", "tom", "see", "them")
TALK = Recording("talk.wav", "talk", alone=True)


def words(text: tuple[str, ...], start: float) -> tuple[Word, ...]:
    return tuple(
        Word(word, start + n, start + n + 0.5, 0.9 - 0.1 * n) for n, word in enumerate(text)
    )


def result() -> Result:
    segments = tuple(
        TranscriptSegment(10.0 * n, 10.0 * n + 9, words(text, 10.0 * n))
        for n, text in enumerate(SAID)
    )
    whole = tuple(word for one in segments for word in one.words)
    return Result(whole, 30.0, 100, NOTHING, NOTHING, segments=segments)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> ReadableWriter:
    """Knows by heart which mark follows which word, and that Tom has a capital letter."""
    vocabulary = TaggerVocabulary((UNKNOWN, "birds", "them", "tom", "saw"), (UNKNOWN,))
    options = TaggerOptions(width=5, units=5, layers=1)
    tensors = {
        name: np.zeros(shape, np.float32)
        for name, shape in options.shapes(len(vocabulary.words), 1).items()
    }
    tensors["words.weight"] = np.eye(5, dtype=np.float32)
    tensors["gru.weight_ih_l0"][10:] = 9 * np.eye(5)
    tensors["output.bias"][[0, len(MARKS)]] = 0.2
    for word, output in ((1, "."), (2, "?"), (4, ",")):
        tensors["output.weight"][MARKS.index(output), word] = 2.0
    tensors["output.weight"][len(MARKS) + 1, 3] = 2.0
    # Half of a unit stays from a word to the next one, where it must not matter any more.
    tensors["gru.bias_ih_l0"][5:10] = -9.0
    path = tmp_path_factory.mktemp("tagger") / "tagger.safetensors"
    write_tagger(TaggerFile(options, vocabulary, tensors), path)
    return ReadableWriter(path)


def test_a_written_word_lasts_as_long_as_the_words_that_it_stands_for(writer):
    found = writer.result(result())
    assert found.display_text == "We saw, 25 birds. Did Tom see them?"
    assert [one.display_text for one in found.segments] == [
        "We saw, 25 birds.", "", "Did Tom see them?"
    ]  # fmt: skip
    number = found.readable[2]
    assert (number.start, number.end, number.confidence) == (2.0, 3.5, pytest.approx(0.6))
    assert sum((one.readable for one in found.segments), ()) == found.readable
    # All else is as before.
    segments = tuple(replace(one, readable=None) for one in found.segments)
    assert replace(found, readable=None, segments=segments) == result()
    assert writer.result(replace(result(), segments=())).readable == found.readable


def test_the_utterance_before_says_whether_a_sentence_begins(writer):
    assert writer.text(["did", "they"]) == "Did they"
    assert writer.text(["did", "they"], ["we", "saw"]) == "did they"
    assert writer.text(["did", "they"], ["the", "birds"]) == "Did they"
    assert writer.text([]) == ""
    second = replace(result(), words=words(SAID[2], 0.0), segments=())
    assert writer.result(second, ["saw"]).display_text == "did Tom see them?"


def test_every_format_has_it(writer):
    plain, found = result(), writer.result(result())
    shown = {form: formatted(form, TALK, found) for form in FORMATS}
    assert shown["text"] == "We saw, 25 birds. Did Tom see them?\n"
    assert shown["txt"] == "We saw, 25 birds.\nDid Tom see them?\n"
    assert shown["tsv"].splitlines()[1:] == [
        "0\t9000\tWe saw, 25 birds.", "20000\t29000\tDid Tom see them?"
    ]  # fmt: skip
    for form in ("srt", "vtt"):
        texts = [event.plaintext for event in pysubs2.SSAFile.from_string(shown[form], form)]
        assert " ".join(" ".join(texts).split()) == found.display_text
    assert shown["ctm"] == formatted("ctm", TALK, plain)
    fields, before = json.loads(shown["json"]), json.loads(formatted("json", TALK, plain))
    assert fields.pop("readable") == found.display_text
    assert [one.pop("readable") for one in fields["segments"]] == [
        one.display_text for one in found.segments
    ]
    assert fields == before


def test_the_shipped_tagger_is_small_and_writes_sentences():
    assert TAGGER.stat().st_size < 1_500_000
    text = "what is your name my name is tom and i come from boston"
    found = shipped_writer().text(text.split())
    assert found.startswith("What is your name? My name is Tom")
    assert found.endswith("I come from Boston.")
    assert re.sub("[^a-z ]", "", found.lower()) == text


def test_reading_it_needs_no_torch():
    program = (
        "import sys; from recognizer.readable.writer import shipped_writer;"
        "shipped_writer().text(['go']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_what_it_cannot_do_is_said(tmp_path):
    check_readable("english", "m")
    with pytest.raises(UsageError, match="text rules english, found turkish in m"):
        check_readable("turkish", "m")
    with pytest.raises(SpeechError, match="found nothing"):
        ReadableWriter(tmp_path / "none")
