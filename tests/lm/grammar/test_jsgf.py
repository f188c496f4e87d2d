"""Grammars as text: what is read, and one clear line for what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.lm.grammar.jsgf import parse_grammar
from recognizer.lm.grammar.network import make_network
from recognizer.lm.grammar.rules import (
    Alternatives,
    Optional,
    Reference,
    Repeat,
    Rule,
    Sequence,
    Tag,
    Token,
    Void,
)

HEADER = "#JSGF V1.0;\ngrammar test;\n"  # rules begin in line 3


def test_all_of_the_format_is_read() -> None:
    text = (
        "#JSGF V1.0 UTF-8 en;\n"
        "/* a comment\n over lines */ grammar com.acme.test; // and another\n"
        'public <s> = ["New York"] /* here */ <com.acme.test.c>* {a\\}b} { c };\n'
        "<c> = /2/ go | /6/ (stop <NULL>)+ | /0/ <VOID>;\n"
    )
    rules = parse_grammar(text, "g").rules
    repeated = Repeat(Reference("c", 4), False, 4)
    assert rules[0].name == "s" and rules[0].public and not rules[1].public
    first, last = rules[0].expansion.items  # type: ignore[union-attr]
    assert first == Optional(Sequence((Token("New", 4), Token("York", 4))))
    assert last == Sequence((repeated, Tag("a}b"), Tag("c")))
    assert rules[1] == Rule(
        "c",
        Alternatives(
            (
                (0.25, Token("go", 5)),
                (0.75, Repeat(Sequence((Token("stop", 5), Sequence(()))), True, 5)),
                (0.0, Void()),
            )
        ),
        False,
        5,
    )


def test_a_list_has_a_sentence_in_each_line() -> None:
    (rule,) = parse_grammar("go left\n\n  stop  \n", "g").rules
    go_left = Sequence((Token("go", 1), Token("left", 1)))
    stop = Sequence((Token("stop", 3),))
    assert rule.public
    assert rule.expansion == Alternatives(((0.5, go_left), (0.5, stop)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^g: expected sentences, found none$"),
        ("go\nlet <us> go", r"^g:2: expected a sentence of words .*found '<'"),
        ("\n#ABNF 1.0;\n", r"^g:2: expected '#JSGF V1.0;' or sentences, found '#ABNF 1.0;'"),
        ("#JSGF V2.0;\n", r"^g:1: expected '#JSGF V1.0;'"),
        ("#JSGF V1.0 ISO8859-1;\n", r"^g:1: expected the encoding UTF-8, found 'ISO8859-1'"),
        ("#JSGF V1.0;\npublic <a> = b;", r"^g:2: expected 'grammar', found 'public'"),
        (HEADER, r"^g: expected a public rule, found none"),
        (HEADER + "<a> = b;", r"^g: expected a public rule, found none"),
        (HEADER + "import <x.y>;", r"^g:3: expected no import"),
        (HEADER + "public <a> = go\n <b>;", r"^g:4: rule <b>: found no such rule$"),
        (HEADER + "public <a> = b;\n<a> = c;", r"^g:4: expected one rule <a>, found another"),
        (HEADER + "public <a> = <a> go | go;", r"^g:3: rule <a>: .*left recursion"),
        (HEADER + "public <a> = [x] <b>;\n<b> = y* <a> | z;", r"^g:3: rule <a>: .*left recursion"),
        (HEADER + "public <a> = x\n<a> y | z;", r"^g:4: rule <a>: .*at its end only"),
        (HEADER + "public <a> = x (<a>)* | z;", r"^g:3: rule <a>: .*at its end only"),
        (HEADER + "public <a> = b <a>;", r"^g:3: rule <a>: expected an end, found only"),
        (HEADER + "public <a> =\n [b]*;", r"^g:4: rule <a>: expected words in what is repeated"),
        (HEADER + "public <a> = (<NULL>)+;", r"^g:3: rule <a>: expected words in what is repeated"),
        (HEADER + "public <a> = b\n<VOID>;", r"^g: expected at least one sentence, found none"),
        (HEADER + "public <a> = ;", r"^g:3: expected words, found ';'"),
        (HEADER + "public <a> = b | ;", r"^g:3: expected words, found ';'"),
        (HEADER + "public <a> = b", r"^g:3: expected ';' or '\|', found 'the end of the file'"),
        (HEADER + "public <a> = (b\n];", r"^g:4: expected '\)' for the '\(' of line 3, found '\]'"),
        (HEADER + "public <a> = b);", r"^g:3: expected ';' or '\|', found '\)'"),
        (HEADER + "public <a> b;", r"^g:3: expected '=', found 'b'"),
        (HEADER + "public <NULL> = b;", r"^g:3: expected a name other than <NULL>"),
        (HEADER + "public <a> = < >;", r"^g:3: expected the name of a rule"),
        (HEADER + "public <a> = <b;", r"^g:3: expected a rule's name that ends with >"),
        (HEADER + "public <a> = b {c;", r"^g:3: expected a tag that ends with }"),
        (HEADER + 'public <a> = "b;', r"^g:3: expected words that end with a quotation mark"),
        (HEADER + 'public <a> = " ";', r"^g:3: expected words"),
        (HEADER + "public <a> = /x/ b;", r"^g:3: expected a weight of at least 0, found 'x'"),
        (HEADER + "public <a> = /-1/ b;", r"^g:3: expected a weight of at least 0, found '-1'"),
        (HEADER + "public <a> = /0/ b;", r"^g:3: expected weights that sum to more than 0"),
        (HEADER + "public <a> = /1/ b | c;", r"^g:3: expected a weight for each of 2 alternatives"),
        (HEADER + "/* public <a> = b;", r"^g:3: expected a weight or a comment"),
        (HEADER + "public <a> = " + "(" * 60 + "b" + ")" * 60 + ";", r"at most 50 groups"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(SpeechError, match=message) as error:
        make_network(parse_grammar(text, "g"))
    assert "\n" not in str(error.value)


@given(st.text(alphabet='ab<>{}[]()|*+=;/\\" \n#', max_size=40))
def test_any_text_is_a_grammar_or_refused(text: str) -> None:
    for whole in (text, HEADER + text, HEADER + f"public <a> = {text};"):
        try:
            make_network(parse_grammar(whole, "g"))
        except SpeechError as error:
            assert str(error).startswith("g:")
            assert "\n" not in str(error)
