"""A model before and after its network is trained anew, measured on own and on general speech."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recognizer.data.corpora.corpus import Corpus
from recognizer.data.io.console import console
from recognizer.data.io.files import replace_text
from recognizer.evaluation.bootstrap import PairedDifference, paired_difference
from recognizer.evaluation.compare import SystemErrors, errors_of_result
from recognizer.evaluation.error_counts import ErrorCounts, total
from recognizer.pipelines.development import evaluated

OWN, GENERAL = "own", "general"

_ALL = "all sets"


@dataclass(frozen=True)
class ComparisonOptions:
    """What the model is measured on before and after.

    Attributes:
        own: sets of the speech that the model is trained for, beside the parts of training sets
            that are held out (`training.held_out`); by default, where no such part is held out,
            the development sets that are not general.
        general: sets of other speech, which the model must go on recognising. A warning says where
            it recognises them significantly worse.
    """

    own: tuple[str, ...] = ()
    general: tuple[str, ...] = ()


@dataclass(frozen=True)
class MeasuredSet:
    """A set that both models recognise.

    Attributes:
        kind: `OWN` or `GENERAL`.
        corpus: not trained on.
    """

    kind: str
    corpus: Corpus


@dataclass(frozen=True)
class ComparedSet:
    """The errors of both models on a set, or on all sets of a kind.

    Attributes:
        kind: `OWN` or `GENERAL`.
        name: of the set.
        before: errors of each utterance by the model that training started from.
        after: by the new one.
        change: what the paired bootstrap over utterances says of their difference.
    """

    kind: str
    name: str
    before: tuple[ErrorCounts, ...]
    after: tuple[ErrorCounts, ...]
    change: PairedDifference

    @classmethod
    def of(
        cls, kind: str, name: str, before: Sequence[ErrorCounts], after: Sequence[ErrorCounts]
    ) -> ComparedSet:
        """With the bootstrap of counts of the same utterances in the same order."""
        return cls(kind, name, tuple(before), tuple(after), paired_difference(before, after))

    @property
    def better(self) -> bool:
        """Whether the 95 % interval of the difference lies below zero."""
        return self.change.high < 0

    @property
    def worse(self) -> bool:
        """Whether the 95 % interval of the difference lies above zero."""
        return self.change.low > 0

    def verdict(self) -> str:
        """A sentence for people."""
        old, new = (total(counts).wer for counts in (self.before, self.after))
        found = (
            "better" if self.better
            else "significantly worse" if self.worse
            else "not significantly different"
        )  # fmt: skip
        return (
            f"{self.kind} speech ({self.name}): {found}: WER {old:.2f} % before, {new:.2f} % "
            f"after ({self.change.difference:+.2f}, 95 % {self.change.low:+.2f} to "
            f"{self.change.high:+.2f})"
        )

    def result(self) -> dict[str, Any]:
        """The same as numbers: rates and differences in percent."""
        return {
            "kind": self.kind,
            "name": self.name,
            "utterances": len(self.before),
            **{
                name: {"wer": round(total(counts).wer, 4), **asdict(total(counts))}
                for name, counts in (("before", self.before), ("after", self.after))
            },
            "change": {key: round(value, 4) for key, value in asdict(self.change).items()},
        }


@dataclass(frozen=True)
class RetrainComparison:
    """A model before and after it was trained anew.

    Attributes:
        sets: what both were measured on, own speech first.
    """

    sets: tuple[ComparedSet, ...]

    @property
    def kinds(self) -> tuple[ComparedSet, ...]:
        """Own and general speech, each as one set."""
        found = []
        for kind in (OWN, GENERAL):
            sets = [one for one in self.sets if one.kind == kind]
            if len(sets) == 1:
                found += sets
            elif sets:
                before = [counts for one in sets for counts in one.before]
                after = [counts for one in sets for counts in one.after]
                found.append(ComparedSet.of(kind, _ALL, before, after))
        return tuple(found)

    def table(self) -> str:
        """A Markdown table with a row for each set, and for all of a kind."""
        names = (
            "speech", "set", "utterances", "words", "before: WER % (errors)",
            "after: WER % (errors)", "difference", "95 %", "after is better",
        )  # fmt: skip
        lines = [names, ("---", "---", *("---:",) * (len(names) - 2))]
        for one in (*self.sets, *(one for one in self.kinds if one not in self.sets)):
            old, new = total(one.before), total(one.after)
            lines.append(
                (
                    one.kind,
                    one.name.replace("|", "\\|"),
                    f"{len(one.before):,}",
                    f"{old.words:,}",
                    f"{old.wer:.2f} ({old.errors:,})",
                    f"{new.wer:.2f} ({new.errors:,})",
                    f"{one.change.difference:+.2f}",
                    f"{one.change.low:+.2f} to {one.change.high:+.2f}",
                    f"{one.change.improvement_probability:.4f}",
                )
            )
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def verdicts(self) -> list[str]:
        """What has become of own and of general speech, and what can be done where it is worse."""
        lines = [one.verdict() for one in self.kinds]
        kinds = {one.kind: one for one in self.kinds}
        if GENERAL not in kinds:
            lines.append("general speech: not measured (--general, or general = [...])")
        elif kinds[GENERAL].worse:
            lines.append(
                "warning: the new model recognises general speech significantly worse. To keep "
                "more of it: a smaller share (of the trained weights; only what follows the "
                "training runs anew), or general speech among the training sets"
            )
        if OWN in kinds and not kinds[OWN].better:
            lines.append("warning: the new model does not recognise own speech better")
        return lines

    def result(self) -> dict[str, Any]:
        """The same as numbers."""
        return {
            "sets": [one.result() for one in self.sets],
            "kinds": [one.result() for one in self.kinds],
        }


def compare_models(
    before: Path,
    after: Path,
    sets: Sequence[MeasuredSet],
    directory: Path,
    measured: Path,
    *,
    jobs: int = 1,
) -> RetrainComparison:
    """Recognise sets with both models; what was recognised before is not done again.

    Args:
        before: the model directory that training started from.
        after: the new model directory.
        sets: own and general speech.
        directory: gets ``comparison.md``, ``comparison.json``, and the results of each model and
            set, as `recognizer evaluate --out` writes them.
        measured: directory with results of the new model, which are taken from there.
        jobs: processes.

    Raises:
        SpeechError: an utterance cannot be recognised, or a damaged model.
    """
    found = []
    for one in sets:
        name = one.corpus.name.replace("/", "-")
        old = _errors(one.corpus, before, directory / "before" / name, jobs)
        known = measured / name
        result = known if (known / "result.json").exists() else directory / "after" / name
        new = _errors(one.corpus, after, result, jobs)
        found.append(ComparedSet.of(one.kind, one.corpus.name, old.counts, new.counts))
    comparison = RetrainComparison(tuple(found))
    with replace_text(directory / "comparison.md") as stream:
        stream.write(comparison.table())
    with replace_text(directory / "comparison.json") as stream:
        json.dump(comparison.result(), stream, indent=2)
        stream.write("\n")
    return comparison


def tell(comparison: RetrainComparison) -> None:
    """Print the table and the verdicts."""
    for line in (*comparison.table().splitlines(), *comparison.verdicts()):
        console.print(line, markup=False, highlight=False)


def _errors(corpus: Corpus, model: Path, directory: Path, jobs: int) -> SystemErrors:
    """Second-pass errors of a model, from its results in a directory, which are made first."""
    if not (directory / "result.json").exists():
        evaluated(corpus, model, jobs=jobs).write(directory)
    return errors_of_result(directory)[0]
