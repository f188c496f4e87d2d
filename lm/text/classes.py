"""Word classes in language models: names such as `<city>` that stand for one of several words.

A class is a word of the language model: `<city>` has n-grams as any other word has. Which words it
stands for is said when the model is used (`recognizer.vocabulary.words`), so that a model of
sentences with cities in them goes with any list of cities.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from recognizer.data.errors import SpeechError
from recognizer.lm.ngram.model import SPECIAL_WORDS
from recognizer.lm.text.text_files import split_words

_CLASS = re.compile(r"<[^<>\s]+>")
_SPECIAL = {*SPECIAL_WORDS, "<eps>"}


def is_class(word: str) -> bool:
    """Whether a word is the name of a class: in angle brackets, and not `<unk>` or the like."""
    return word[:1] == "<" and _CLASS.fullmatch(word) is not None and word not in _SPECIAL


def split_at_classes(line: str) -> list[str]:
    """A line cut at names of classes, which have odd indices in the result; the rest even ones."""
    parts, rest = [""], 0
    for match in _CLASS.finditer(line):
        parts[-1] += line[rest : match.start()]
        rest = match.end()
        if is_class(match[0]):
            parts += [match[0], ""]
        else:
            parts[-1] += match[0]
    parts[-1] += line[rest:]
    return parts


def with_classes(lines: Iterable[str], class_of: Mapping[str, str], name: str) -> Iterator[str]:
    """Text in which the words of classes are replaced by the names of their classes.

    Args:
        lines: sentences, one a line; names of classes may stand in them already.
        class_of: the class of each word that is in one.
        name: what messages call the text.

    Raises:
        SpeechError: a class in the text that has no words; names the text and the line.
    """
    classes = set(class_of.values())
    for number, line in enumerate(lines, start=1):
        words = split_words(line)
        for word in words:
            if is_class(word):
                check_class(word, classes, f"{name}:{number}")
        yield " ".join(class_of.get(word, word) for word in words)


def check_class(word: str, classes: Collection[str], place: str) -> None:
    """Refuse a class that has no words.

    Raises:
        SpeechError: `word` is not among `classes`; names the place.
    """
    if word not in classes:
        known = ", ".join(sorted(classes)) or "none are"
        raise SpeechError(f"{place}: expected a class that has words ({known}), found {word}")
