"""A model before and after retraining: what is measured, the table, and the warnings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from recognizer.data.corpora.corpus import Corpus
from recognizer.data.errors import SpeechError, UsageError
from recognizer.evaluation.bootstrap import paired_difference
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.transcript_files import write_trn
from recognizer.pipelines.retrain import (
    RetrainAcoustic,
    RetrainRecipe,
    RetrainSet,
    RetrainTuning,
)
from recognizer.pipelines.retrain_comparison import (
    GENERAL,
    OWN,
    ComparedSet,
    ComparisonOptions,
    MeasuredSet,
    RetrainComparison,
    compare_models,
)

WORDS = 10


def compared(kind: str, before: list[int], after: list[int], name: str = "set") -> ComparedSet:
    """Utterances of ten words with so many substitutions."""
    counts = [
        [ErrorCounts(words=WORDS, substitutions=errors) for errors in some]
        for some in (before, after)
    ]
    return ComparedSet.of(kind, name, *counts)


def results(directory: Path, errors: list[int]) -> None:
    """What an evaluation writes, of utterances with so many wrong words."""
    directory.mkdir(parents=True)
    ids = [f"u{number}" for number in range(len(errors))]
    said = ["a"] * WORDS
    write_trn(directory / "ref.trn", [(one, said) for one in ids])
    heard = [(one, ["b"] * n + said[n:]) for one, n in zip(ids, errors, strict=True)]
    write_trn(directory / "hyp.trn", heard)
    (directory / "utt2spk").write_text("".join(f"{one} s\n" for one in ids))
    (directory / "result.json").write_text("{}")


def test_what_was_measured_before_is_compared(tmp_path: Path) -> None:
    """The new model's results of development sets are those of stage evaluate."""
    old, new = [5, 6, 7, 5], [1, 2, 0, 1]
    results(tmp_path / "compare" / "before" / "mine-dev", old)
    results(tmp_path / "compare" / "before" / "books", [1, 0, 1, 2])
    results(tmp_path / "compare" / "after" / "books", [1, 1, 0, 2])
    results(tmp_path / "evaluate" / "mine-dev", new)
    none = tmp_path / "no model is read"
    comparison = compare_models(
        none,
        none,
        [MeasuredSet(OWN, Corpus("mine/dev", ())), MeasuredSet(GENERAL, Corpus("books", ()))],
        tmp_path / "compare",
        tmp_path / "evaluate",
    )
    own, general = comparison.sets
    assert own == compared(OWN, old, new, "mine/dev")
    assert own.change == paired_difference(own.before, own.after)
    assert own.better and not general.better and not general.worse
    table = (tmp_path / "compare" / "comparison.md").read_text()
    assert table == comparison.table()
    assert "| own | mine/dev | 4 | 40 | 57.50 (23) | 10.00 (4) | -47.50 |" in table
    found = json.loads((tmp_path / "compare" / "comparison.json").read_text())
    assert [one["after"]["wer"] for one in found["sets"]] == [10.0, 10.0]
    assert found["kinds"][1]["change"]["difference"] == 0.0


def test_general_speech_that_became_worse_is_a_warning() -> None:
    own = compared(OWN, [5] * 20, [1] * 20)
    worse = RetrainComparison((own, compared(GENERAL, [1] * 40, [2] * 30 + [1] * 10)))
    text = "\n".join(worse.verdicts())
    assert "own speech (set): better: WER 50.00 % before, 10.00 % after (-40.00" in text
    assert "general speech (set): significantly worse: WER 10.00 % before" in text
    assert "warning: the new model recognises general speech significantly worse" in text
    assert "a smaller share (of the trained weights" in text
    same = RetrainComparison((own, compared(GENERAL, [1, 2] * 20, [2, 1] * 20)))
    text = "\n".join(same.verdicts())
    assert "general speech (set): not significantly different" in text
    assert "warning" not in text


def test_own_speech_that_is_no_better_is_a_warning_too() -> None:
    (_, general, warning) = RetrainComparison((compared(OWN, [1, 2] * 9, [2, 1] * 9),)).verdicts()
    assert general == "general speech: not measured (--general, or general = [...])"
    assert warning == "warning: the new model does not recognise own speech better"


def test_several_sets_of_a_kind_are_judged_together() -> None:
    sets = [compared(GENERAL, [1] * 30, [1] * 29 + [2], name) for name in ("a", "b")]
    comparison = RetrainComparison((*sets,))
    (both,) = comparison.kinds
    assert (both.name, len(both.before), both.change.units) == ("all sets", 60, 60)
    assert [line.split(" | ")[1] for line in comparison.table().splitlines()[2:]] == [
        "a",
        "b",
        "all sets",
    ]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora")
    for name, number in (("mine", 100), ("dev", 3), ("books", 5)):
        (root / name).mkdir()
        (root / name / "one.wav").touch()
        ids = [f"u{index:03d}" for index in range(number)]
        for file, value in (("wav.scp", "one.wav"), ("text", "WORD"), ("utt2spk", "s")):
            lines = "".join(f"{one} {value}\n" for one in ids)
            (root / name / file).write_text(lines)
    return root


def test_a_part_of_a_training_set_is_held_out_and_measured(corpora: Path) -> None:
    one = RetrainSet("mine", "", held_out=0.2)
    used, apart = one.read(corpora), one.read_held_out(corpora)
    assert 10 <= len(apart) <= 30 and len(used) + len(apart) == 100
    assert not {u.id for u in used} & {u.id for u in apart}
    assert (one.inputs, RetrainSet("mine", "").inputs) == (["mine", {"held_out": 0.2}], "mine")
    few = RetrainSet("mine", "", utterances=40, held_out=0.2)
    assert len(few.read(corpora)) + len(few.read_held_out(corpora)) == 40
    assert {u.id for u in few.read_held_out(corpora)} <= {u.id for u in apart}
    with pytest.raises(SpeechError, match=r"dev: held_out: .* 3 utterances, found 0\.001"):
        RetrainSet("dev", "", held_out=0.001).read_held_out(corpora)


def test_the_trainings_own_held_out_part_is_drawn_from_the_rest(corpora: Path) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    from recognizer.am.training.data.checked_data import is_held_out

    used = RetrainSet("mine", "", held_out=0.5).read(corpora)
    share = sum(is_held_out(f"mine/{u.id}", 0.2) for u in used) / len(used)
    assert 0.05 < share < 0.4


@pytest.mark.parametrize(
    ("held_out", "own", "general", "expected"),
    [
        (0.0, (), (), [(OWN, "dev")]),
        (0.0, (), ("dev",), [(GENERAL, "dev")]),
        (0.0, (), ("books",), [(OWN, "dev"), (GENERAL, "books")]),
        (0.2, (), ("dev", "books"), [(OWN, "mine"), (GENERAL, "dev"), (GENERAL, "books")]),
        (0.2, ("books",), ("dev",), [(OWN, "mine"), (OWN, "books"), (GENERAL, "dev")]),
    ],
)
def test_what_is_measured(
    held_out: float,
    own: tuple[str, ...],
    general: tuple[str, ...],
    expected: list[tuple[str, str]],
    corpora: Path,
) -> None:
    recipe = RetrainRecipe(
        RetrainTuning(("dev",)),
        (RetrainSet("mine", "", held_out=held_out),),
        comparison=ComparisonOptions(own, general),
    )
    found = recipe.measured_sets(corpora)
    assert [(one.kind, one.corpus.name) for one in found] == expected


def test_what_cannot_be_compared(corpora: Path) -> None:
    tuning, sets = RetrainTuning(("dev",)), (RetrainSet("mine", ""),)
    with pytest.raises(UsageError, match="expected sets that are own or general, found 'dev' as"):
        RetrainRecipe(tuning, sets, comparison=ComparisonOptions(("dev",), ("dev",)))
    with pytest.raises(UsageError, match=r"mine: held_out: expected 0 of a set that is measured"):
        RetrainRecipe(RetrainTuning(("mine",)), (RetrainSet("mine", "", held_out=0.2),))
    with pytest.raises(SpeechError, match="none: no such file"):
        RetrainRecipe(tuning, sets, comparison=ComparisonOptions((), ("none",))).measured_sets(
            corpora
        )
    with pytest.raises(UsageError, match="held_out: expected a number in"):
        RetrainSet("mine", "", held_out=1.0)
    with pytest.raises(UsageError, match="utterances: expected a number >= 0, found -1"):
        RetrainSet("mine", "", utterances=-1)


def test_retraining_ends_by_patience_unless_told_otherwise() -> None:
    assert RetrainAcoustic().training.patience == 3


def test_the_defaults_are_those_that_were_measured() -> None:
    """docs/results/training.md has what they came to."""
    recipe = RetrainRecipe(RetrainTuning(("dev",)), (RetrainSet("mine", ""),))
    training = recipe.acoustic.training
    assert training.epochs == 4
    assert (training.learning_rate, training.final_learning_rate) == (1e-4, 1e-5)
    assert training.threads == 1
    assert (recipe.acoustic.speeds, recipe.trained_share) == ((1.0,), 0.3)
    for other in ({"fresh": True}, {"deepen": 1}):
        assert replace(recipe, **other).trained_share == 1
    assert replace(recipe, share=0.5).trained_share == 0.5
