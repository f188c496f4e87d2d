"""Test sets under other conditions than they were recorded in: noise, rooms, channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recognizer.data.audio.reading import Samples
from recognizer.data.augmentation.augment import WaveformAugmenter, augment, copy_rng
from recognizer.data.augmentation.options import (
    AugmentationOptions,
    CodecOptions,
    NoiseOptions,
    ReverberationOptions,
    TelephoneOptions,
    VolumeOptions,
)
from recognizer.data.augmentation.rooms import RoomOptions
from recognizer.data.augmentation.sounds import check_sounds, read_sounds, write_sounds
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import UsageError
from recognizer.evaluation.bootstrap import paired_difference
from recognizer.evaluation.counts_table import counts_table
from recognizer.evaluation.evaluate import CorpusEvaluation, UtteranceScore, evaluate

_NOISE = {f"noise_{snr_db}": float(snr_db) for snr_db in (20, 10, 5)}  # dB
_CHANNELS: dict[str, AugmentationOptions] = {
    "clean": AugmentationOptions(),
    "reverberation": AugmentationOptions(
        # Not the rooms of trainings, whose seeds are small.
        reverberation=ReverberationOptions(1.0, RoomOptions(rooms=40, seed=1_000_003))
    ),
    "telephone": AugmentationOptions(telephone=TelephoneOptions(1.0, ("ulaw",))),
    "gsm": AugmentationOptions(telephone=TelephoneOptions(1.0, ("gsm",))),
    "mp3_32": AugmentationOptions(codec=CodecOptions(1.0, ("mp3",), (32_000, 32_000))),
    "quiet_40": AugmentationOptions(volume=VolumeOptions(1.0, (-40.0, -40.0))),
}

CONDITIONS = ("clean", *_NOISE, *list(_CHANNELS)[1:])
"""Names of the conditions: as recorded; noise at so many dB; a room; mu-law telephone and GSM; MP3
at 32 kbit/s; 40 dB quieter."""


def condition_options(name: str, noise: Sequence[str] = ()) -> AugmentationOptions:
    """What is done to every recording in a condition.

    Args:
        name: one of `CONDITIONS`.
        noise: patterns of noise (`recognizer.data.augmentation.noise.find_clips`).

    Raises:
        UsageError: there is no such condition, or it needs noise.
    """
    if name in _CHANNELS:
        return _CHANNELS[name]
    if name not in _NOISE:
        raise UsageError(f"expected one of the conditions {', '.join(CONDITIONS)}, found {name!r}")
    if not noise:
        raise UsageError(f"condition {name}: expected files of noise (--noise), found none")
    return AugmentationOptions(noise=NoiseOptions(tuple(noise), 1.0, (_NOISE[name], _NOISE[name])))


@dataclass(frozen=True)
class ConditionedAudio:
    """The samples of an utterance in a condition.

    An utterance meets the same noise, and the same room, in every run with the same seed.

    Attributes:
        augmenter: of the condition.
        seed: of clips, rooms and the like.
    """

    augmenter: WaveformAugmenter
    seed: int

    def __call__(self, utterance: Utterance) -> Samples:
        """Raises as `Utterance.samples`."""
        rng = copy_rng(self.seed, utterance.id, 1)
        return augment(utterance.samples(), self.augmenter, rng)[0]


@dataclass(frozen=True)
class ConditionResult:
    """A test set in one condition, recognised by one model.

    Attributes:
        condition: its name.
        model: its directory, as it was named.
        evaluation: the scores.
    """

    condition: str
    model: str
    evaluation: CorpusEvaluation


@dataclass(frozen=True)
class ConditionTable:
    """All conditions, test sets and models.

    Attributes:
        results: of each set, by model and condition.
        seed: of everything random.
    """

    results: tuple[ConditionResult, ...]
    seed: int

    def table(self) -> str:
        """Markdown tables of the second pass: of each set and model; two models are compared."""
        tables = []
        for data, by_model in self._grouped().items():
            for model, results in by_model.items():
                rows = [(r.condition, _counts(r)) for r in results]
                tables.append(counts_table(f"{data}, {model}", rows))
            if len(by_model) == 2:
                tables.append(_differences(data, *by_model.values()))
        return "\n".join(tables)

    def result(self) -> dict[str, Any]:
        """The same as numbers, of both passes; differences are the second model less the first."""
        rows = [
            {"condition": r.condition, **r.evaluation.result(), "model": r.model}
            for r in self.results
        ]
        differences = [
            {"data": data, "condition": after.condition, **_difference(before, after)}
            for data, by_model in self._grouped().items()
            if len(by_model) == 2
            for before, after in zip(*by_model.values(), strict=True)
        ]
        return {"seed": self.seed, "results": rows, "differences": differences}

    def _grouped(self) -> dict[str, dict[str, list[ConditionResult]]]:
        grouped: dict[str, dict[str, list[ConditionResult]]] = {}
        for one in self.results:
            by_model = grouped.setdefault(one.evaluation.data, {})
            by_model.setdefault(one.model, []).append(one)
        return grouped


def evaluate_conditions(
    corpora: Sequence[Corpus],
    models: Mapping[str, str | Path | None],
    conditions: Sequence[str] = CONDITIONS,
    *,
    noise: Sequence[str] = (),
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[UtteranceScore], None] = lambda score: None,
) -> ConditionTable:
    """Recognise and score test sets in several conditions, each by every model.

    Args:
        corpora: test sets of distinct names.
        models: directories by the names that tables give them; None is the English model.
        conditions: names from `CONDITIONS`.
        noise: patterns of noise that no model was trained with.
        seed: of everything random.
        jobs: processes; each loads the model.
        progress: told of each utterance.

    Raises:
        UsageError: an unknown condition, or one that needs noise.
        SpeechError: no noise, a library that a condition needs is missing, or as `evaluate`.
    """
    options = {name: condition_options(name, noise) for name in conditions}
    for one in options.values():
        check_sounds(one, Path())
    results = []
    with TemporaryDirectory() as directory:
        audio = {}
        for name, one in options.items():
            place = Path(directory) / name
            place.mkdir()
            write_sounds(one, place, Path(), jobs=jobs)
            audio[name] = ConditionedAudio(read_sounds(one, place), seed)
        for label, model in models.items():
            for corpus in corpora:
                for name, listen in audio.items():
                    scored = evaluate(corpus, model, jobs=jobs, progress=progress, listen=listen)
                    results.append(ConditionResult(name, label, scored))
    return ConditionTable(tuple(results), seed)


def _counts(result: ConditionResult) -> list[Any]:
    return [score.rescored_counts for score in result.evaluation.scores]


def _difference(before: ConditionResult, after: ConditionResult) -> dict[str, float]:
    found = asdict(paired_difference(_counts(before), _counts(after)))
    return {name: round(value, 4) for name, value in found.items()}


def _differences(
    data: str, first: Sequence[ConditionResult], second: Sequence[ConditionResult]
) -> str:
    """How the second model's rates differ from the first's, with the paired bootstrap."""
    lines = [
        f"| {data}, second less first | difference | 95 % | second is better |",
        "| --- | ---: | ---: | ---: |",
    ]
    for before, after in zip(first, second, strict=True):
        found = paired_difference(_counts(before), _counts(after))
        lines.append(
            f"| {before.condition} | {found.difference:+.2f} | "
            f"{found.low:+.2f} to {found.high:+.2f} | {found.improvement_probability:.4f} |"
        )
    return "\n".join(lines) + "\n"
