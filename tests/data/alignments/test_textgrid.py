"""Alignments to TextGrid and back, and TextGrids as Praat and others write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alignments import HELLO, segments
from places import FIXTURES
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.textgrid import TextGridForm, read_textgrid, write_textgrid
from recognizer.data.errors import SpeechError

FORMS: tuple[TextGridForm, ...] = ("long", "short")

MFA = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "jane - words"
        xmin = 0
        xmax = 1.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.1
            text = "hello"
        intervals [3]:
            xmin = 1.1
            xmax = 1.5
            text = ""
    item [2]:
        class = "TextTier"
        name = "events"
        xmin = 0
        xmax = 1.5
        points: size = 1
        points [1]:
            number = 0.7
            mark = "click"
"""


def message(path: Path) -> str:
    with pytest.raises(SpeechError) as caught:
        read_textgrid(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("encoding", "word"), [("", "hello"), ("_utf16", "grüßə")])
def test_files_of_praat_itself(form: TextGridForm, encoding: str, word: str) -> None:
    """Phones before words, points between them, empty labels; see praat/README.md."""
    path = FIXTURES / "praat" / f"{form}{encoding}.TextGrid"
    assert read_textgrid(path) == Alignment(
        f"{form}{encoding}",
        (Segment(word, 0.31, 0.8), Segment('say"so"', 0.8, 1.25)),
        (Segment("HH", 0.31, 0.4), Segment("AH", 0.4, 0.8), Segment("S", 0.8, 1.25)),
    )


@pytest.mark.parametrize("form", FORMS)
def test_textgrid(tmp_path: Path, form: TextGridForm) -> None:
    path = tmp_path / "u.TextGrid"
    write_textgrid(HELLO, path, form=form)
    assert read_textgrid(path) == HELLO
    write_textgrid(HELLO, path, form=form, duration=2.0)
    assert read_textgrid(path) == HELLO
    assert "xmax = 2" in path.read_text() or "\n2\n" in path.read_text()
    write_textgrid(Alignment("u", HELLO.words), path, form=form)
    assert read_textgrid(path) == Alignment("u", HELLO.words)
    write_textgrid(Alignment("u"), path, form=form, duration=1.0)
    assert read_textgrid(path) == Alignment("u")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_textgrid_encodings(tmp_path: Path, form: TextGridForm, encoding: str) -> None:
    path = tmp_path / "u.TextGrid"
    alignment = Alignment("u", (Segment("café", 0.0, 1.0),))
    write_textgrid(alignment, path, form=form)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    assert read_textgrid(path) == alignment


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=segments(10000), phones=segments(100), form=st.sampled_from(FORMS))
def test_textgrid_round_trip(
    tmp_path: Path,
    words: tuple[Segment, ...],
    phones: tuple[Segment, ...],
    form: TextGridForm,
) -> None:
    path = tmp_path / "u.TextGrid"
    alignment = Alignment("u", words, phones)
    write_textgrid(alignment, path, duration=60.0, form=form)
    assert read_textgrid(path) == alignment


def test_tiers_of_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "m.TextGrid"
    path.write_text(MFA)
    assert read_textgrid(path) == Alignment("m", (Segment("hello", 0.5, 1.1),))
    path.write_text(MFA.replace("jane - words", "sentences"))
    assert "phones or phone or MAU, found 'sentences', 'events'" in message(path)
    path.write_text(MFA.replace('"hello"', '"hello there"'))
    assert "expected a label without white space, found 'hello there'" in message(path)
    path.write_text(MFA.replace("xmax = 1.1", "xmax = 0.4"))
    assert f"{path}:21: expected an interval that ends at 0.5 s or later" in message(path)
    path.write_text(MFA.replace("xmin = 1.1", "xmin = 1.0"))
    assert f"{path}:24: expected an interval that begins at 1.1 s or later" in message(path)
    path.write_text(MFA.replace("xmin = 0.5", "xmin = 0.6"))
    assert read_textgrid(path).words == (Segment("hello", 0.6, 1.1),)
    path.write_text(MFA.replace("TextTier", "SpectrumTier"))
    assert "expected IntervalTier or TextTier, found 'SpectrumTier'" in message(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_textgrid_cut_short_is_never_half_read(tmp_path: Path, form: TextGridForm) -> None:
    path = tmp_path / "u.TextGrid"
    write_textgrid(HELLO, path, form=form, duration=2.0)
    text = path.read_text()
    refused = 0
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        try:
            assert read_textgrid(path) == HELLO
        except SpeechError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 0.9 * len(text) / 7


def test_what_is_no_textgrid(tmp_path: Path) -> None:
    path = tmp_path / "x.TextGrid"
    for content in (b"", b"hello", b"[1, 2]", bytes(range(256)), b"\xff\xfe\x00"):
        path.write_bytes(content)
        assert "expected a Praat TextGrid, found something else" in message(path)
    assert "no such file" in message(tmp_path / "no.TextGrid")
    assert "found a directory" in message(tmp_path)


def test_what_no_textgrid_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "u.TextGrid"
    with pytest.raises(SpeechError, match=r"expected a duration of at least 1\.25 s"):
        write_textgrid(HELLO, path, duration=1.0)
    with pytest.raises(SpeechError, match="above 0"):
        write_textgrid(Alignment("u"), path)
    with pytest.raises(SpeechError, match=r"segments of some length, found 'a'"):
        write_textgrid(Alignment("u", (Segment("a", 1.0, 1.0),)), path)
    assert list(tmp_path.iterdir()) == []


SHORT = '''File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
3
"TextTier"
"tones"
0
2.5
2
0.7
"H*"
1.25
"L-L%"
"IntervalTier"
"phones"
0
2.5
4
0
0.5
""
0.5
1
" HH "
1
1.2500000001
"say ""ah"""
1.25
2.5
"   "
"IntervalTier"
"Words"
0
2.5
1
0
2.5
""
'''
READ = Alignment(
    "s", (), (Segment("HH", 0.5, 1.0), Segment('"ah"', 1.0, 1.2500000001))
)  # fmt: skip


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-16-be with mark"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_short_form_points_first_in_every_encoding(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "s.TextGrid"
    text = SHORT.replace('say ""ah""', '""ah""').replace("\n", end)
    if encoding.endswith("mark"):
        path.write_bytes(b"\xfe\xff" + text.encode("utf-16-be"))
    else:
        path.write_bytes(text.encode(encoding))
    assert read_textgrid(path) == READ


def test_comments_old_headers_and_labels_that_look_like_fields(tmp_path: Path) -> None:
    path = tmp_path / "s.TextGrid"
    text = SHORT.replace('say ""ah""', '""ah""')
    text = text.replace('"ooTextFile"', '"ooTextFile short"').replace("Object class = ", "")
    text = text.replace("<exists>", '<exists> ! "a comment"')
    path.write_text(text)
    assert read_textgrid(path) == READ
    tricky = Alignment("s", (Segment("intervals[1]:text=", 0.0, 0.5), Segment('!"', 0.5, 1.0)))
    for form in FORMS:
        write_textgrid(tricky, path, form=form)
        assert read_textgrid(path) == tricky
    path.write_text(SHORT.replace('" HH "', '"HH\nHH"').replace('say ""ah""', "AH"))
    assert "expected a label without white space, found 'HH\\nHH'" in message(path)


def test_numbers_as_praat_takes_them(tmp_path: Path) -> None:
    path = tmp_path / "s.TextGrid"
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n'
    body = '<exists> +1 "IntervalTier" "words" -0s 300% 3this'
    path.write_text(
        f'{head}0. 0x3 {body} 0/4 50% "a" 0.5seconds 0x1.8p0 "b" +3/2 2.3e0!a comment 4 "c"\n"d"\n'
        "what follows 5 is not read"
    )
    assert read_textgrid(path).words == (
        Segment("a", 0.0, 0.5), Segment("b", 0.5, 1.5), Segment("d", 1.5, 2.3),
    )  # fmt: skip
    for wrong in (".5", "nope0", "(0)"):
        path.write_text(f"{head}{wrong} 3 {body}")
        assert ": expected " in message(path)
    path.write_text(f"{head}1/0 3 {body}")
    assert ":3: expected xmin, found 1/0" in message(path)


def test_other_names_of_tiers_and_times_from_the_beginning_of_the_grid(tmp_path: Path) -> None:
    path = tmp_path / "s.TextGrid"
    text = MFA.replace("jane - words", "ORT-MAU").replace("xmin = 0\n", "xmin = 0.25\n")
    path.write_text(text)
    assert read_textgrid(path, words="ort-mau").words == (
        Segment("hello", 0.25, 0.8500000000000001),
    )
    with pytest.raises(SpeechError, match="expected an interval tier 'MAU', found 'ORT-MAU'"):
        read_textgrid(path, phones="MAU")
    path.write_text('File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<absent>\n')
    assert (
        "expected an interval tier words or word or ORT-MAU or phones or phone or MAU, found none"
        in message(path)
    )
    path.write_bytes(b"ooBinaryFile\x08TextGrid")
    assert "expected a TextGrid saved as text, found Praat's binary form" in message(path)


def test_what_does_not_belong_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.TextGrid"
    for old, new, expected in [
        ("<exists>", "", ":7: expected <exists>, or <absent> without tiers, found number 3"),
        ("1.25\n2.5", "1.25\n1.2", ":32: expected an interval that ends at 1.25 s or later"),
        ('"L-L%"', '"L-L%', ""),
        ("0.7", '"0.7"', ":13: expected a point's time, found text 0.7"),
        ("0.7", '"0\n7"', r":13: expected a point's time, found text 0\n7"),
        ("\n4\n", "\n4.5\n", ":21: expected the size of tier 'phones', found 4.5"),
        ("\n4\n", "\n5\n", "expected an interval's xmin, found text IntervalTier"),
        ("\n3\n", "\n4\n", ":42: expected a tier's class, found the end of the file"),
    ]:
        path.write_text(SHORT.replace(old, new, 1))
        assert expected in message(path), new
    path.write_bytes(SHORT.replace("HH", "caf\xe9").encode("latin-1"))
    assert f"{path}:27: expected UTF-8 text, found byte 0xe9" in message(path)


@pytest.mark.parametrize("form", FORMS)
def test_praatio_reads_what_we_write(tmp_path: Path, form: TextGridForm) -> None:
    praatio = pytest.importorskip("praatio.textgrid", reason="praatio is the peer")
    path = tmp_path / "u.TextGrid"
    write_textgrid(HELLO, path, form=form, duration=1.5)
    grid = praatio.openTextgrid(str(path), includeEmptyIntervals=False)
    assert grid.tierNames == ("words", "phones") and grid.maxTimestamp == 1.5
    for name, expected in (("words", HELLO.words), ("phones", HELLO.phones)):
        assert [tuple(entry) for entry in grid.getTier(name).entries] == [
            (segment.start, segment.end, segment.label) for segment in expected
        ]


def grid(*tiers: tuple[str, str], numbers: tuple[str, str] = ("0", "1")) -> str:
    """A TextGrid in short form whose tiers have a name and one label over all its time."""
    start, end = numbers
    parts = [
        f'"IntervalTier"\n"{name}"\n{start}\n{end}\n1\n{start}\n{end}\n"{label}"\n'
        for name, label in tiers
    ]
    head = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n{start}\n{end}\n<exists>\n'
    return f"{head}{len(tiers)}\n{''.join(parts)}"


@pytest.mark.parametrize(
    ("tiers", "options", "labels"),
    [
        ([("words", "a"), ("phones", "A")], {}, ("a", "A")),
        ([("jane - words", "a"), ("jane - phones", "A")], {}, ("a", "A")),
        ([("ORT-MAU", "a"), ("KAN-MAU", "x"), ("MAU", "A")], {}, ("a", "A")),
        ([("Word", "a"), ("Phone", "A")], {}, ("a", "A")),
        ([("words", "a"), ("ORT-MAU", "x"), ("MAU", "A")], {}, ("a", "A")),
        ([("jane - words", "x"), ("words", "a")], {}, ("a", None)),
        (
            [("Ana Tx", "a"), ("Ana Ph", "A"), ("Bo Tx", "x")],
            {"words": "Ana Tx", "phones": "ana ph"},
            ("a", "A"),
        ),
        (
            [("jane - words", "x"), ("john - words", "a"), ("john - phones", "A")],
            {"words": "john - words"},
            ("a", "A"),
        ),
        ([("words", "x"), ("ORT-MAU", "a")], {"words": "ORT-MAU"}, ("a", None)),
    ],
)
def test_tiers_are_chosen_by_name(
    tmp_path: Path,
    tiers: list[tuple[str, str]],
    options: dict[str, str],
    labels: tuple[str | None, str | None],
) -> None:
    path = tmp_path / "u.TextGrid"
    path.write_text(grid(*tiers))
    found = read_textgrid(path, **options)
    for label, tier in zip(labels, (found.words, found.phones), strict=True):
        assert [one.label for one in tier] == ([] if label is None else [label])


def test_two_speakers_are_not_one(tmp_path: Path) -> None:
    path = tmp_path / "u.TextGrid"
    path.write_text(grid(("jane - words", "a"), ("john - words", "b")))
    expected = "one tier of words, or the name of the one to take, found 'jane - words', 'john"
    assert expected in message(path)


@pytest.mark.parametrize(
    ("number", "seconds"), [("1,25", 1.25), ("0,5", 0.5), ("12,000s", 12.0), ("1.25", 1.25)]
)
def test_decimal_commas(tmp_path: Path, number: str, seconds: float) -> None:
    path = tmp_path / "u.TextGrid"
    path.write_text(grid(("words", "a"), numbers=("0", number)))
    assert read_textgrid(path).words == (Segment("a", 0.0, seconds),)


@pytest.mark.parametrize("number", ["1,234.5", "1,2,3", "1,"])
def test_other_commas_are_no_numbers(tmp_path: Path, number: str) -> None:
    path = tmp_path / "u.TextGrid"
    path.write_text(grid(("words", "a"), numbers=("0", number)))
    assert f"u.TextGrid:5: expected xmax, found {number}" in message(path)
