"""Tables mapped onto dataclasses: exact back and forth, and every kind of wrong table."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io import options


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    names: tuple[str, ...] = ()

    def __post_init__(self):
        if self.rate < 0:
            raise UsageError(f"rate: expected at least 0, found {self.rate}")


@dataclass(frozen=True)
class Circle:
    kind: Literal["circle"] = "circle"
    radius: int = 1


@dataclass(frozen=True)
class Square:
    kind: Literal["square"] = "square"
    side: int = 1


@dataclass(frozen=True)
class Outer:
    name: str
    count: int = 1
    deep: bool = False
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] = field(default_factory=dict)
    maybe: int | None = None
    either: float | str | tuple[Circle | Square, ...] = 1.0


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
INNER = st.builds(Inner, rate=st.floats(0, 100), names=st.lists(TEXT, max_size=3).map(tuple))
OUTER = st.builds(
    Outer,
    name=TEXT,
    count=st.integers(-(2**60), 2**60),
    deep=st.booleans(),
    inner=INNER,
    many=st.lists(INNER, max_size=2).map(tuple),
    named=st.dictionaries(TEXT, INNER, max_size=2),
    maybe=st.none() | st.integers(0, 9),
    either=st.floats(0, 100)
    | TEXT
    | st.lists(
        st.builds(Circle, radius=st.integers(0, 9)) | st.builds(Square, side=st.integers(0, 9)),
        max_size=3,
    ).map(tuple),
)


@given(OUTER)
def test_any_options_survive_toml(tmp_path_factory, value: Outer):
    path = tmp_path_factory.mktemp("toml") / "o.toml"
    path.write_text(options.to_toml(value), encoding="utf-8")
    assert options.from_table(Outer, options.read_toml(path), "o.toml") == value


def test_all_faults_of_a_file_are_told_at_once():
    table = {"nam": "a", "count": 1.5, "inner": {"rate": -1, "names": "b"}, "many": [{"x": 1}]}
    with pytest.raises(SpeechError) as caught:
        options.from_table(Outer, table, "m")
    inner = ", ".join(field.name for field in dataclasses.fields(Inner))
    assert str(caught.value).split("; ") == [
        "m: unknown key 'nam' (did you mean 'name'?)",
        "m: the key 'name' is missing",
        "m: count: expected an integer, found 1.5",
        "m: inner: names: expected a list, found 'b'",
        f"m: many[0]: unknown key 'x' (known: {inner})",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("count = 2", "m: the key 'name' is missing"),
        ("name = 'a'\nbeem = 3", "m: unknown key 'beem' .known: name, count"),
        ("name = 3", "m: name: expected a string, found 3"),
        ("name = 'a'\ncount = 1.5", "m: count: expected an integer, found 1.5"),
        ("name = 'a'\ncount = true", "m: count: expected an integer, found True"),
        ("name = 'a'\ndeep = 1", "m: deep: expected true or false, found 1"),
        ("name = 'a'\ninner = 1", "m: inner: expected a table, found 1"),
        ("name = 'a'\n[inner]\nrate = true", "m: inner: rate: expected a number, found True"),
        ("name = 'a'\n[inner]\nx = 1", "m: inner: unknown key 'x'"),
        ("name = 'a'\n[inner]\nnames = 'b'", "m: inner: names: expected a list, found 'b'"),
        ("name = 'a'\n[[many]]\nnames = [1]", r"m: many\[0\]: names\[0\]: expected a string"),
        ("name = 'a'\neither = true", "m: either: expected a number, found True"),
        ("name = 'a'\n[either]", "m: either: expected a number, found {}"),
        ("name = 'a'\neither = [1]", r"m: either\[0\]: expected a table, found 1"),
        ("name = 'a'\n[[either]]", r"m: either\[0\]: expected a key kind, found {}"),
        (
            "name = 'a'\n[[either]]\nkind = 'ring'",
            r"m: either\[0\]: kind: expected 'circle' or 'square', found 'ring'",
        ),
        (
            "name = 'a'\n[[either]]\nkind = 'square'\nradius = 2",
            r"m: either\[0\]: unknown key 'radius'",
        ),
        ("name = 'a'\n[named.x]\nrate = -1", "m: named.x: rate: expected at least 0"),
    ],
)
def test_wrong_tables_are_named(tmp_path: Path, text: str, message: str):
    path = tmp_path / "o.toml"
    path.write_text(text)
    with pytest.raises(SpeechError, match=message):
        options.from_table(Outer, options.read_toml(path), "m")


def test_an_integer_stands_for_a_number(tmp_path: Path):
    assert options.from_table(Inner, {"rate": 2}, "m") == Inner(rate=2.0)


def test_unreadable_files(tmp_path: Path):
    with pytest.raises(SpeechError, match=r"none\.toml: no such file"):
        options.read_toml(tmp_path / "none.toml")
    with pytest.raises(SpeechError, match="cannot be read"):
        options.read_toml(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"a = 1\nb = = 2\n")
    with pytest.raises(SpeechError, match=r"bad\.toml: not TOML: .*line 2"):
        options.read_toml(tmp_path / "bad.toml")
    (tmp_path / "latin.toml").write_bytes(b"a = '\xe9'\n")
    with pytest.raises(SpeechError, match="byte 5: not UTF-8"):
        options.read_toml(tmp_path / "latin.toml")
