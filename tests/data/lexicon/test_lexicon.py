"""Lexicons, and writing what can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation

READ_D = Pronunciation("read", ("R", "EH", "D"))
READ_I = Pronunciation("read", ("R", "IY", "D"))
A = Pronunciation("a", ("AH",))


def test_faulty_entries() -> None:
    for word, phones in [("", ("A",)), ("two words", ("A",)), ("a", ()), ("a", ("A B",))]:
        with pytest.raises(SpeechError):
            Pronunciation(word, phones)


def test_parts_of_a_lexicon() -> None:
    whole = Lexicon([READ_D, A, READ_I])
    assert list(whole) == [A, READ_D, READ_I]
    assert list(whole.restricted_to(["read", "unknown", "read"])) == [READ_D, READ_I]
    assert whole.merged_with(Lexicon([Pronunciation("b", ("B",))])).words == ("a", "b", "read")
    assert whole == Lexicon([A, READ_D, READ_I])
    assert whole != Lexicon([A])
    with pytest.raises(KeyError):
        whole["unknown"]


LABELS = st.text(
    st.characters(min_codepoint=33, exclude_categories=("Cs", "Z", "Cc")), min_size=1, max_size=8
).filter(lambda label: label.split() == [label])
ENTRIES = st.builds(
    Pronunciation,
    LABELS,
    st.lists(LABELS, min_size=1, max_size=5).map(tuple),
    st.floats(0.0, 1.0, exclude_min=True),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(entries=st.lists(ENTRIES, min_size=1, max_size=10))
def test_what_is_written_is_read_again(tmp_path: Path, entries: list[Pronunciation]) -> None:
    """Also words with capitals, phones that are numbers, and names that begin with #."""
    written = Lexicon(entries)
    written.write(tmp_path / "lexicon.txt")
    assert Lexicon.read(tmp_path / "lexicon.txt") == written


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a 1.0 AH\nb B IY\n", "lexicon.txt:2: expected a word, a probability and phones, found"),
        ("a 1.0\n", "lexicon.txt:1: expected a word, a probability and phones, found 'a 1.0'"),
        ("\n", "lexicon.txt:1: expected a word, a probability and phones, found ''"),
        ("a 2 AH\n", "lexicon.txt:1: word 'a': expected a probability in (0, 1], found 2.0"),
        ("", "lexicon.txt: expected a lexicon, found no entries"),
    ],
)
def test_a_damaged_lexicon_of_a_model(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_text(content)
    with pytest.raises(SpeechError) as caught:
        Lexicon.read(path)
    assert expected in str(caught.value)
