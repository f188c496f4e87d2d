"""What the benchmark of readable text counts, by hand."""

from __future__ import annotations

from itertools import product

import pytest

from benchmarks.recognition.readable import aligned, rows_of, running_words
from recognizer.data.text.tags import TaggedWord
from recognizer.lm.tagging.tag_scores import TagScores


def tagged(text: str) -> list[TaggedWord]:
    """Words with their marks and capital letters, as written."""
    return [
        TaggedWord(one.rstrip(",.?").lower(), one[len(one.rstrip(",.?")) :], case(one))
        for one in text.split()
    ]


def case(word: str) -> str:
    return "capital" if word[0].isupper() else "lower"


def shown(text: str, other: str) -> list[tuple[str | None, str | None]]:
    """The words of the pairs."""
    pairs = aligned(tagged(text), tagged(other))
    return [tuple(one and one.word + one.mark for one in pair) for pair in pairs]


def test_pairs_of_equal_substituted_inserted_and_deleted_words():
    assert shown("Well, go on.", "well go, on.") == [
        ("well,", "well"),
        ("go", "go,"),
        ("on.", "on."),
    ]
    assert shown("go left.", "go lift.") == [("go", "go"), ("left.", "lift.")]
    assert shown("go on.", "go right, on.") == [("go", "go"), (None, "right,"), ("on.", "on.")]
    assert shown("go right, on.", "go on.") == [("go", "go"), ("right,", None), ("on.", "on.")]
    assert shown("go.", "") == [("go.", None)]
    assert shown("", "go.") == [(None, "go.")]
    assert shown("", "") == []


@pytest.mark.parametrize("length", range(4))
def test_each_side_of_the_pairs_is_its_text(length):
    texts = [" ".join(words) for words in product(("a,", "B", "b."), repeat=length)]
    for reference, other in product(texts, ("", "a b,", "B. a, A", "c")):
        pairs = list(aligned(tagged(reference), tagged(other)))
        assert [one for one, _ in pairs if one is not None] == tagged(reference)
        assert [one for _, one in pairs if one is not None] == tagged(other)
        assert (None, None) not in pairs


def test_marks_at_words_left_out_and_put_in_are_errors():
    scores = TagScores()
    scores.add_pairs(aligned(tagged("Well, go on. Stop."), tagged("Go, on. right. stop.")))
    rows = {row["class"]: row for row in rows_of("set", "recognised", scores)}
    assert {row["words"] for row in rows.values()} == {4}
    # Commas: one is at a word that was left out, one was set at a word that has none.
    comma = rows["comma"]
    assert [comma[name] for name in ("occurrences", "precision", "recall", "f1")] == [1, 0, 0, 0]
    # Periods: two of three are right; the third is at a word that was put in.
    period = rows["period"]
    assert [period[name] for name in ("occurrences", "precision", "recall")] == [2, 0.667, 1]
    assert period["f1"] == 0.8
    # Capital letters: of "well" and "stop", none was found; that of "go" is wrong.
    capitals = rows["capitals"]
    assert [capitals[name] for name in ("occurrences", "precision", "f1")] == [2, 0, 0]


def test_the_words_of_a_text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("We left. Did you?\n\nYes, I did.\n")
    words = [one.word + one.mark for one in running_words(path)]
    assert words == ["we", "left.", "did", "you?", "yes,", "i", "did."]
