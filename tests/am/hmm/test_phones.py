"""The phone table: ids, positions, files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.am.hmm.phones import PhoneTable
from recognizer.data.errors import SpeechError


@pytest.fixture
def table() -> PhoneTable:
    return PhoneTable.from_base(["S", "AH", "SIL", "AH"])


def test_order_of_ids(table: PhoneTable) -> None:
    assert table.symbols == (
        *("<eps>", "SIL", "SPN_S"),
        *("AH_B", "AH_I", "AH_E", "AH_S"),
        *("S_B", "S_I", "S_E", "S_S"),
    )
    assert table.base_phones == ("AH", "S")
    assert table.silence == {1, 2} and table.optional_silence == 1
    assert len(table) == 11 and list(table.ids) == list(range(1, 11))


def test_base_position_and_variants(table: PhoneTable) -> None:
    assert [table.base(i) for i in (0, 1, 2, 3, 10)] == ["<eps>", "SIL", "SPN", "AH", "S"]
    assert [table.position(i) for i in (0, 1, 2, 3, 4, 5, 6)] == ["", "", "S", *"BIES"]
    assert table.variants("S") == (7, 8, 9, 10)
    assert table.variants("SIL") == (1,) and table.variants("SPN") == (2,)


def test_words_get_positions(table: PhoneTable) -> None:
    def names(*phones: str) -> list[str]:
        return [table.symbols[i] for i in table.word_phones(phones)]

    assert names("AH") == ["AH_S"]
    assert names("S", "AH") == ["S_B", "AH_E"]
    assert names("S", "AH", "S", "S") == ["S_B", "AH_I", "S_I", "S_E"]
    assert names("SPN") == ["SPN_S"]
    assert names("SIL") == ["SIL"]


@pytest.mark.parametrize("phones", [(), ("QQ",), ("S", "SIL"), ("S", "SPN"), ("S", "AH_I", "S")])
def test_impossible_words_are_refused(table: PhoneTable, phones: tuple[str, ...]) -> None:
    with pytest.raises(SpeechError, match="expected"):
        table.word_phones(phones)


@pytest.mark.parametrize("phone", ["", "A B", "A_B", "<eps>", "#0"])
def test_impossible_phones_are_refused(phone: str) -> None:
    with pytest.raises(SpeechError, match="phone name"):
        PhoneTable.from_base([phone])


@given(st.sets(st.text("ABCDEFGHIJ", min_size=1, max_size=3), max_size=9))
def test_names_ids_and_variants_agree(base: set[str]) -> None:
    table = PhoneTable.from_base(base)
    assert set(table.base_phones) == base
    for i in table.ids:
        assert table.id(table.symbols[i]) == i
        assert i in table.variants(table.base(i))


def test_round_trip(table: PhoneTable, tmp_path: Path) -> None:
    table.write(tmp_path / "phones.txt")
    assert PhoneTable.read(tmp_path / "phones.txt") == table
    assert (tmp_path / "phones.txt").read_text().splitlines()[1] == "SIL 1"
    assert [p.name for p in tmp_path.iterdir()] == ["phones.txt"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "first symbols"),
        ("<eps> 0\nSIL 2\n", "txt:2: expected 'PHONE 1'"),
        ("<eps> 0\nSIL\n", "txt:2: expected"),
        ("<eps> 0\nSIL 1\nSPN_S 2\nAH_B 3\n", "variants"),
        ("<eps> 0\nSIL 1\nSPN_S 2\nA_B 3\nA_I 4\nA_E 5\nA_E 6\n", "twice"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "phones.txt"
    path.write_text(text)
    with pytest.raises(SpeechError, match=fault) as caught:
        PhoneTable.read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"none\.txt"):
        PhoneTable.read(tmp_path / "none.txt")
