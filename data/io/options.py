"""TOML tables mapped strictly onto frozen dataclasses, and back: unknown keys are errors."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from recognizer.data.errors import SpeechError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Options = TypeVar("Options")


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        SpeechError: the file is missing, is not UTF-8 text or is not TOML (with the line).
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpeechError(f"{path}: no such file") from None
    except OSError as error:
        raise SpeechError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpeechError(f"{path}: byte {error.start}: not UTF-8 text") from None
    return parse_toml(text, str(path))


def parse_toml(text: str, place: str) -> dict[str, Any]:
    """The table that a TOML text is.

    Raises:
        SpeechError: it is not TOML (names the place, and the line).
    """
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpeechError(f"{place}: not TOML: {error}") from None
    return table


def to_toml(options: Any) -> str:
    """The TOML text of a dataclass; fields that are None are left out, as TOML has no null."""
    import tomli_w  # recognition writes none

    return tomli_w.dumps(to_table(options))


def to_table(options: Any) -> dict[str, Any]:
    """A dataclass as a table of plain values (nested dataclasses become nested tables)."""
    return {
        field.name: _plain(value)
        for field in dataclasses.fields(options)
        if (value := getattr(options, field.name)) is not None
    }


def from_table(cls: type[Options], table: Mapping[str, Any], place: str) -> Options:
    """Make the dataclass ``cls`` from a table; fields without a default must be there.

    Args:
        cls: a dataclass whose fields are bool, int, float, str, literals, tuples of these, other
            such dataclasses, tuples of them, dictionaries from names to them, ``... | None``, or a
            union of a list's type, strings and another, or of dataclasses of which each has a
            literal field ``kind`` of its own.
        table: field names to values.
        place: the file (and section) that errors name.

    Raises:
        SpeechError: unknown keys, missing ones, values of another type, or values that the
            dataclasses' own validation refuses: all of them in one line.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    faults = []
    for key in table:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.7)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fields)}"
            faults.append(f"{place}: unknown key {key!r} ({hint})")
    values = {}
    for name, field in fields.items():
        if name in table:
            try:
                values[name] = _value(hints[name], table[name], f"{place}: {name}")
            except SpeechError as error:
                faults.append(str(error))
        elif _is_required(field):
            faults.append(f"{place}: the key {name!r} is missing")
    if faults:
        raise SpeechError("; ".join(faults))
    try:
        return cls(**values)
    except (SpeechError, ValueError) as error:
        raise SpeechError(f"{place}: {error}") from None


def select(cls: type[Options], values: Mapping[str, Any]) -> Options:
    """Options of a kind from those of a command's values that it has.

    Args:
        cls: the dataclass; what is not given has its default.
        values: by name; others are left aside.
    """
    names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: value for name, value in values.items() if name in names})


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_table(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    return value


def _value(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(_alternative(arguments, value, place), value, place)
    if dataclasses.is_dataclass(hint):
        _require(isinstance(value, Mapping), "a table", value, place)
        return from_table(typing.cast(type, hint), value, place)
    if origin is typing.Literal:
        choices = " or ".join(repr(choice) for choice in arguments)
        _require(value in arguments, choices, value, place)
        return value
    if origin is tuple:
        _require(isinstance(value, list), "a list", value, place)
        return tuple(_value(arguments[0], v, f"{place}[{i}]") for i, v in enumerate(value))
    if origin in (dict, Mapping):
        _require(isinstance(value, Mapping), "a table", value, place)
        return {key: _value(arguments[1], v, f"{place}.{key}") for key, v in value.items()}
    if hint is float:  # 1 for 1.0 is what people write
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        _require(number, "a number", value, place)
        return float(value)
    if hint is int:
        _require(isinstance(value, int) and not isinstance(value, bool), "an integer", value, place)
    elif hint is bool:
        _require(isinstance(value, bool), "true or false", value, place)
    elif hint is str:
        _require(isinstance(value, str), "a string", value, place)
    elif hint is Path:
        _require(isinstance(value, str), "a path", value, place)
        return Path(value)
    return value


def _alternative(hints: tuple[Any, ...], value: Any, place: str) -> Any:
    """The one type of a union that the value is to have; nothing that it could be is None."""
    hints = tuple(hint for hint in hints if hint is not type(None))
    if len(hints) == 1:
        return hints[0]
    if not all(dataclasses.is_dataclass(hint) for hint in hints):
        of_toml: dict[type, type] = {list: tuple, str: str}
        plain = {typing.get_origin(hint) or hint: hint for hint in hints}
        others = [hint for kind, hint in plain.items() if kind not in of_toml.values()]
        return plain.get(of_toml.get(type(value), type(value)), [*others, hints[0]][0])
    _require(isinstance(value, Mapping), "a table", value, place)
    by_kind = {typing.get_args(typing.get_type_hints(hint)["kind"])[0]: hint for hint in hints}
    _require("kind" in value, "a key kind", dict(value), place)
    choices = " or ".join(repr(kind) for kind in by_kind)
    _require(value["kind"] in by_kind, choices, value["kind"], f"{place}: kind")
    return by_kind[value["kind"]]


def _require(good: bool, expected: str, found: Any, place: str) -> None:
    if not good:
        raise SpeechError(f"{place}: expected {expected}, found {found!r}")
