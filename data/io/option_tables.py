"""The tables of a TOML file, with the keys, types, defaults and meanings that its dataclasses have.

What a key means is in the "Attributes:" of its dataclass, in one place for programmers and users.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PLAIN = {bool: "true or false", int: "integer", float: "number", str: "string"}
_MISSING = dataclasses.MISSING


@dataclass(frozen=True)
class OptionKey:
    """One key of a table.

    Attributes:
        name: the key.
        type: what it takes, in words; "table" for a table of its own.
        default: as TOML writes it; "required" where there is none, empty for one that is not set.
        meaning: a sentence.
    """

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True)
class OptionTable:
    """One table of a file.

    Attributes:
        name: with dots; empty for the file's own keys, ending in [] for a list of tables.
        meaning: a sentence.
        keys: in order of the dataclass's fields.
    """

    name: str
    meaning: str
    keys: tuple[OptionKey, ...]


def option_tables(cls: type, name: str = "") -> Iterator[OptionTable]:
    """The tables of a dataclass that `recognizer.data.io.options` reads, nested ones too.

    Args:
        cls: the dataclass.
        name: of its table.
    """
    hints = typing.get_type_hints(cls)
    meanings = _meanings(cls)
    keys: list[OptionKey] = []
    inner: list[tuple[str, type]] = []
    for field in dataclasses.fields(cls):
        if field.name == "kind" and typing.get_origin(hints["kind"]) is typing.Literal:
            meaning = meanings.get("kind") or "which one it is"
            keys.append(OptionKey("kind", _type(hints["kind"]), _default(field), meaning))
            continue
        made = list(_dataclasses(hints[field.name]))
        path = f"{name}.{field.name}".lstrip(".")
        for one, suffix in made:
            kinds = typing.get_type_hints(one).get("kind")
            of_kind = f" (kind {typing.get_args(kinds)[0]})" if kinds and len(made) > 1 else ""
            inner.append((f"{path}{suffix}{of_kind}", one))
        keys.append(
            OptionKey(field.name, _type(hints[field.name]), _default(field), meanings[field.name])
        )
    first = (inspect.getdoc(cls) or "").partition("\n\n")[0]
    yield OptionTable(name, _one_line(first), tuple(keys))
    for path, one in inner:
        yield from option_tables(one, path)


def _meanings(cls: type) -> dict[str, str]:
    """The texts of the "Attributes:" section, of the class or those that it inherits from."""
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        text = inspect.cleandoc(one.__doc__ or "")
        _, _, attributes = text.partition("Attributes:\n")
        for part in re.split(r"\n(?=    \S)", "\n" + re.split(r"\n(?=\S)", attributes)[0])[1:]:
            names, _, meaning = part.strip().partition(":")
            for name in names.split(", "):
                found[name] = _one_line(meaning)
    return found


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not _MISSING:
        return _written(field.default)
    if field.default_factory is not _MISSING:
        return _written(field.default_factory())
    return "required"


def _written(value: Any) -> str:
    if value is None or dataclasses.is_dataclass(value) or isinstance(value, Mapping):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (tuple, list)):
        if any(map(dataclasses.is_dataclass, value)):
            return ""
        return f"[{', '.join(map(_written, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        some = [_type(one) for one in arguments if one is not type(None)]
        return " or ".join(dict.fromkeys(some))
    if origin is typing.Literal:
        return " or ".join(f'"{one}"' for one in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}s".replace("true or falses", "true or false")
    if origin is not None and issubclass(origin, Mapping):
        return f"names to {_type(arguments[1])}s"
    return "table" if dataclasses.is_dataclass(hint) else _PLAIN.get(hint, "path")


def _dataclasses(hint: Any, suffix: str = "") -> Iterator[tuple[type, str]]:
    """The dataclasses in a type, with what the name of their tables ends in."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        yield typing.cast(type, hint), suffix
    elif origin in (typing.Union, types.UnionType):
        for one in arguments:
            yield from _dataclasses(one, suffix)
    elif origin is tuple:
        yield from _dataclasses(arguments[0], suffix + "[]")
    elif origin is not None and origin is not typing.Literal and issubclass(origin, Mapping):
        yield from _dataclasses(arguments[1], suffix + ".NAME")
