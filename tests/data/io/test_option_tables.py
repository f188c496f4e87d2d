"""Tables of options with the keys, types, defaults and meanings of their dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from recognizer.data.io.option_tables import OptionKey, option_tables


@dataclass(frozen=True)
class Horn:
    """A horn.

    Attributes:
        kind: which one.
        bell: its width,
            in cm.
    """

    kind: Literal["horn"] = "horn"
    bell: float = 30.0


@dataclass(frozen=True)
class Drum:
    """A drum."""

    kind: Literal["drum"] = "drum"


@dataclass(frozen=True)
class Band:
    """A band that plays.

    More about bands.

    Attributes:
        name: what it is called.
        players: how many; None: unknown.
        loud: whether it is.
        styles: of music.
        instruments: all of them.
        by_town: where a horn is lent.
        horn: the best one.
    """

    name: str
    players: int | None = None
    loud: bool = True
    styles: tuple[str, ...] = ("jazz", "folk")
    instruments: tuple[Horn | Drum, ...] = ()
    by_town: Mapping[str, Horn] = field(default_factory=dict)
    horn: Horn | None = None


def test_all_tables_of_a_file() -> None:
    band, *inner = option_tables(Band)
    assert (band.name, band.meaning) == ("", "A band that plays.")
    assert band.keys == (
        OptionKey("name", "string", "required", "what it is called."),
        OptionKey("players", "integer", "", "how many; None: unknown."),
        OptionKey("loud", "true or false", "true", "whether it is."),
        OptionKey("styles", "list of strings", '["jazz", "folk"]', "of music."),
        OptionKey("instruments", "list of tables", "[]", "all of them."),
        OptionKey("by_town", "names to tables", "", "where a horn is lent."),
        OptionKey("horn", "table", "", "the best one."),
    )
    assert [table.name for table in inner] == [
        "instruments[] (kind horn)",
        "instruments[] (kind drum)",
        "by_town.NAME",
        "horn",
    ]
    assert inner[0].keys == (
        OptionKey("kind", '"horn"', '"horn"', "which one."),
        OptionKey("bell", "number", "30", "its width, in cm."),
    )
