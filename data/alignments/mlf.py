"""HTK's master label files (MLF): the labels of many utterances in one file.

A label is `[START [END]] NAME [SCORE] {NAME [SCORE]}`, times in units of 100 ns. The first name is
of the lowest level; further names stand where a unit of the level above begins, as HVite writes
them: states with their phones and words, or phones with their words.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePosixPath

from recognizer.data.alignments.alignment import Alignment, Segment, Tier
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text

UNITS = 10_000_000
"""HTK's units of time in a second."""

_HEADER = "#!MLF!#"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_STATE = re.compile(r"s\d+")
_TOKEN = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1(?=\s|$)|(\S+)""")
_ESCAPE = re.compile(r"\\([0-3][0-7]{2}|.)")
_ESCAPES = re.compile(r"(?:\\(?:[0-3][0-7]{2}|.))+")
_BYTES = re.compile(r"(?:\\[2-3][0-7]{2})+")
SILENCES = ("SIL", "sil", "sp")
"""Phones that are no part of a word, unless a reader is told others."""

# The names of a line by level, lowest first, if no line says so itself.
_LEVELS: dict[Tier, tuple[Tier, ...]] = {
    "states": ("states", "phones", "words"),
    "phones": ("phones", "words"),
    "words": ("words",),
}


@dataclass(frozen=True)
class _Label:
    """A line: times in units of 100 ns and the names, lowest level first."""

    line: int
    start: int
    end: int
    names: tuple[str, ...]


def read_mlf(
    path: str | os.PathLike[str],
    *,
    level: Tier | None = None,
    silences: Collection[str] = SILENCES,
    exclusions: Exclusions | None = None,
) -> Iterator[Alignment]:
    """Read a master label file, utterance by utterance.

    An utterance is called after its pattern: `"*/name.lab"` and `"/a/path/name.rec"` are `name`.
    Names of phones lose their contexts (`sil-ah+t` is `ah`). A state gets its phone's name before
    its own (`ah.s2`) where the lines say which phone it is in. Scores are no probabilities and
    left out; of alternatives (after `///`) the first is taken. What stands beside a phone of
    silence is no word, and no such phone of no length is kept.

    Args:
        path: the file, perhaps compressed.
        level: what the first name of a line is; by default states if all are called s2, s3, ...
            throughout an utterance, otherwise phones.
        silences: the phones of silence.
        exclusions: counts utterances without times or with overlapping segments instead of raising.

    Raises:
        SpeechError: an unreadable file, another format, a malformed line.
    """
    where = os.fspath(path)
    for number, utterance, labels in _entries(path):
        if not labels:
            exclude(
                exclusions,
                "no labels",
                f"{where}:{number}: {utterance}: expected labels, found none",
            )
            continue
        if any(label.end < 0 for label in labels):
            line = next(label.line for label in labels if label.end < 0)
            exclude(
                exclusions, "labels without times",
                f"{where}:{line}: {utterance}: expected a start and an end, found a label without",
            )  # fmt: skip
            continue
        try:
            yield _alignment(utterance, labels, level, silences)
        except SpeechError as error:
            exclude(exclusions, "impossible segments", f"{where}:{number}: {error}")


def write_mlf(
    alignments: Iterable[Alignment],
    path: str | os.PathLike[str],
    *,
    tier: Tier = "phones",
    silences: Collection[str] = SILENCES,
) -> None:
    """Write one tier of alignments, times to 100 ns; words stand beside the phones they begin with.

    States are written as they are called, alone.

    Args:
        alignments: what to write.
        path: of the file.
        tier: that a line is for.
        silences: the phones of silence, which words do not go on through.

    Raises:
        SpeechError: an utterance id with letters that mean something in a pattern, or what such a
            file cannot say: words that do not begin and end with phones, phones with HTK's letters
            for contexts (- and +).
    """
    with replace_text(path) as stream:
        stream.write(_HEADER + "\n")
        for alignment in alignments:
            if any(letter in alignment.utterance for letter in '*?"/\\'):
                raise SpeechError(
                    f"utterance {alignment.utterance}: expected an id that a pattern can name"
                )
            labels = _labels(alignment, tier)
            _check_readable(alignment, labels, tier, silences)
            stream.write(f'"*/{alignment.utterance}.lab"\n')
            for label in labels:
                stream.write(f"{label.start} {label.end} {' '.join(map(_quoted, label.names))}\n")
            stream.write(".\n")


def _labels(alignment: Alignment, tier: Tier) -> list[_Label]:
    """The lines of a tier."""
    words = list(alignment.words) if tier == "phones" else []
    labels = []
    for segment in alignment.tier(tier):
        names = [segment.label]
        if words and segment.end > words[0].start:
            names.append(words.pop(0).label)
        labels.append(_Label(0, *_units(segment), tuple(names)))
    return labels


def _check_readable(
    alignment: Alignment, labels: list[_Label], tier: Tier, silences: Collection[str]
) -> None:
    """Raises unless a reader finds in these lines what is to be written."""
    again = _alignment(alignment.utterance, labels, tier, silences)
    tiers: tuple[Tier, ...] = ("phones", "words") if tier == "phones" else (tier,)
    for name in tiers:
        wanted, found = (
            [(segment.label, *_units(segment)) for segment in one.tier(name)]
            for one in (alignment, again)
        )
        for segment, other in zip_longest(wanted, found):
            if segment != other:
                what = "nothing" if segment is None else f"{segment[0]} from {segment[1] / UNITS} s"
                raise SpeechError(
                    f"utterance {alignment.utterance}: {name}: a label file cannot hold {what}: "
                    "expected words from phone to phone, and phones without - and +"
                )


def _units(segment: Segment) -> tuple[int, int]:
    return round(segment.start * UNITS), round(segment.end * UNITS)


def _entries(path: str | os.PathLike[str]) -> Iterator[tuple[int, str, list[_Label]]]:
    """Line, name and labels of each utterance."""
    where = os.fspath(path)
    lines = enumerate(read_lines(path), start=1)
    _, first = next(lines, (1, ""))
    if first.strip() != _HEADER:
        raise SpeechError(f"{where}:1: expected {_HEADER}, found {first.strip()!r}")
    seen: set[str] = set()
    for number, line in lines:
        if not line.strip():
            continue
        utterance = _utterance(f"{where}:{number}", line.strip())
        if utterance in seen:
            raise SpeechError(f"{where}:{number}: expected each utterance once, found {utterance}")
        seen.add(utterance)
        labels: list[_Label] = []
        alternative = False
        for at, text in lines:
            stripped = text.strip()
            if stripped == ".":
                break
            if stripped == "///":
                alternative = True
            elif stripped and not alternative:
                labels.append(_label(f"{where}:{at}", at, stripped))
        else:
            raise SpeechError(
                f"{where}: cut short: expected a line '.' after the labels of {utterance}"
            )
        yield number, utterance, labels


def _utterance(where: str, line: str) -> str:
    match = re.fullmatch(r'"([^"]+)"', line)
    if match is None:
        raise SpeechError(
            f'{where}: expected the pattern of a label file such as "*/name.lab", found {line!r}'
        )
    try:
        pattern = _BYTES.sub(lambda escapes: _unescaped(escapes[0]), match[1])
    except UnicodeDecodeError:
        pattern = match[1]  # a path of Windows with a directory called 200
    name = PurePosixPath(pattern.replace("\\", "/")).stem
    if not name or any(letter in name for letter in "*?"):
        raise SpeechError(f"{where}: expected a pattern that names one utterance, found {line}")
    return name


def _label(where: str, number: int, line: str) -> _Label:
    try:
        tokens = [
            (match[3] is None, _unescaped(match[2] if match[3] is None else match[3]))
            for match in _TOKEN.finditer(line)
        ]
    except UnicodeDecodeError:
        raise SpeechError(
            f"{where}: expected octal escapes of UTF-8 text, found those of another encoding: "
            f"{line!r}"
        ) from None
    times: list[int] = []
    while tokens and len(times) < 2 and not tokens[0][0] and tokens[0][1].isdecimal():
        times.append(int(tokens.pop(0)[1]))
    # A number alone is a word such as "7", not a time.
    if not tokens and times:
        tokens = [(True, str(times.pop()))]
    names: list[str] = []
    scored = True
    for quoted, token in tokens:
        if not quoted and not scored and _NUMBER.fullmatch(token):
            scored = True
            continue
        names.append(token)
        scored = False
    if not names:
        raise SpeechError(f"{where}: expected a label, found {line!r}")
    if len(times) == 2 and times[1] < times[0]:
        raise SpeechError(f"{where}: expected an end of at least {times[0]}, found {times[1]}")
    start, end = (times[0], times[1]) if len(times) == 2 else (0, -1)
    return _Label(number, start, end, tuple(names))


def _alignment(
    utterance: str, labels: list[_Label], level: Tier | None, silences: Collection[str]
) -> Alignment:
    if level is None:
        states = all(_STATE.fullmatch(label.names[0]) for label in labels)
        level = "states" if states else "phones"
    levels = _LEVELS[level]
    tiers: dict[Tier, list[tuple[str, int, int]]] = {"words": [], "phones": [], "states": []}
    phone = ""
    for label in labels:
        names = list(label.names)
        if level == "states":
            if len(names) > 1:
                names[1] = phone = _base(names[1])
            if phone:
                names[0] = f"{phone}.{names[0]}"
        elif level == "phones":
            names[0] = phone = _base(names[0])
        if level != "words" and phone in silences:
            # HVite writes pauses that were not made as of no length, and calls the word of a pause
            # as the dictionary does (SENT-START, SILENCE).
            if label.start == label.end:
                continue
            names = names[: len(levels) - 1]
        for index, tier in enumerate(levels):
            if index < len(names):
                tiers[tier].append((names[index], label.start, label.end))
            elif tiers[tier] and not (tier == "words" and phone in silences):
                # A unit of a higher level goes on; a pause after a word is no part of it.
                name, start, _ = tiers[tier][-1]
                tiers[tier][-1] = (name, start, label.end)
    found = {
        tier: tuple(Segment(name, start / UNITS, end / UNITS) for name, start, end in segments)
        for tier, segments in tiers.items()
    }
    return Alignment(utterance, **found)


def _base(phone: str) -> str:
    """`ah` of the model `sil-ah+t`: HTK keeps - and + for contexts."""
    return phone.partition("-")[2].partition("+")[0] if "-" in phone else phone.partition("+")[0]


def _unescaped(text: str) -> str:
    """A name without HTK's escapes: those of three octal digits are the bytes of UTF-8.

    Raises:
        UnicodeDecodeError: they are bytes of something else.
    """
    return _ESCAPES.sub(
        lambda escapes: b"".join(
            bytes([int(one[1], 8)]) if len(one[1]) == 3 else one[1].encode()
            for one in _ESCAPE.finditer(escapes[0])
        ).decode(),
        text,
    )


def _quoted(name: str) -> str:
    """A name as HTK can read it back: in quotes where it might be taken for something else."""
    if _NUMBER.fullmatch(name) or name[0] in "\"'" or "\\" in name:
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return name
