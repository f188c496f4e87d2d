"""Pronunciation scores beside those of experts: `benchmarks.alignment.human_scores`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.alignment.expert_scores import ExpertWord, marked_phones, read_expert_scores
from benchmarks.alignment.human_scores import compared, expert_phones, mapped, rows
from recognizer.alignment.corpus.pronunciation import PhoneScore, WordScore
from recognizer.data.alignments.alignment import Segment
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError

BEAR = {"text": "BEAR", "accuracy": [3, 7], "phones": ["B (EH) R", "B {AR0} [L]"]}


def word(label: str, phones: str, *scores: float) -> WordScore:
    found = tuple(
        PhoneScore(Segment(phone, 0.0, 0.1), score, phone)
        for phone, score in zip(phones.split(), scores, strict=True)
    )
    return WordScore(Segment(label, 0.0, 0.1), sum(scores) / len(scores), found)


def test_marks_of_experts() -> None:
    assert marked_phones("B (EH0) {R}") == (("B", 2.0), ("EH", 0.0), ("R", 1.0))
    assert marked_phones("[L] W AX0 (Z T)") == (
        ("W", 2.0), ("AH", 2.0), ("Z", 0.0), ("T", 0.0)
    )  # fmt: skip
    assert marked_phones("{TR} IR1") == (("T", 1.0), ("R", 1.0), ("IH", 2.0), ("R", 2.0))


@pytest.mark.parametrize("form", ["utt2score", "scores-detail.json", "scores.json"])
def test_every_published_form_is_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / form
    merged = {"text": "BEAR", "accuracy": 5, "phones": ["B", "EH0", "R"]}
    table = {
        "words": [{**merged, "phones-accuracy": [2, 0.5, 1.5]} if form == "scores.json" else BEAR]
    }
    lines = f"000010011\t{json.dumps(table)}\n"
    path.write_text(lines if form == "utt2score" else json.dumps({"000010011": table}))
    ((found,),) = read_expert_scores(path).values()
    assert (found.text, found.accuracy) == ("bear", 5.0)
    assert expert_phones(["B", "EH", "R"], found) == [2.0, 0.5, pytest.approx(1.5)]


def test_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    for text in ("[]", '{"a": {}}', '{"a": {"words": [{"text": "x"}]}}', "a\t{"):
        path.write_text(text)
        with pytest.raises(
            SpeechError, match=r"expected scores\.json, scores-detail\.json or utt2"
        ):
            read_expert_scores(path)


def test_phones_that_experts_write_otherwise_are_matched() -> None:
    said = ExpertWord("it", 8.0, ((("IH", 2.0), ("T", 0.0)), (("IY", 1.0),)))
    assert expert_phones(["IH", "T"], said) == [1.5, 0.0]
    assert expert_phones(["S", "IH", "T"], ExpertWord("x", 1.0, ((("IH", 2.0),),))) == [
        None, 2.0, None
    ]  # fmt: skip


def test_correlations_of_what_both_have_scored() -> None:
    utterances = tuple(
        Utterance(f"so-{index}", Path("none.wav"), f"s{index % 4}", "it") for index in range(8)
    )
    ours = {f"so-{index}": (word("it", "IH T", -index, -0.5 * index),) for index in range(8)} | {
        "so-7": (word("at", "AE T", 0.0, 0.0),)
    }  # another word than the experts'
    experts = {
        str(index): (
            ExpertWord("it", 10.0 - index, ((("IH", 2 - index / 7), ("T", 2 - index / 14)),)),
        )
        for index in range(8)
    }
    found = compared(Corpus("so", utterances), ours, experts)
    assert [one.human for one in found["words"]] == [10.0 - index for index in range(7)]
    assert len(found["phones"]) == 14
    assert mapped(found["words"]) == pytest.approx([10.0 - index for index in range(7)])
    table = {row["tier"]: row for row in rows(found)}
    assert table["words"]["compared"] == 7
    assert table["phones"]["pearson"] == table["words"]["spearman"] == pytest.approx(1.0)
    with pytest.raises(SpeechError, match="that the experts have scored, found none"):
        rows({"words": []})
