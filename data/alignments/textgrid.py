"""Praat TextGrid files, in their long and short text forms.

Praat reads its text files as a stream of values: numbers, texts in double quotes (a quote inside is
doubled) and flags such as <exists>, each beginning after white space. All else, the names of fields
and "intervals [3]:" among it, is comment. One parser therefore reads both forms, and files of other
programs that number or indent their fields differently.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import DAMAGE, open_bytes, replace_text

TextGridForm = Literal["long", "short"]

# A text, a comment to the end of its line, what begins as a number (a comment may follow), or
# anything else without white space.
_TOKEN = re.compile(
    r'(?<!\S)"(?P<text>(?:[^"]|"")*)"(?!\S)|(?<!\S)!.*'
    r"|(?<!\S)(?P<number>[+-]?\d[^\s!]*)(?:!.*)?|(?P<other>\S+)"
)
# Whatever follows a number without white space, such as a unit, Praat does not look at.
_HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+\.?[0-9a-fA-F]*(?:[pP][+-]?\d+)?")
_DECIMAL = re.compile(r"[+-]?\d+\.?\d*(?:[eE][+-]?\d+)?")
# Praat itself writes points, but other programs write the comma of their user's language.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?![\d.,])")
# What rounding in other programs may leave between the end of an interval and the next one's
# beginning, seconds.
_TOUCH = 1e-4


Interval = tuple[float, float, str]
"""Start and end in seconds, and a text, which may be empty or have white space."""


@dataclass(frozen=True)
class GridTier:
    """One tier of a TextGrid.

    Attributes:
        name: as the file has it.
        intervals: in order of time; None for a tier of points.
    """

    name: str
    intervals: tuple[Interval, ...] | None


class _Values:
    """The values of a TextGrid, one after another; every error names file and line."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text
        self._values = self._scan()
        self._at = 0

    def _scan(self) -> Iterator[tuple[str, str]]:
        for match in _TOKEN.finditer(self._text):
            self._at = match.start()
            kind, value = match.lastgroup, match[match.lastgroup or 0]
            if kind == "text":
                yield kind, value.replace('""', '"')
            elif kind == "number":
                yield kind, value
            elif kind == "other" and value.startswith('"'):
                raise self.error("a text with its closing quote", value)
            elif kind == "other" and value.startswith("<") and value.endswith(">"):
                yield "flag", value
        self._at = len(self._text)

    def error(self, expected: str, found: str) -> SpeechError:
        """An error at the value that was read last."""
        line = 1 + self._text.count("\n", 0, self._at)
        return SpeechError(f"{self._path}:{line}: expected {expected}, found {found}")

    def take(self, kind: str, expected: str) -> str:
        """The next value, which has to be of a kind."""
        found, value = next(self._values, ("the end of the file", ""))
        if found != kind:
            # A text may be long and have line ends of its own.
            raise self.error(expected, f"{found} {repr(value[:40])[1:-1]}".strip())
        return value

    def text(self, expected: str) -> str:
        """The next value, a text."""
        return self.take("text", expected)

    def seconds(self, expected: str) -> float:
        """The next value, a number."""
        value = self.take("number", expected)
        above, _, below = value.partition("/")
        try:
            number = _real(above) / _real(below) if below else _real(above)
        except (ValueError, ZeroDivisionError):
            raise self.error(expected, value) from None
        return number

    def count(self, expected: str) -> int:
        """The next value, a number of things."""
        value = self.seconds(expected)
        if not value.is_integer() or value < 0:
            raise self.error(expected, f"{value:g}")
        return int(value)


WORD_TIERS = ("words", "word", "ORT-MAU")
PHONE_TIERS = ("phones", "phone", "MAU")
"""What tiers are called by this package, by the Montreal Forced Aligner (MFA) and by WebMAUS."""


def read_textgrid(
    path: str | os.PathLike[str], *, words: str | None = None, phones: str | None = None
) -> Alignment:
    """Read a Praat TextGrid, long or short form, UTF-8 or UTF-16, with or without its mark.

    Takes two interval tiers, in any order among others. A name of a tier also stands for one that
    has it after a speaker's name ("jane - words", as MFA writes), if no tier has just that name.
    Intervals without a label are gaps; spaces around a label do not count. Times count from the
    grid's beginning, and may have decimal commas. The utterance is called after the file.

    Args:
        path: the file.
        words: name of the words' tier; case does not matter. None is the first of `WORD_TIERS`
            that there is. With a name, a file without such a tier is an error.
        phones: name of the phones' tier; None is the first of `PHONE_TIERS`.

    Raises:
        SpeechError: not a TextGrid, cut short, overlapping intervals, neither of the tiers, one
            that a name asks for missing, or several of that name.
    """
    path = Path(path)
    tiers = read_grid_tiers(path)
    found: dict[str, tuple[Segment, ...]] = {}
    for kind, name, known in (("words", words, WORD_TIERS), ("phones", phones, PHONE_TIERS)):
        tier = _chosen(path, tiers, kind, known if name is None else (name,))
        if tier is None and name is not None:
            raise SpeechError(f"{path}: expected an interval tier {name!r}, found {_names(tiers)}")
        if tier is None or tier.intervals is None:
            continue
        try:
            found[kind] = tuple(
                Segment(label.strip(), since, until)
                for since, until, label in tier.intervals
                if label.strip()
            )
        except SpeechError as error:
            raise SpeechError(f"{path}: tier {tier.name!r}: {error}") from None
    if not found:
        raise SpeechError(
            f"{path}: expected an interval tier {' or '.join(WORD_TIERS + PHONE_TIERS)}, found "
            f"{_names(tiers)}"
        )
    return Alignment(path.stem, found.get("words", ()), found.get("phones", ()))


def read_grid_tiers(path: str | os.PathLike[str]) -> tuple[GridTier, ...]:
    """All tiers of a TextGrid as they are, times counted from the grid's beginning.

    Raises:
        SpeechError: not a TextGrid, cut short, or overlapping intervals.
    """
    path = Path(path)
    start, tiers = _read_tiers(_Values(path, _text(path)))
    return tuple(
        GridTier(
            tier.name,
            tier.intervals
            and tuple(
                (since - start, until - start, text) for since, until, text in tier.intervals
            ),
        )
        for tier in tiers
    )


def _chosen(
    path: Path, tiers: Sequence[GridTier], kind: str, names: Sequence[str]
) -> GridTier | None:
    """The interval tier of the first of these names that there is."""
    intervals = [tier for tier in tiers if tier.intervals is not None]
    for name in (one.strip().lower() for one in names):
        own = [tier.name.strip().lower() for tier in intervals]
        for labels in (own, [one.rpartition(" - ")[2].strip() for one in own]):
            matching = [
                tier for tier, label in zip(intervals, labels, strict=True) if label == name
            ]
            if len(matching) > 1:
                raise SpeechError(
                    f"{path}: expected one tier of {kind}, or the name of the one to take, found "
                    f"{_names(matching)}"
                )
            if matching:
                return matching[0]
    return None


def _names(tiers: Iterable[GridTier]) -> str:
    return ", ".join(repr(tier.name) for tier in tiers) or "none"


def write_textgrid(
    alignment: Alignment,
    path: str | os.PathLike[str],
    *,
    duration: float | None = None,
    form: TextGridForm = "long",
) -> None:
    """Write a Praat TextGrid with the interval tiers `words` and `phones`; times are exact.

    Args:
        alignment: the segments; confidences and states have no place in a TextGrid.
        path: the file.
        duration: the recording's length in seconds; by default the last segment's end.
        form: Praat's long (named fields) or short form.

    Raises:
        SpeechError: a segment without length, a duration before the last segment's end.
    """
    write_grid_tiers(
        {"words": alignment.words, "phones": alignment.phones},
        path,
        f"utterance {alignment.utterance}",
        duration=duration,
        form=form,
    )


def write_grid_tiers(
    tiers: Mapping[str, tuple[Segment, ...]],
    path: str | os.PathLike[str],
    name: str,
    *,
    duration: float | None = None,
    form: TextGridForm = "long",
) -> None:
    """Write a Praat TextGrid with any interval tiers; arguments and errors as of `write_textgrid`.

    Args:
        tiers: segments by the tier's name, in order.
        path: the file.
        name: what the tiers are of, for messages.
        duration: the recording's length in seconds.
        form: Praat's long or short form.
    """
    reached = max((segments[-1].end for segments in tiers.values() if segments), default=0.0)
    end = reached if duration is None else duration
    # A recording's last frame may reach a little beyond its last sample.
    end = max(end, reached) if end >= reached - _TOUCH else end
    if not reached <= end or end <= 0.0:
        raise SpeechError(
            f"{name}: expected a duration of at least {reached} s and above 0, found {duration}"
        )
    filled = [(tier, _filled(name, segments, end)) for tier, segments in tiers.items()]
    with replace_text(path) as stream:
        stream.write('File type = "ooTextFile"\nObject class = "TextGrid"\n\n')
        stream.writelines(_long(filled, end) if form == "long" else _short(filled, end))


def _text(path: Path) -> str:
    try:
        with open_bytes(path) as stream:
            raw = stream.read()
    except DAMAGE as error:
        raise SpeechError(f"{path}: damaged: {error}") from error
    if raw.startswith(b"ooBinaryFile"):
        raise SpeechError(f"{path}: expected a TextGrid saved as text, found Praat's binary form")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif raw[1::2].startswith(b"\0"):
        encoding = "utf-16-le"
    elif raw.startswith(b"\0"):
        encoding = "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + raw.count(b"\n", 0, error.start)
        if b"ooTextFile" not in raw[:100].replace(b"\0", b""):
            raise SpeechError(f"{path}: expected a Praat TextGrid, found something else") from None
        raise SpeechError(
            f"{path}:{line}: expected {encoding.removesuffix('-sig').upper()} text, "
            f"found byte 0x{raw[error.start]:02x}"
        ) from None
    if "ooTextFile" not in text[:100] or '"TextGrid"' not in text[:200]:
        raise SpeechError(f"{path}: expected a Praat TextGrid, found something else")
    # Praat ends lines with one or two characters, old ones of the Macintosh with a return alone.
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _real(text: str) -> float:
    """What a number begins with, in Praat's way; raises ValueError if it begins otherwise."""
    if (match := _HEXADECIMAL.match(text)) is not None:
        number = float.fromhex(match[0])
    elif (match := _DECIMAL_COMMA.match(text)) is not None:
        number = float(match[0].replace(",", "."))
    elif (match := _DECIMAL.match(text)) is not None and text[match.end() :][:1] != ",":
        number = float(match[0])
    else:
        raise ValueError(text)
    return number / 100 if text[match.end() :].startswith("%") else number


def _read_tiers(values: _Values) -> tuple[float, list[GridTier]]:
    """The grid's beginning in seconds, and its tiers."""
    values.text("the file's type")
    values.text("the object's class")
    start, end = values.seconds("xmin"), values.seconds("xmax")
    if not start < end:
        raise values.error(f"an xmax above {start}", str(end))
    if values.take("flag", "<exists>, or <absent> without tiers") == "<absent>":
        return start, []
    tiers = []
    for _ in range(values.count("a number of tiers")):
        kind, name = values.text("a tier's class"), values.text("a tier's name")
        # Other programs give tiers a time of their own.
        since, _ = values.seconds("a tier's xmin"), values.seconds("a tier's xmax")
        size = values.count(f"the size of tier {name!r}")
        if kind == "IntervalTier":
            tiers.append(GridTier(name, _read_intervals(values, size, since)))
        elif kind == "TextTier":
            for _ in range(size):
                values.seconds("a point's time")
                values.text("a point's mark")
            tiers.append(GridTier(name, None))
        else:
            raise values.error("IntervalTier or TextTier", repr(kind))
    return start, tiers


def _read_intervals(values: _Values, size: int, start: float) -> tuple[Interval, ...]:
    intervals = []
    reached = start
    for _ in range(size):
        since = values.seconds("an interval's xmin")
        # Praat's intervals touch; gaps that other programs leave are gaps.
        if since < reached - _TOUCH:
            raise values.error(f"an interval that begins at {reached} s or later", f"{since}")
        until = values.seconds("an interval's xmax")
        if until < since:
            raise values.error(f"an interval that ends at {since} s or later", f"{until}")
        intervals.append((max(since, reached), max(until, reached), values.text("a text")))
        reached = max(until, reached)
    return tuple(intervals)


def _filled(name: str, segments: tuple[Segment, ...], end: float) -> list[Interval]:
    """The segments with the gaps between them as intervals without label."""
    intervals: list[Interval] = []
    reached = 0.0
    for segment in segments:
        # Segments may overlap by a rounding error, Praat's intervals may not.
        start = max(segment.start, reached)
        if segment.end <= start:
            raise SpeechError(
                f"{name}: expected segments of some length, "
                f"found {segment.label!r} from {segment.start} to {segment.end} s"
            )
        if start > reached:
            intervals.append((reached, start, ""))
        intervals.append((start, segment.end, segment.label))
        reached = segment.end
    if reached < end:
        intervals.append((reached, end, ""))
    return intervals


def _long(tiers: list[tuple[str, list[Interval]]], end: float) -> Iterator[str]:
    yield f"xmin = 0 \nxmax = {_number(end)} \ntiers? <exists> \nsize = {len(tiers)} \nitem []: \n"
    for index, (name, intervals) in enumerate(tiers, start=1):
        yield f'    item [{index}]:\n        class = "IntervalTier" \n'
        yield f"        name = {_quoted(name)} \n"
        yield f"        xmin = 0 \n        xmax = {_number(end)} \n"
        yield f"        intervals: size = {len(intervals)} \n"
        for number, (since, until, label) in enumerate(intervals, start=1):
            yield f"        intervals [{number}]:\n            xmin = {_number(since)} \n"
            yield f"            xmax = {_number(until)} \n            text = {_quoted(label)} \n"


def _short(tiers: list[tuple[str, list[Interval]]], end: float) -> Iterator[str]:
    yield f"0\n{_number(end)}\n<exists>\n{len(tiers)}\n"
    for name, intervals in tiers:
        yield f'"IntervalTier"\n{_quoted(name)}\n0\n{_number(end)}\n{len(intervals)}\n'
        for since, until, label in intervals:
            yield f"{_number(since)}\n{_number(until)}\n{_quoted(label)}\n"


def _number(seconds: float) -> str:
    # The shortest decimals that give the same number back, 2 rather than 2.0 as Praat writes.
    return repr(float(seconds)).removesuffix(".0")


def _quoted(label: str) -> str:
    return '"' + label.replace('"', '""') + '"'
