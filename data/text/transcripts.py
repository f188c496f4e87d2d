"""Transcripts: the words that were spoken, and tags for what is not a word.

Corpora mark noises, unintelligible speech, silence and markup with tags in brackets. The rules:

- `[label]`, `<label>` and `{label}` are tags whatever the label is, if it has a letter. `(label)`
  is a tag only where the label is known below, since round brackets also hold words, and `[label]`
  directly beside a word likewise, since square brackets also mark parts of words ("f[r]iend").
  `%label` at the beginning of a token is a tag.
- Labels of silence, of punctuation that is read aloud nowhere (`<comma>`) and of markup vanish:
  `<sil>`, `[pause]`, `<s>`, `</s>`, `!SIL`, and a pair such as `<b>` ... `</b>`, between which the
  words stay.
- `[laughter-word]` is the word (Switchboard's mark for a word spoken while laughing).
- All others are noise (`[noise]`, `(cough)`, `{laughter}`) or speech that nobody could write down
  (`<unk>`, `[inaudible]`). They are no words: scoring, language models and lists of words ignore
  them. Forced alignment aligns each with spoken noise, or with the phones that the lexicon gives
  it, and writes it in lower case without white space: `[door slams]` is `[door_slams]`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recognizer.data.text.rules import TextRules

_PAUSE = re.compile(r"sil|silence|(?:short_|long_)?pause")
_SILENT = re.compile(
    _PAUSE.pattern + r"|sp|p:?|eps|epsilon|blank|s|/.*|comma|period|question_?mark|"
    r"exclamation_?(?:point|mark)|colon|semicolon|dash|hyphen|[be]_aside|br"
)
"""Labels that vanish. Labels are compared in lower case, with _ for white space and hyphens."""

_HEARD = re.compile(
    r"(?:.*_)?noises?|cough\w*|laugh\w*|breath\w*|inhal\w*|exhal\w*|sigh\w*|sneez\w*|sniff\w*|"
    r"(?:lip_?)?smack\w*|yawn\w*|hiccup\w*|gasp\w*|clears?_throat|throat_clear\w*|applause|music|"
    r"cross_?talk|hesitation|inaudible|unintelligible|indistinct|unk|unknown|oov|xxx|spn|nsn"
)
"""Known labels of noise and of speech that nobody could write down."""

_TAG = re.compile(
    r"\[(?P<square>[^\][]*)\]|<(?P<angle>[^<>\s][^<>]*)>|\{(?P<curly>[^{}/]*)\}|"
    r"\((?P<round>[^()]*)\)|(?<!\S)!(?P<htk>SIL(?:ENCE)?|sil(?:ence)?)(?!\S)|"
    r"(?<!\S)%(?P<percent>[^\W\d]\w*)"
)
_MAY_HAVE_TAGS = re.compile(r"[\[<{(!%]")
_WHILE_LAUGHING = re.compile(r"laughter-(\S+)", re.IGNORECASE)
_BEFORE = frozenset("\"'.,;:!?\u2026([{<)]}>")
_BRACKETS = {"[": "]", "<": ">", "{": "}", "(": ")"}


def spoken_words(rules: TextRules, transcript: str) -> tuple[str, ...]:
    """The words of a transcript in their normal form, without tags.

    Raises:
        SpeechError: the transcript has something that the rules refuse.
    """
    return tuple(token for token in spoken_tokens(rules, transcript) if not is_tag(token))


def spoken_tokens(rules: TextRules, transcript: str) -> tuple[str, ...]:
    """The words of a transcript in their normal form, and tags of noise and unknown speech.

    Raises:
        SpeechError: the transcript has something that the rules refuse.
    """
    if not _MAY_HAVE_TAGS.search(transcript):
        return tuple(rules.normalize(transcript).split())
    tokens: list[str] = []
    text: list[str] = []  # since the last tag that stays
    reached = 0
    closed = {_label(one[1]) for one in re.finditer(r"</([^<>]*)>", transcript)}
    for match in _TAG.finditer(transcript):
        kept = _kept(match, closed)
        if kept is None:
            continue
        text += (transcript[reached : match.start()], " ")
        reached = match.end()
        if is_tag(kept):
            tokens += rules.normalize("".join(text)).split()
            tokens.append(kept)
            text.clear()
        else:
            text += (kept, " ")
    tokens += rules.normalize("".join((*text, transcript[reached:]))).split()
    return tuple(tokens)


def is_tag(token: str) -> bool:
    """Whether a token of `spoken_tokens`, or a word of a lexicon, is a tag and not a word."""
    if token.startswith("%"):
        return len(token) > 1
    return len(token) > 2 and _BRACKETS.get(token[0]) == token[-1]


def _kept(match: re.Match[str], closed: set[str]) -> str | None:
    """What stays of a tag: a tag, a word, or nothing (""); None if it is no tag."""
    kind = match.lastgroup or ""
    inner = match[kind]
    label = _label(inner)
    if not any(map(str.isalpha, label)):
        return None
    if kind == "htk":
        return ""
    known_silent, known = _SILENT.fullmatch(label), _HEARD.fullmatch(label)
    if kind == "round" and not (known or _PAUSE.fullmatch(label)):
        return None
    if kind == "square" and not (known or known_silent) and not _stands_apart(match):
        return None
    if kind == "square" and (laughing := _WHILE_LAUGHING.fullmatch(inner.strip())):
        return laughing[1]
    if known_silent or (kind == "angle" and label.split("_")[0] in closed):
        return ""
    return "_".join(match[0].lower().split())


def _stands_apart(match: re.Match[str]) -> bool:
    """Whether a tag has white space, punctuation or another tag on both sides."""
    text, before, after = match.string, match.start() - 1, match.end()
    return (before < 0 or text[before].isspace() or text[before] in _BEFORE) and (
        after == len(text) or text[after].isspace() or text[after] in _BEFORE
    )


def _label(inner: str) -> str:
    return re.sub(r"[\s_-]+", "_", inner.strip().lower())
