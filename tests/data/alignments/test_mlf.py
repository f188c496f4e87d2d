"""HTK's master label files, as HVite, HInit's users and we write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alignments import HELLO, segments
from recognizer.data.alignments.alignment import Alignment, Segment, Tier
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.alignments.mlf import SILENCES, UNITS, read_mlf, write_mlf
from recognizer.data.errors import SpeechError

STATES = """#!MLF!#
"*/one.rec"
0 300000 s2 -210.5 sil -1500.25 SENT-START
300000 1000000 s3 -190
1000000 1500000 s2 -10.0 sil-hh+ah -33.0 hello
1500000 1600000 s3 -11.0
1600000 2000000 s2 -9e-1 hh-ah+sp -40
2000000 2500000 s2 -1 sp -1
2500000 2600000 s2 -5 ah -5 a
.

"/some/where/two.lab"
0 100000 s2 -1 sil
.
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def only(path: Path, level: Tier | None = None) -> Alignment:
    (alignment,) = read_mlf(path, level=level)
    return alignment


def test_states_with_their_phones_and_words(tmp_path: Path) -> None:
    one, two = read_mlf(write(tmp_path / "a.mlf", STATES))
    assert one.utterance == "one" and two.utterance == "two"
    assert one.states == (
        Segment("sil.s2", 0.0, 0.03),
        Segment("sil.s3", 0.03, 0.1),
        Segment("hh.s2", 0.1, 0.15),
        Segment("hh.s3", 0.15, 0.16),
        Segment("ah.s2", 0.16, 0.2),
        Segment("sp.s2", 0.2, 0.25),
        Segment("ah.s2", 0.25, 0.26),
    )
    assert one.phones == (
        Segment("sil", 0.0, 0.1),
        Segment("hh", 0.1, 0.16),
        Segment("ah", 0.16, 0.2),
        Segment("sp", 0.2, 0.25),
        Segment("ah", 0.25, 0.26),
    )
    # The pause after a word is no part of it, and the one at the beginning no word.
    assert one.words == (Segment("hello", 0.1, 0.2), Segment("a", 0.25, 0.26))
    assert two.phones == (Segment("sil", 0.0, 0.01),) and two.words == ()


def test_phones_with_words_scores_quotes_and_alternatives(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.mlf",
        '#!MLF!#\n"*/u.lab"\n0 100000 sil\n100000 200000 z -5.5 "7"\n200000 300000 "\\"eh" -1\n'
        "300000 400000 'n' no\\077\n///\n0 400000 other\n.\n",
    )
    assert only(path) == Alignment(
        "u",
        (Segment("7", 0.01, 0.03), Segment("no?", 0.03, 0.04)),
        (
            Segment("sil", 0.0, 0.01),
            Segment("z", 0.01, 0.02),
            Segment('"eh', 0.02, 0.03),
            Segment("n", 0.03, 0.04),
        ),
    )
    words = write(tmp_path / "w.mlf", '#!MLF!#\n"u.lab"\n0 100000 sil\n100000 200000 9 -5.5\n.\n')
    assert only(words, "words").words == (Segment("sil", 0.0, 0.01), Segment("9", 0.01, 0.02))
    states = write(tmp_path / "s.mlf", '#!MLF!#\n"u.lab"\n0 100000 ST_ah_2_1\n100000 200000 x\n.\n')
    assert [s.label for s in only(states, "states").states] == ["ST_ah_2_1", "x"]


def test_model_level_output_of_forced_alignment(tmp_path: Path) -> None:
    """Lines of the forms that the HTK book shows for HVite -a -m."""
    path = write(
        tmp_path / "a.mlf",
        "#!MLF!#\n\"'*'/a_1.373_7.131.rec\"\n0 7500000 sil -5.0 SILENCE\n"
        "7500000 8700000 f -1081.604736 FOUR 30.000000\n8700000 9800000 ao -903.821350\n"
        "9800000 10400000 r -665.931641\n10400000 10400000 sp -0.103585\n"
        "10400000 11700000 s -1266.470093 SEVEN 22.860001\n11700000 12500000 eh -765.568237\n"
        "12500000 12500000 sp -0.1\n12500000 13000000 sil -1 sil\n.\n",
    )
    found = only(path)
    assert found.utterance == "a_1.373_7.131"
    assert found.words == (Segment("FOUR", 0.75, 1.04), Segment("SEVEN", 1.04, 1.25))
    assert [p.label for p in found.phones] == ["sil", "f", "ao", "r", "s", "eh", "sil"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(phones=segments(16_000))
def test_round_trip_of_any_tier(tmp_path: Path, phones: tuple[Segment, ...]) -> None:
    path = tmp_path / "u.mlf"
    if not phones:
        return
    given = Alignment("a.b", phones, (), phones)
    for tier in ("words", "states"):
        write_mlf([given], path, tier=tier)
        found = only(path, tier)
        assert found.utterance == "a.b" and found.tier(tier) == phones


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["SIL", "sp", "AH", "T", "x'y", "7"]),
            st.integers(1, 10**6),  # length
            st.sampled_from([0, 0, 1, 5000]),  # and gap before it, in units of 100 ns
            st.booleans(),  # whether a word begins with it
        ),
        max_size=12,
    )
)
def test_round_trip_of_phones_and_words(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, bool]]
) -> None:
    """With pauses between and within what is said, and gaps."""
    phones: list[Segment] = []
    words: list[Segment] = []
    end = 0
    for label, length, gap, begins in steps:
        start, end = end + gap, end + gap + length
        phones.append(Segment(label, start / UNITS, end / UNITS))
        if label in SILENCES:
            continue
        if begins or not words:
            words.append(Segment(f"w{len(words)}", start / UNITS, end / UNITS))
        else:
            words[-1] = Segment(words[-1].label, words[-1].start, end / UNITS)
    if not phones:
        return
    path = tmp_path_factory.mktemp("mlf") / "u.mlf"
    given = Alignment("u", tuple(words), tuple(phones))
    write_mlf([given], path)
    found = only(path)
    assert found == given


@pytest.mark.parametrize(
    ("words", "phones", "what"),
    [
        ([("a", 0.0, 0.15)], [("x", 0.0, 0.1), ("y", 0.1, 0.2)], "words: .* hold a from 0.0 s"),
        ([("a", 0.05, 0.2)], [("x", 0.0, 0.1), ("y", 0.1, 0.2)], "words: .* hold a from 0.05 s"),
        ([("a", 0.0, 0.1)], [], "words: .* hold a from 0.0 s"),
        ([("a", 0.0, 0.1)], [("x", 0.0, 0.1), ("y", 0.1, 0.2)], "words: .* hold a from 0.0 s"),
        ([], [("ax-h", 0.0, 0.1)], "phones: .* hold ax-h from 0.0 s"),
        ([], [("a+", 0.0, 0.1)], "phones: .* hold a\\+ from 0.0 s"),
    ],
)
def test_what_a_label_file_cannot_say(
    tmp_path: Path,
    words: list[tuple[str, float, float]],
    phones: list[tuple[str, float, float]],
    what: str,
) -> None:
    given = Alignment("u", *(tuple(Segment(*one) for one in tier) for tier in (words, phones)))
    with pytest.raises(SpeechError, match=f"utterance u: {what}: expected words from phone"):
        write_mlf([given], tmp_path / "u.mlf")
    assert not list(tmp_path.iterdir())


def test_silences_may_be_called_otherwise(tmp_path: Path) -> None:
    text = '#!MLF!#\n"*/u.lab"\n0 100000 a one\n100000 200000 pau\n200000 300000 b two\n.\n'
    (found,) = read_mlf(write(tmp_path / "u.mlf", text), silences=("pau",))
    assert found.words == (Segment("one", 0.0, 0.01), Segment("two", 0.02, 0.03))


def test_round_trip_of_phones_with_words(tmp_path: Path) -> None:
    write_mlf([HELLO], tmp_path / "u.mlf")
    assert only(tmp_path / "u.mlf") == HELLO
    with pytest.raises(SpeechError, match="expected an id that a pattern can name"):
        write_mlf([Alignment("a/b", HELLO.words)], tmp_path / "v.mlf")
    assert [p.name for p in tmp_path.iterdir()] == ["u.mlf"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.mlf:1: expected #!MLF!#, found ''"),
        ("#!MLF!#\nu.lab\n", "a.mlf:2: expected the pattern of a label file"),
        ('#!MLF!#\n"*/u.lab" -> "dir"\n', "a.mlf:2: expected the pattern of a label file"),
        ('#!MLF!#\n"*/u?.lab"\n', "a.mlf:2: expected a pattern that names one utterance"),
        ('#!MLF!#\n"*/u.lab"\n0 1 a\n', "a.mlf: cut short: expected a line '.'"),
        ('#!MLF!#\n"*/u.lab"\n2 1 a\n.\n', "a.mlf:3: expected an end of at least 2, found 1"),
        ('#!MLF!#\n"*/u.lab"\na\n.\n', "a.mlf:3: u: expected a start and an end, found a label"),
        ('#!MLF!#\n"*/u.lab"\n.\n', "a.mlf:2: u: expected labels, found none"),
        ('#!MLF!#\n"*/u.lab"\n0 9 a\n.\n"*/u.lab"\n', "a.mlf:5: expected each utterance once"),
        (
            '#!MLF!#\n"*/u.lab"\n0 900000 a\n100000 1000000 b\n.\n',
            "a.mlf:2: utterance u: expected segments that do not overlap",
        ),
    ],
)
def test_faulty_files(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SpeechError) as caught:
        list(read_mlf(write(tmp_path / "a.mlf", text)))
    assert expected in str(caught.value)


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    text = '#!MLF!#\n"*/u.lab"\na\n.\n"*/v.lab"\n.\n"*/w.lab"\n0 100000 a\n.\n'
    exclusions = Exclusions()
    found = list(read_mlf(write(tmp_path / "a.mlf", text), exclusions=exclusions))
    assert [one.utterance for one in found] == ["w"]
    assert exclusions.counts == {"labels without times": 1, "no labels": 1}


@pytest.mark.parametrize("word", ["été", "мир", "日本", "a\U0001f600b"])
def test_octal_escapes_are_the_bytes_of_utf8(tmp_path: Path, word: str) -> None:
    path = tmp_path / "a.mlf"
    escaped = "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in word.encode())
    for label in (escaped, f'"{escaped}"', word):
        path.write_text(f'#!MLF!#\n"*/{escaped}.lab"\n0 100000 {label}\n.\n', encoding="utf-8")
        (found,) = read_mlf(path, level="words")
        assert (found.utterance, found.words[0].label) == (word, word)


def test_octal_escapes_of_another_encoding_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mlf"
    path.write_text('#!MLF!#\n"*/u.lab"\n0 100000 \\351t\\351\n.\n')
    with pytest.raises(SpeechError, match=r"a.mlf:3: expected octal escapes of UTF-8 text"):
        list(read_mlf(path))


def test_a_directory_of_windows_is_no_escape(tmp_path: Path) -> None:
    path = tmp_path / "a.mlf"
    path.write_text('#!MLF!#\n"C:\\data\\200\\u.lab"\n0 100000 a\n.\n')
    assert [one.utterance for one in read_mlf(path)] == ["u"]
