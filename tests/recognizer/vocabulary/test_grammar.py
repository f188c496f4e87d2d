"""Grammars at run time: what is in them is recognised, all else rejected, tags are given."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest

import toy
from recognizer import (
    Adaptation,
    Grammar,
    NewWord,
    Phrase,
    Recognizer,
    SpeechError,
    UsageError,
    read_grammar,
)
from recognizer.batch.recognition import BatchOptions
from recognizer.decoding.rescoring.rescore import RescoringOptions
from recognizer.live.display import JsonDisplay
from recognizer.long.recognition import joined
from recognizer.model.config import FirstPassOptions
from recognizer.streaming.events import Final, Partial
from recognizer.vocabulary.match import GrammarMatch

JSGF = """#JSGF V1.0;
grammar ways;
public <way> = <turn>+ [stop {end}];
<turn> = go (left {west} | write {east});
"""
LIST = "go left\ngo write left\nstop now\n"


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


@pytest.fixture(scope="module")
def ways(toy_recognizer) -> Recognizer:
    return toy_recognizer.adapted(grammar=JSGF)


@pytest.mark.parametrize(
    ("said", "tags"),
    [
        ("go left", ("west",)),
        ("go write go left stop", ("east", "west", "end")),  # not "right", which sounds alike
    ],
)
def test_sentences_of_the_grammar_have_their_words_and_tags(ways, said, tags):
    result = ways.recognize(toy.whistle(said))
    assert (result.text, result.rejected, result.tags) == (said, False, tags)
    assert [word.start for word in result.words] == pytest.approx(toy.word_starts(said), abs=0.05)
    assert all(word.confidence > 0.9 for word in result.words)


@pytest.mark.parametrize("said", ["left", "go", "go stop", "go left now", "stop go left", "now"])
def test_what_is_outside_is_rejected(ways, said):
    result = ways.recognize(toy.whistle(said))
    assert result.rejected
    assert (result.text, result.words, result.tags) == ("", (), ())
    assert result.rescored.text.replace("right", "write") == said.replace("right", "write")


def test_where_nothing_is_said_nothing_is_rejected(ways, toy_recognizer):
    pause = toy.whistle("")
    assert not ways.recognize(pause).rejected
    assert not ways.recognize(pause[:100]).rejected  # less than a frame
    empty = toy_recognizer.adapted(grammar="#JSGF V1.0; grammar g; public <s> = [go] {said};")
    assert empty.recognize(pause).tags == ("said",)
    assert empty.recognize(pause[:100]).tags == ("said",)


def test_recognisers_of_one_model_have_grammars_of_their_own(toy_recognizer):
    samples = toy.whistle("go write left")
    assert toy_recognizer.recognize(samples).text == "go right left"
    assert toy_recognizer.recognize(samples).segments[0].match is None
    assert toy_recognizer.adapted(grammar=LIST).recognize(samples).text == "go write left"
    assert toy_recognizer.adapted(grammar="go left").recognize(samples).rejected
    assert toy_recognizer.adapted().recognize(samples).text == "go right left"


def test_the_cost_of_rejection_decides(toy_recognizer):
    samples = toy.whistle("stop now")
    lenient = toy_recognizer.adapted(grammar=Grammar("stop go", rejection_cost=1000.0))
    assert lenient.recognize(samples).text == "stop go"
    strict = toy_recognizer.adapted(grammar=Grammar("stop now", rejection_cost=-1000.0))
    # A sentence of the grammar is never taken for one outside: another is heard.
    assert strict.recognize(samples).rejected
    assert strict.recognize(samples).rescored.text != "stop now"


def test_both_passes_have_the_costs_of_the_grammar(toy_model, toy_recognizer):
    result = toy_recognizer.adapted(grammar=LIST).recognize(toy.whistle("stop now"))
    first, second = result.first_pass.graph_log_prob, result.rescored.graph_log_prob
    assert first == pytest.approx(second, abs=1e-3)
    scaled = Recognizer(toy_model, grammar=LIST, rescoring=RescoringOptions(2.0))
    more = scaled.recognize(toy.whistle("stop now")).rescored.graph_log_prob
    assert more - second == pytest.approx(-1.0986, abs=1e-3)  # once more a third


def test_words_that_the_model_lacks_are_added(toy_recognizer):
    words = [NewWord("Tow", ("T", "OW"))]
    given = toy_recognizer.adapted(words=words, grammar="Tow left\nGo!\n")
    said = toy.whistle("Tow left", words={**toy.WORDS, "Tow": "T OW"})
    assert given.recognize(said).text == "Tow left"
    # A word that is written otherwise than the model's is the model's.
    assert given.recognize(toy.whistle("go")).text == "go"


def test_phrases_have_their_bonus_in_a_grammar(toy_recognizer):
    samples = toy.whistle("go write")  # sounds as "go right"
    for word in ("right", "write"):
        boost = [Phrase(("go", word), 3.0)]
        given = toy_recognizer.adapted(boost=boost, grammar="go right\ngo write")
        assert given.recognize(samples).text == f"go {word}"


def test_streams_reject_utterance_by_utterance(ways):
    stream = ways.stream()
    events = []
    for said in ("go left", "now now", "go write"):
        for samples in (toy.whistle(said), toy.whistle("")[:1].repeat(16000)):
            events += stream.accept(samples, toy.RATE)
    events += stream.finish()
    finals = [event.result for event in events if isinstance(event, Final)]
    said = [(one.text, one.rejected, one.tags) for one in finals if one.segments[0].match]
    assert ("go left", False, ("west",)) in said
    assert ("", True, ()) in said
    assert ("go write", False, ("east",)) in said
    # Nothing is told of what is rejected.
    assert not any(isinstance(one, Partial) and "now" in one.words for one in events)
    assert any(isinstance(one, Partial) and "left" in one.words for one in events)


def test_segments_of_long_recordings_are_rejected_one_by_one(ways):
    parts = [ways.recognize(toy.whistle(said)) for said in ("go left", "now now", "go write")]
    whole = joined(parts, 10.0)
    assert (whole.text, whole.rejected) == ("go left go write", False)
    assert whole.tags == ("west", "east")
    assert [one.match.rejected for one in whole.segments] == [False, True, False]
    assert joined(parts[1:2], 10.0).rejected
    (segment,) = ways.recognize_long(toy.whistle("go left"))
    assert segment.match == GrammarMatch(rejected=False, tags=("west",))


@pytest.mark.parametrize("said", ["go left", "now"])
def test_live_results_say_what_was_rejected(ways, said):
    result = ways.recognize(toy.whistle(said))
    stream = StringIO()
    JsonDisplay(stream).show(Final(0.0, result.duration, result))
    shown = json.loads(stream.getvalue())
    assert (shown["text"], shown["rejected"]) == (result.text, result.rejected)
    assert shown["tags"] == list(result.tags)


def test_what_does_not_go_with_a_grammar_is_refused(toy_model, toy_recognizer, tmp_path):
    with pytest.raises(UsageError, match="minimum Bayes risk: expected none with a grammar"):
        Recognizer(toy_model, minimum_bayes_risk=True, grammar=LIST)
    with pytest.raises(UsageError, match="lm: expected none with a grammar"):
        toy_recognizer.adapted(lm=tmp_path / "domain.txt", grammar=LIST)
    words = [NewWord("Tow", ("T", "OW"), like="<town>")]
    with pytest.raises(UsageError, match="words of a class: expected none with a grammar"):
        toy_recognizer.adapted(words=words, grammar=LIST)


def test_a_model_with_a_static_graph_is_refused(tmp_path: Path):
    model = toy.build(tmp_path / "static", FirstPassOptions("static", "epsilon"))
    with pytest.raises(UsageError, match=r"searches on the fly, for a grammar.*static graph"):
        Recognizer(model, grammar=LIST)


def test_the_kind_of_backing_off_does_not_matter(tmp_path: Path):
    model = toy.build(tmp_path / "epsilon", FirstPassOptions("on-the-fly", "epsilon"))
    given = Recognizer(model, grammar=JSGF)
    assert given.recognize(toy.whistle("go write stop")).tags == ("east", "end")
    assert given.recognize(toy.whistle("stop")).rejected


def test_words_that_nobody_can_pronounce_are_named(toy_recognizer, tmp_path):
    path = tmp_path / "ways.gram"
    path.write_text("#JSGF V1.0;\ngrammar g;\npublic <a> = go\n zzz;\n")
    with pytest.raises(SpeechError, match=r"ways.gram:4: word 'zzz': found no pronunciation"):
        toy_recognizer.adapted(grammar=read_grammar(path))


def test_a_grammar_is_part_of_the_settings(toy_model):
    given = [Adaptation(grammar=grammar) for grammar in (None, Grammar(LIST))]
    settings = [BatchOptions(str(toy_model), adaptation=one).settings() for one in given]
    assert "grammar" not in settings[0]
    assert settings[1]["grammar"] == [LIST, Grammar(LIST).rejection_cost]


def test_the_command_takes_a_file(command, toy_model, whistled, tmp_path):
    grammar = tmp_path / "ways.gram"
    grammar.write_text(JSGF)
    audio = (whistled("go write stop", "a.wav"), whistled("stop", "b.wav"))
    given = ("--model", toy_model, "--grammar", grammar)
    ran = command("recognize", *audio, *given)
    assert ran.out == f"{audio[0]}\tgo write stop\n{audio[1]}\t\n"
    assert ran.err == f"recognize: {audio[1]}: rejected: what was said is not in the grammar\n"
    assert ran.code == 0
    ran = command("recognize", *audio, *given, "--format", "json")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [(one["text"], one["rejected"], one["tags"]) for one in found] == [
        ("go write stop", False, ["east", "end"]),
        ("", True, []),
    ]
    assert found[1]["segments"][0]["rejected"] is True
    ran = command("recognize", audio[1], *given, "--rejection-cost", "1000")
    assert ran.out.startswith("go ")
    assert ran.err == ""
    ran = command("recognize", audio[0], "--model", toy_model, "--format", "json")
    assert "rejected" not in ran.out


@pytest.mark.parametrize(
    ("text", "options", "code", "message"),
    [
        ("#JSGF V1.0;\ngrammar g;\npublic <a> = <b>;", (), 1, ":3: rule <b>: found no such rule"),
        ("#XML;", (), 1, ":1: expected '#JSGF V1.0;' or sentences"),
        ("go left", ("--rejection-cost", "inf"), 2, "rejection cost: expected a finite number"),
        ("go left", ("--rejection-cost", "x"), 2, "'x' is not a valid float"),
        ("go left", ("--mbr",), 2, "--mbr does not go with --grammar"),
        ("go left", ("--lm", "lm.txt"), 2, "--lm does not go with --grammar"),
        ("go left", ("--neural-lm", "lm"), 2, "--neural-lm does not go with --grammar"),
    ],
)
def test_wrong_input_is_one_line(
    command, toy_model, whistled, tmp_path, text, options, code, message
):
    grammar = tmp_path / "wrong.gram"
    grammar.write_text(text)
    given = ("--model", toy_model, "--grammar", grammar, *options)
    ran = command("recognize", whistled("go"), *given)
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_options_that_go_with_a_grammar_are_refused_without_one(command, toy_model, whistled):
    ran = command("recognize", whistled("go"), "--model", toy_model, "--rejection-cost", "1")
    assert ran.code == 2
    assert "--rejection-cost goes with --grammar" in ran.err
    ran = command("recognize", whistled("go"), "--model", toy_model, "--grammar", "nowhere.gram")
    assert ran.code == 1
    assert "nowhere.gram" in ran.err
