"""Grammars as text: JSGF (Java Speech Grammar Format 1.0, W3C note of 5 June 2000), or sentences.

Of JSGF, everything but imports is read: comments, rules, public rules, alternatives with and
without weights, groups, optional groups, `*`, `+`, tags, `<NULL>`, `<VOID>`, quoted words, names
with the name of the grammar in front.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf

from recognizer.data.errors import SpeechError
from recognizer.lm.grammar.rules import (
    Alternatives,
    Expansion,
    Optional,
    Reference,
    Repeat,
    Rule,
    RuleSet,
    Sequence,
    Tag,
    Token,
    Void,
)

_HEADER = re.compile(r"#JSGF\s+V1\.0(?:\s+(?P<encoding>[^\s;]+))?(?:\s+[^\s;]+)?\s*;")
_ENCODINGS = ("utf-8", "utf8", "us-ascii", "ascii")
_LEXEMES = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<weight>/[^/*\n][^/\n]*/)
      | (?P<name><[^<>\n]*>)
      | (?P<tag>\{(?:\\.|[^\\}])*\})
      | (?P<quoted>"(?:\\.|[^\\"\n])*")
      | (?P<mark>[=|()\[\]*+;])
      | (?P<token>[^\s;=|*+<>()\[\]{}/"]+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MARKS = re.compile(r"[<>{}\[\]|=;]")
# Of groups in groups: a limit far below that of the Python stack.
_MAX_DEPTH = 50


def parse_grammar(text: str, source: str) -> RuleSet:
    """The rules of a grammar.

    Text that begins with `#` is JSGF. Other text is a list: one sentence a line, all of them
    equally probable; empty lines are skipped.

    Args:
        text: the whole file.
        source: its name, for messages.

    Raises:
        SpeechError: the text is not like that, or as `RuleSet`; names file and line.
    """
    if text.lstrip().startswith("#"):
        return _Parser(text, source).grammar()
    sentences: list[Expansion] = []
    for number, line in enumerate(text.split("\n"), start=1):
        mark = _MARKS.search(line)
        if mark:
            raise SpeechError(
                f"{source}:{number}: expected a sentence of words (or #JSGF V1.0; in the first "
                f"line), found {mark.group()!r}"
            )
        words = tuple(Token(word, number) for word in line.split())
        if words:
            sentences.append(Sequence(words))
    if not sentences:
        raise SpeechError(f"{source}: expected sentences, found none")
    share = 1.0 / len(sentences)
    expansion = Alternatives(tuple((share, sentence) for sentence in sentences))
    return RuleSet((Rule("sentence", expansion, public=True, line=1),), source)


@dataclass(frozen=True)
class _Lexeme:
    kind: str
    text: str
    line: int


class _Parser:
    """Recursive descent through the lexemes of one file."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._depth = 0
        self._next = 0
        self._lexemes = list(self._read(text))

    def grammar(self) -> RuleSet:
        self._expect_word("grammar")
        name = self._take("token", "the name of the grammar")
        self._package = name.text + "."
        self._take("mark", "';'", ";")
        rules = []
        while self._peek().kind != "end":
            if self._peek().text == "import":
                raise self._fault(
                    self._peek().line, "expected no import: rules of other files cannot be used"
                )
            rules.append(self._rule())
        return RuleSet(tuple(rules), self._source)

    def _read(self, text: str) -> list[_Lexeme]:
        position = len(text) - len(text.lstrip())
        line = 1 + text.count("\n", 0, position)
        header = _HEADER.match(text, position)
        if header is None:
            found = text[position:].split("\n", 1)[0]
            raise self._fault(line, f"expected '#JSGF V1.0;' or sentences, found {found!r}")
        encoding = header["encoding"]
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise self._fault(line, f"expected the encoding UTF-8, found {encoding!r}")
        lexemes = []
        line += text.count("\n", position, header.end())
        position = header.end()
        while position < len(text):
            match = _LEXEMES.match(text, position)
            if match is None:
                raise self._fault(line, self._unreadable(text, position))
            assert match.lastgroup is not None
            if match.lastgroup != "space":
                lexemes.append(_Lexeme(match.lastgroup, match.group(), line))
            line += text.count("\n", position, match.end())
            position = match.end()
        lexemes.append(_Lexeme("end", "the end of the file", line))
        return lexemes

    def _unreadable(self, text: str, position: int) -> str:
        ends = {"{": "a tag that ends with }", "<": "a rule's name that ends with >"}
        ends |= {'"': "words that end with a quotation mark", "/": "a weight or a comment"}
        first = text[position]
        found = text[position : position + 20].split("\n", 1)[0]
        return f"expected {ends.get(first, 'something else')}, found {found!r}"

    def _rule(self) -> Rule:
        public = self._peek().text == "public"
        if public:
            self._next += 1
        found = self._take("name", "a rule")
        name = self._name(found)
        if name in ("NULL", "VOID"):
            raise self._fault(found.line, f"expected a name other than <{name}>")
        self._take("mark", "'='", "=")
        expansion = self._alternatives()
        self._take("mark", "';' or '|'", ";")
        return Rule(name, expansion, public, found.line)

    def _alternatives(self) -> Expansion:
        choices: list[tuple[_Lexeme | None, Expansion]] = []
        while True:
            weight = self._lexemes[self._next] if self._peek().kind == "weight" else None
            if weight is not None:
                self._next += 1
            choices.append((weight, self._sequence()))
            if self._peek().text != "|":
                break
            self._next += 1
        if len(choices) == 1 and choices[0][0] is None:
            return choices[0][1]
        weights = [self._weight(weight) for weight, _ in choices if weight is not None]
        line = self._peek().line
        if weights and len(weights) < len(choices):
            raise self._fault(
                line,
                f"expected a weight for each of {len(choices)} alternatives, or for none, "
                f"found {len(weights)}",
            )
        weights = weights or [1.0] * len(choices)
        total = sum(weights)
        if not 0.0 < total < inf:
            raise self._fault(line, f"expected weights that sum to more than 0, found {total}")
        shares = (weight / total for weight in weights)
        return Alternatives(tuple(zip(shares, (item for _, item in choices), strict=True)))

    def _weight(self, lexeme: _Lexeme) -> float:
        text = lexeme.text[1:-1].strip()
        try:
            weight = float(text)
        except ValueError:
            weight = -1.0
        if not 0.0 <= weight < inf:
            raise self._fault(lexeme.line, f"expected a weight of at least 0, found {text!r}")
        return weight

    def _sequence(self) -> Expansion:
        items: list[Expansion] = []
        first = self._peek()
        while (item := self._item()) is not None:
            items.append(item)
        if not items:
            raise self._fault(first.line, f"expected words, found {first.text!r}")
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _item(self) -> Expansion | None:
        """A word, a rule or a group, with what is attached to it; None: there is none."""
        lexeme = self._peek()
        item: Expansion
        if lexeme.kind == "token":
            item = Token(lexeme.text, lexeme.line)
        elif lexeme.kind == "quoted":
            words = _ESCAPE.sub(r"\1", lexeme.text[1:-1]).split()
            if not words:
                raise self._fault(lexeme.line, f"expected words, found {lexeme.text}")
            item = Sequence(tuple(Token(word, lexeme.line) for word in words))
        elif lexeme.kind == "name":
            name = self._name(lexeme)
            special: dict[str, Expansion] = {"NULL": Sequence(()), "VOID": Void()}
            item = special.get(name, Reference(name, lexeme.line))
        elif lexeme.text in ("(", "["):
            item = self._group(lexeme)
        else:
            return None
        self._next += 1
        if self._peek().text in ("*", "+"):
            item = Repeat(item, self._peek().text == "+", self._peek().line)
            self._next += 1
        tags = []
        while self._peek().kind == "tag":
            tags.append(Tag(_ESCAPE.sub(r"\1", self._peek().text[1:-1]).strip()))
            self._next += 1
        return Sequence((item, *tags)) if tags else item

    def _group(self, opening: _Lexeme) -> Expansion:
        """What stands in brackets, up to the closing one."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._fault(opening.line, f"expected at most {_MAX_DEPTH} groups in each other")
        self._next += 1
        item = self._alternatives()
        closing = ")" if opening.text == "(" else "]"
        if self._peek().text != closing:
            raise self._fault(
                self._peek().line,
                f"expected {closing!r} for the {opening.text!r} of line {opening.line}, "
                f"found {self._peek().text!r}",
            )
        self._depth -= 1
        return item if closing == ")" else Optional(item)

    def _name(self, lexeme: _Lexeme) -> str:
        name = lexeme.text[1:-1].strip().removeprefix(self._package)
        if name.split() != [name]:
            raise self._fault(lexeme.line, f"expected the name of a rule, found {lexeme.text!r}")
        return name

    def _peek(self) -> _Lexeme:
        return self._lexemes[self._next]

    def _expect_word(self, word: str) -> None:
        if self._peek().text != word:
            found = self._peek()
            raise self._fault(found.line, f"expected {word!r}, found {found.text!r}")
        self._next += 1

    def _take(self, kind: str, expected: str, text: str | None = None) -> _Lexeme:
        found = self._peek()
        if found.kind != kind or (text is not None and found.text != text):
            raise self._fault(found.line, f"expected {expected}, found {found.text!r}")
        self._next += 1
        return found

    def _fault(self, line: int, message: str) -> SpeechError:
        return SpeechError(f"{self._source}:{line}: {message}")
