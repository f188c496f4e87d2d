"""English abbreviations and Roman numerals, written out where the context makes them certain."""

from __future__ import annotations

import re

from recognizer.data.text.english.numbers import MONTHS, cardinal, ordinal

# Before a name. Without one, "Gen." may be Genesis and "Col." Colossians.
TITLES = {
    "Mme": "madame",
    "Mlle": "mademoiselle",
    "Mons": "monsieur",
    "MM": "messieurs",
    "Prof": "professor",
    "Rev": "reverend",
    "Hon": "honorable",
    "Capt": "captain",
    "Col": "colonel",
    "Gen": "general",
    "Lieut": "lieutenant",
    "Lt": "lieutenant",
    "Sergt": "sergeant",
    "Sgt": "sergeant",
    "Corp": "corporal",
    "Maj": "major",
    "Gov": "governor",
    "Sen": "senator",
    "Pres": "president",
    "Supt": "superintendent",
    "Mt": "mount",
    "Ft": "fort",
}

# Whatever follows.
ALWAYS = {
    "Mr": "mister",
    "Mrs": "missus",
    "Dr": "doctor",
    "Messrs": "messrs",
    "Jr": "junior",
    "Sr": "senior",
    "Esq": "esquire",
    "Bros": "brothers",
    "Co": "company",
    "Ltd": "limited",
    "Inc": "incorporated",
    "etc": "et cetera",
    "Etc": "et cetera",
    "vs": "versus",
}

# Before a number in digits or Roman numerals.
BEFORE_NUMBER = {
    "No": "number",
    "Nos": "numbers",
    "Vol": "volume",
    "Vols": "volumes",
    "Chap": "chapter",
    "Ch": "chapter",
    "Bk": "book",
    "Pt": "part",
    "Sec": "section",
    "Sect": "section",
    "Art": "article",
    "Fig": "figure",
    "Figs": "figures",
    "P": "page",
    "Pp": "pages",
}

# After a number in digits.
AFTER_NUMBER = {
    "ft": "feet",
    "lb": "pounds",
    "lbs": "pounds",
    "oz": "ounces",
    "yd": "yards",
    "yds": "yards",
    "Fahr": "fahrenheit",
}

SHORT_MONTHS = {
    short: month
    for month in MONTHS.split("|")
    for short in ((month[:3], month[:4]) if month == "September" else (month[:3],))
    if short != month
}

# What stands bare in transcripts that have lost their points.
_BARE_POINTS = {"mr": "mister", "mrs": "missus", "dr": "doctor", "etc": "et cetera"}


def _any_of(words: dict[str, str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_ALWAYS = re.compile(rf"(?<![A-Za-z])({_any_of(ALWAYS)})\.")
_ALWAYS_CAPITALS = re.compile(r"(?<![A-Za-z])(MR|MRS|DR|ETC)\.")
_TITLE = re.compile(rf"(?<![A-Za-z])({_any_of(TITLES)})\.(?=\s+[A-Z][A-Za-z'.])")
_BEFORE_NUMBER = re.compile(
    rf"(?<![A-Za-z])((?i:{_any_of(BEFORE_NUMBER)}))\.(?=\s*(?:[0-9]|[IVXLCivxlc]+\b))"
)
_AFTER_NUMBER = re.compile(rf"(?<=[0-9])(\s*)({_any_of(AFTER_NUMBER)})\.?(?![A-Za-z])")
_MONTH = re.compile(rf"(?<![A-Za-z])({_any_of(SHORT_MONTHS)})\.(?=\s*[0-9])")
_SAINT = re.compile(r"(?<![A-Za-z])St\.(?=[ -]+[A-Z])")
_STREET = re.compile(r"(?<=[a-z0-9] )St\.")
_MONSIEUR = re.compile(r"(?<![A-Za-z.])M\.(?=\s+(?:de |d'|du |le |la )?[A-Z][a-z])")
_NAME_BEFORE = re.compile(
    r"(?:^|[\s\"'(])(?:[A-Z]\.|(?!(?:And|As|At|But|By|For|From|If|In|Now|Of|On|Poor|So|That|Then|"
    r"This|Though|To|When|Where|While|With|Yet)\s)[A-Z][a-z']+)\s+$"
)
_ET_CETERA = re.compile(r"&c\b\.?")

_ROMAN = r"(?=[ivxlc])(?:c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})"
_PART_NAMES = (
    "chapter|book|part|volume|act|scene|canto|section|letter|article|stave|lecture|psalm|"
    "appendix|figure|plate|stanza|sonnet|lesson|chapters|books|volumes|parts|page|pages|number"
)
_NUMBERED = re.compile(rf"\b((?i:{_PART_NAMES}))\s+((?i:{_ROMAN}))(?![A-Za-z'])")
_KINGS = (
    "Adrian|Albert|Alexander|Alfonso|Amadeus|Baldwin|Benedict|Boniface|Catherine|Charles|"
    "Christian|Clement|Conrad|Constantine|David|Edward|Elizabeth|Eugene|Ferdinand|Francis|"
    "Frederick|George|Gregory|Gustavus|Henry|Honorius|Innocent|Ivan|James|John|Joseph|Julius|"
    "Leo|Leopold|Louis|Mary|Maximilian|Napoleon|Nicholas|Otho|Otto|Paul|Pedro|Peter|Philip|"
    "Pius|Ptolemy|Rameses|Richard|Robert|Rudolph|Sigismund|Sixtus|Theodosius|Urban|Victor|"
    "William"
)
_KING = re.compile(rf"\b({_KINGS}|(?i:{_KINGS})(?=\s+[IVX]{{2,}}))\s+([IVX]+)(?![A-Za-z])")
_AFTER_NUMERAL = re.compile(r"\s*(?:$|[.,;:)\]-])")
_CANONICAL = re.compile(_ROMAN, re.IGNORECASE)
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}

NEEDS_CARE = re.compile(
    rf"[0-9&]|(?<![A-Za-z])(?:St|M|MR|MRS|DR|ETC|{_any_of(ALWAYS)}|{_any_of(TITLES)})\."
    rf"|(?<![A-Za-z])[IVX]{{2,}}(?![A-Za-z])"
    rf"|\b(?:(?i:{_PART_NAMES})|(?i:vol|vols|chap|ch|bk|pt|sec|sect|art)\.|{_KINGS})\s+[ivxlcIVXLC]+\b"
)
"""Finds text on which `expand_abbreviations` or number spelling could change anything."""


def expand_abbreviations(text: str) -> str:
    """Write out abbreviations and those Roman numerals that can be nothing else.

    Roman numerals: after the name of a part of a book (chapter IV: four) and after a monarch's
    or pope's name (Louis XIV: the fourteenth). A lone I counts only where punctuation or the end
    follows it, since it is mostly the pronoun.
    """
    text = _ET_CETERA.sub(" et cetera ", text)
    text = _TITLE.sub(lambda match: f"{TITLES[match[1]]} ", text)
    text = _ALWAYS.sub(lambda match: f"{ALWAYS[match[1]]} ", text)
    text = _ALWAYS_CAPITALS.sub(lambda match: f"{_BARE_POINTS[match[1].lower()]} ", text)
    text = _MONSIEUR.sub(_monsieur, text)
    text = _SAINT.sub("saint ", text)
    text = _STREET.sub("street ", text)
    text = _MONTH.sub(lambda match: f"{SHORT_MONTHS[match[1]]} ", text)
    text = _BEFORE_NUMBER.sub(lambda match: f"{BEFORE_NUMBER[match[1].capitalize()]} ", text)
    text = _AFTER_NUMBER.sub(lambda match: f" {AFTER_NUMBER[match[2]]} ", text)
    text = _NUMBERED.sub(_numbered, text)
    return _KING.sub(_king, text)


def roman_value(numeral: str) -> int | None:
    """Value of a Roman numeral below 400 in canonical form, or None."""
    if not numeral or not _CANONICAL.fullmatch(numeral):
        return None
    values = [_VALUES[letter] for letter in numeral.lower()]
    following = [*values[1:], 0]
    return sum(
        -value if value < after else value for value, after in zip(values, following, strict=True)
    )


def _is_pronoun(match: re.Match[str]) -> bool:
    """Whether what follows a lone I lets it be the speaker."""
    return match[2] in ("I", "i") and not _AFTER_NUMERAL.match(match.string, match.end())


def _numbered(match: re.Match[str]) -> str:
    value = roman_value(match[2])
    if value is None or match[2] in ("l", "c", "C", "L") or _is_pronoun(match):
        return match[0]
    # "the part I, as his friend, had played": the name of a part is capitalised when numbered.
    if match[2] in ("I", "i") and match[1].islower():
        return match[0]
    return f"{match[1]} {cardinal(str(value))}"


def _king(match: re.Match[str]) -> str:
    value = roman_value(match[2])
    if value is None or _is_pronoun(match):
        return match[0]
    return f"{match[1]} the {ordinal(str(value))}"


def _monsieur(match: re.Match[str]) -> str:
    """M. is monsieur, unless it stands within a name (John M. Smith, A. M. Smith)."""
    before = match.string[max(0, match.start() - 40) : match.start()]
    return match[0] if _NAME_BEFORE.search(before) else "monsieur "


def _bare_numerals() -> dict[str, str]:
    """Lower-case Roman numerals of two to ninety-nine that are no English words or names."""
    digits = ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"]
    tens = ["", "x", "xx", "xxx", "xl", "l", "lx", "lxx", "lxxx", "xc"]
    numerals = {
        ten + digit: 10 * i + j for i, ten in enumerate(tens) for j, digit in enumerate(digits)
    }
    words = {"", "i", "v", "x", "l", "vi", "xi", "li"}
    return {
        numeral: cardinal(str(value)).replace("-", " ")
        for numeral, value in numerals.items()
        if numeral not in words
    }


BARE = {**_BARE_POINTS, **_bare_numerals()}
"""Words that stand for others wherever they stand, points or not."""
