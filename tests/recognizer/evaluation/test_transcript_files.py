"""Transcript files and pairs of them: read as sclite reads them, refused in one line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.data.errors import SpeechError, UsageError
from recognizer.evaluation.transcript_files import (
    TranscriptOptions,
    read_transcripts,
    read_trn,
    transcript_pairs,
    write_trn,
)
from sclite_peer import our_counts, sclite_counts

WORDS = st.lists(st.sampled_from(["a", "b", "*", "d"]), max_size=8)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.text("abc'", min_size=1, max_size=4), WORDS), unique_by=lambda x: x[0])
)
def test_trn_files_are_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("trn") / "some.trn"
    write_trn(path, rows)
    assert read_trn(path) == {name: tuple(words) for name, words in rows}


def test_a_bad_trn_line_is_named(tmp_path: Path):
    path = tmp_path / "bad.trn"
    path.write_text("a b (one)\nno name here\n")
    with pytest.raises(SpeechError, match=r"bad\.trn:2: "):
        read_trn(path)
    path.write_text("a (one)\nb (one)\n")
    with pytest.raises(SpeechError, match="trn:2: utterance 'one' a second time"):
        read_trn(path)


def test_kaldi_text_is_read(tmp_path: Path):
    path = tmp_path / "text"
    path.write_text("u1 A b\nu2\n;; comment\nu3\tc {d}\t(e)\n  u4  f\n")
    words = {"u1": ("a", "b"), "u2": (), "u3": ("c", "{d}", "(e)"), "u4": ("f",)}
    assert read_transcripts(path) == words
    told_apart = read_transcripts(path, options=TranscriptOptions(case_sensitive=True))
    assert told_apart == words | {"u1": ("A", "b")}


def test_the_notation_of_sclite(tmp_path: Path):
    path = tmp_path / "some.trn"
    path.write_text(";; a comment (x)\n**info (y)\n\na;tag;tag b* * (c) (one)\n{ x / @ } Y (two)\n")
    found = read_trn(path)
    assert list(found) == ["one", "two"]
    assert found["one"] == ("a", "b", "*", "(c)")
    network = found["two"]
    assert network.words == ("x", "@", "y")
    assert network.predecessors == ((-1,), (-1,), (0, 1))
    assert network.finals == (2,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a { b / c", r"expected a closing brace of '{ b / c ', found none"),
        ("a } b", "expected braces around alternatives only, found '}'"),
        ("a{ b }", "expected braces around alternatives only, found 'a{'"),
        ("a { / } b", "expected alternatives in braces, found '{ / }'"),
    ],
)
def test_braces_that_do_not_match_are_named(tmp_path: Path, text: str, message: str):
    path = tmp_path / "some.trn"
    path.write_text(f"a (one)\n{text} (two)\n")
    with pytest.raises(SpeechError, match=f"some.trn:2: {message}"):
        read_trn(path)


def some_text(generator: random.Random, depth: int, number: int) -> str:
    """Words, optional words, empty words, and nested alternatives."""
    parts = []
    for _ in range(number):
        draw = generator.random()
        if draw < 0.25 and depth:
            alternatives = [
                some_text(generator, depth - 1, generator.randint(1, 3))
                if generator.random() < 0.8
                else "@"
                for _ in range(generator.randint(1, 3))
            ]
            parts.append(f"{{ {' / '.join(alternatives)} }}")
        elif draw < 0.35:
            parts.append(f"({generator.choice('abC')})")
        else:
            parts.append("@" if draw < 0.4 else generator.choice(["a", "b", "C", "d*", "*"]))
    return " ".join(parts)


ALL_OPTIONS = [
    TranscriptOptions(),
    TranscriptOptions(optional_words=True),
    TranscriptOptions(case_sensitive=True),
]


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=["plain", "optional", "case"])
def test_sclite_counts_the_same_of_alternatives(tmp_path: Path, options: TranscriptOptions):
    generator = random.Random(3)
    reference, hypothesis = tmp_path / "ref.trn", tmp_path / "hyp.trn"
    for path, depth in ((reference, 2), (hypothesis, 1)):
        lines = [
            f"{some_text(generator, depth, generator.randint(0, 9))} (s-{number})\n"
            for number in range(1500)
        ]
        path.write_text(";; comment\n" + "".join(lines))
    theirs = sclite_counts(reference, hypothesis, options)
    assert len(theirs) == 1500
    assert our_counts(transcript_pairs(reference, hypothesis, options=options)) == theirs


def ctm_lines(generator: random.Random, end: float) -> list[str]:
    """Words and alternatives from the recording's beginning to some time."""
    lines, time = [], 0.0
    while time < end:
        time += generator.random() * 0.4
        duration = generator.random() * 0.4
        if generator.random() < 0.1:
            lines.append("* * <ALT_BEGIN>")
            for number in range(generator.randint(1, 3)):
                if number:
                    lines.append("* * <ALT>")
                lines.append(f"{time:.2f} {duration / 2:.2f} {generator.choice('abcd')}")
            lines.append("* * <ALT_END>")
        else:
            word = generator.choice(["a", "b", "C", "d", "(a)", "@"])
            lines.append(f"{time:.2f} {duration:.2f} {word} 0.5")
        time += duration
    return lines


@pytest.mark.parametrize("options", ALL_OPTIONS, ids=["plain", "optional", "case"])
def test_sclite_gives_the_segments_the_same_words(tmp_path: Path, options: TranscriptOptions):
    """Gaps, ignored segments, labels, recordings without words, and words behind the end."""
    generator = random.Random(5)
    segments, words = [], []
    for recording in range(30):
        for channel in "AB":
            time = 0.0
            for _ in range(generator.randint(1, 8)):
                start = time + generator.choice([0.0, 0.3])
                time = start + generator.random() * 3
                text = some_text(generator, 1, generator.randint(0, 6))
                if generator.random() < 0.15:
                    text = "IGNORE_TIME_SEGMENT_IN_SCORING"
                label = generator.choice(["", "<o,M> "])
                speaker = f"spk{generator.randint(1, 3)}"
                name = f"f{recording:02d} {channel}"
                segments.append(f"{name} {speaker} {start:.2f} {time:.2f} {label}{text}\n")
            if generator.random() < 0.9:
                lines = ctm_lines(generator, time + 1)
                words += [f"f{recording:02d} {channel} {line}\n" for line in lines]
    reference, hypothesis = tmp_path / "ref.stm", tmp_path / "hyp.ctm"
    reference.write_text(";; comment\n" + "".join(segments))
    hypothesis.write_text(";; comment\n" + "".join(words))
    pairs = transcript_pairs(reference, hypothesis, options=options)
    assert any(pair.missing for pair in pairs)
    theirs = sclite_counts(reference, hypothesis, options)
    assert len(theirs) == len(pairs) > 100
    assert our_counts(pairs) == theirs


def test_segments_by_hand(tmp_path: Path):
    """What the rules say, without sclite; neither file is sorted."""
    reference, hypothesis = tmp_path / "ref.stm", tmp_path / "hyp.ctm"
    reference.write_text(
        "f 1 ann 2.0 3.0 three\nf 1 bob 0 1.0 <o,male> one { two / @ }\n"
        "f 1 bob 1.0 2.0 IGNORE_TIME_SEGMENT_IN_SCORING\ng 1 ann 0 1\n"
    )
    hypothesis.write_text(
        "f 1 9.0 0.1 late\nf 1 0.0 0.5 ONE\nf 1 0.9 0.1 two\nf 1 0.9 0.2 hidden\n"
        "f 1 2.5 0.1 three\n"
    )
    first, second, third = transcript_pairs(reference, hypothesis)
    assert (first.utterance, first.speaker) == ("bob-000", "bob")
    assert first.hypothesis == ("one", "two")
    assert (second.utterance, second.hypothesis) == ("ann-000", ("three", "late"))
    assert (third.utterance, third.reference, third.missing) == ("ann-001", (), True)


def test_two_files_of_the_same_segments(tmp_path: Path):
    reference, hypothesis = tmp_path / "ref.stm", tmp_path / "hyp.stm"
    reference.write_text(
        "f 1 ann 1.0 2.0 two\nf 1 ann 0 1.0 <x> One { a / @ }\nf 2 bob 0 1 three\n"
        "f 2 bob 1 2 IGNORE_TIME_SEGMENT_IN_SCORING\n"
    )
    hypothesis.write_text("f 2 b 1 2 x\nf 1 a 0 1 one a\nf 1 a 1 2.0001 too\n")
    pairs = transcript_pairs(reference, hypothesis)
    assert [pair.utterance for pair in pairs] == ["ann-000", "ann-001", "bob-000"]
    assert [pair.hypothesis for pair in pairs] == [("one", "a"), ("too",), ()]
    assert [pair.missing for pair in pairs] == [False, False, True]
    assert our_counts(pairs)["ann-000"] == (2, 0, 0, 0)
    hypothesis.write_text("f 1 a 0 1.5 one\n")
    with pytest.raises(SpeechError, match=r"hyp\.stm:1: expected the times of a segment of "):
        transcript_pairs(reference, hypothesis)
    hypothesis.write_text("f 1 a 0 1 one\nf 1 b 0 1 two\n")
    with pytest.raises(SpeechError, match=r"hyp\.stm:2: expected segments of other times"):
        transcript_pairs(reference, hypothesis)


def test_recordings_of_ctm_files_are_utterances(tmp_path: Path):
    reference, hypothesis, text = tmp_path / "a.ctm", tmp_path / "b.ctm", tmp_path / "text"
    reference.write_text("f 1 0 1 one\nf 2 0 1 two\ng 1 0 1 three\n")
    hypothesis.write_text("f 2 0 1 two 0.5\ng 1 1 1 four\ng 1 0 1 three\n")
    pairs = {pair.utterance: pair for pair in transcript_pairs(reference, hypothesis)}
    assert list(pairs) == ["f-1", "f-2", "g"]
    assert pairs["f-1"].missing
    assert pairs["f-2"].hypothesis == ("two",)
    assert pairs["g"].hypothesis == ("three", "four")
    text.write_text("g three\nf two\n")
    assert [pair.hypothesis for pair in transcript_pairs(text, hypothesis)] == [
        ("three", "four"),
        ("two",),
    ]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("a.stm", "f 1 s 0\n", "a.stm:1: expected recording, channel, speaker, start and end"),
        ("a.stm", "f 1 s 0 x w\n", "a.stm:1: expected recording, channel, speaker, start and end"),
        ("a.stm", "f 1 s 2 1 w\n", "a.stm:1: expected start <= end in seconds, found 2.0 1.0"),
        ("a.stm", "f 1 s 0 1 { w\n", "a.stm:1: expected a closing brace"),
        ("b.ctm", "f 1 0 1\n", "b.ctm:1: expected recording, channel, start, duration, word"),
        ("b.ctm", "f 1 0 nan w\n", "b.ctm:1: expected recording, channel, start, duration, word"),
        ("b.ctm", "f 1 * * <ALT>\n", "b.ctm:1: expected <ALT_BEGIN> before <ALT>, found none"),
        ("b.ctm", "f 1 * * <ALT_BEGIN>\nf 1 0 1 w\n", "b.ctm:1: expected <ALT_END> behind it"),
        (
            "b.ctm",
            "g 1 0 1 w\n",
            "b.ctm: expected recordings of .*a.stm, found 'g' with",
        ),
        ("a.stm", ";; nothing\n", "b.ctm: expected recordings of"),
    ],
)
def test_faults_of_time_marked_files_are_one_line(tmp_path: Path, name, lines, message):
    good = {"a.stm": "f 1 s 0 1 w\n", "b.ctm": "f 1 0 1 w\n"} | {name: lines}
    for file, text in good.items():
        (tmp_path / file).write_text(text)
    with pytest.raises(SpeechError, match=message) as caught:
        transcript_pairs(tmp_path / "a.stm", tmp_path / "b.ctm")
    assert "\n" not in str(caught.value)


def test_formats_that_do_not_go_together(tmp_path: Path):
    for name in ("a.stm", "b.trn"):
        (tmp_path / name).write_text("w (a)\n")
    for reference, hypothesis in (("a.stm", "b.trn"), ("b.trn", "a.stm"), ("c.ctm", "a.stm")):
        with pytest.raises(UsageError, match="expected a ctm or an stm beside an stm"):
            transcript_pairs(tmp_path / reference, tmp_path / hypothesis)
    with pytest.raises(UsageError, match="expected trn, text or ctm, found an stm"):
        read_transcripts(tmp_path / "a.stm")
    (tmp_path / "empty.trn").write_text("\n")
    with pytest.raises(SpeechError, match=r"empty\.trn: expected utterances, found none"):
        transcript_pairs(tmp_path / "empty.trn", tmp_path / "empty.trn")
