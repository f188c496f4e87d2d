"""Compare the errors of two systems on the same utterances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import read_lines
from recognizer.evaluation.bootstrap import PairedDifference, paired_difference, wer_interval
from recognizer.evaluation.counts_table import counts_table
from recognizer.evaluation.error_counts import ErrorCounts, grouped, total
from recognizer.evaluation.transcript_files import (
    TranscriptOptions,
    TranscriptPair,
    read_trn,
    transcript_pairs,
)
from recognizer.evaluation.word_alignment import count_errors


@dataclass(frozen=True)
class SystemErrors:
    """The errors of one system on a test set.

    Attributes:
        name: what tables call it.
        utterances: names of the utterances.
        counts: errors of each.
    """

    name: str
    utterances: tuple[str, ...]
    counts: tuple[ErrorCounts, ...]


@dataclass(frozen=True)
class SystemComparison:
    """Two systems, and what the paired bootstrap says of their difference.

    Attributes:
        first: the system that is compared with.
        second: the system that is compared; differences are its rate less that of the first.
        over_utterances: the bootstrap that draws utterances.
        over_speakers: the bootstrap that draws whole speakers; None if they are not known, or if
            there is only one.
    """

    first: SystemErrors
    second: SystemErrors
    over_utterances: PairedDifference
    over_speakers: PairedDifference | None

    def table(self) -> str:
        """Two Markdown tables: the systems, and their difference."""
        rows = [(one.name, one.counts) for one in (self.first, self.second)]
        lines = [
            counts_table("system", rows),
            "| bootstrap over | number | difference | 95 % | second is better |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        for name, found in self._bootstraps().items():
            lines.append(
                f"| {name} | {found.units:,} | {found.difference:+.2f} | "
                f"{found.low:+.2f} to {found.high:+.2f} | {found.improvement_probability:.4f} |"
            )
        return "\n".join(lines) + "\n"

    def result(self) -> dict[str, Any]:
        """The same as numbers: rates and differences in percent."""
        return {
            "systems": [_rates(one) for one in (self.first, self.second)],
            "utterances": len(self.first.counts),
            **{
                f"over_{name}": {key: round(value, 4) for key, value in asdict(found).items()}
                for name, found in self._bootstraps().items()
            },
        }

    def _bootstraps(self) -> dict[str, PairedDifference]:
        found = {"utterances": self.over_utterances}
        return found if self.over_speakers is None else found | {"speakers": self.over_speakers}


def compare(
    first: SystemErrors, second: SystemErrors, speakers: Mapping[str, str] | None = None
) -> SystemComparison:
    """Compare two systems by the paired bootstrap over utterances and over speakers.

    Args:
        first: the system that is compared with.
        second: the system that is compared.
        speakers: the speaker of each utterance; None if they are not known.

    Raises:
        SpeechError: the systems were scored on different utterances or references, or an
            utterance has no speaker.
    """
    _check_same(first, second)
    over_speakers = None
    if speakers is not None:
        unknown = [name for name in first.utterances if name not in speakers]
        if unknown:
            raise SpeechError(f"utterance {unknown[0]!r}: expected a speaker, found none")
        names = [speakers[name] for name in first.utterances]
        if len(set(names)) > 1:
            before, after = (
                [total(one) for one in grouped(system.counts, names).values()]
                for system in (first, second)
            )
            over_speakers = paired_difference(before, after)
    return SystemComparison(
        first, second, paired_difference(first.counts, second.counts), over_speakers
    )


def errors_of_files(
    reference: str | Path, hypothesis: str | Path, options: TranscriptOptions
) -> tuple[SystemErrors, dict[str, str] | None]:
    """Score a file of transcripts.

    Args:
        reference: what was said.
        hypothesis: what was recognised.
        options: how words are read.

    Returns:
        The errors, and the speaker of each utterance if the reference (an ``stm``) has them.

    Raises:
        UsageError: formats that do not go together.
        SpeechError: a damaged file, or an utterance without a hypothesis.
    """
    pairs = transcript_pairs(reference, hypothesis, options=options)
    return _errors(str(hypothesis), hypothesis, pairs), _speakers(pairs)


def errors_of_result(directory: str | Path) -> tuple[SystemErrors, dict[str, str]]:
    """Read what ``recognizer evaluate --out`` wrote: errors of the second pass, and speakers.

    Raises:
        UsageError: it is a file.
        SpeechError: a file in it is missing or damaged.
    """
    directory = Path(directory)
    if directory.is_file():
        raise UsageError(
            f"{directory}: expected a directory that recognizer evaluate --out wrote, found a "
            "file: files of transcripts need --reference"
        )
    hypothesis = directory / "hyp.trn"
    pairs = transcript_pairs(directory / "ref.trn", hypothesis)
    return _errors(str(directory), hypothesis, pairs), read_speakers(directory / "utt2spk")


def check_same_reference(first: str | Path, second: str | Path) -> None:
    """Refuse two results of evaluations whose transcripts of what was said differ.

    Raises:
        SpeechError: names the first utterance that differs.
    """
    one, other = (read_trn(Path(directory) / "ref.trn") for directory in (first, second))
    for name in one.keys() & other.keys():
        if one[name] != other[name]:
            raise SpeechError(
                f"{second}: expected the reference of {first}, found another one of {name!r}"
            )


def read_speakers(path: str | Path) -> dict[str, str]:
    """Read Kaldi's utt2spk: utterance and speaker a line.

    Raises:
        SpeechError: an unreadable file or a malformed line.
    """
    speakers = {}
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split(maxsplit=1)
        if len(fields) != 2:
            raise SpeechError(f"{path}:{number}: expected utterance and speaker, found {line!r}")
        speakers[fields[0]] = fields[1].strip()
    return speakers


def _errors(name: str, hypothesis: str | Path, pairs: Sequence[TranscriptPair]) -> SystemErrors:
    missing = [pair.utterance for pair in pairs if pair.missing]
    if missing:
        raise SpeechError(
            f"{hypothesis}: nothing for {len(missing)} utterances of the reference, the first "
            f"{missing[0]!r}: systems are compared on the same utterances"
        )
    counts = tuple(count_errors(pair.reference, pair.hypothesis) for pair in pairs)
    return SystemErrors(name, tuple(pair.utterance for pair in pairs), counts)


def _speakers(pairs: Sequence[TranscriptPair]) -> dict[str, str] | None:
    found = {pair.utterance: pair.speaker for pair in pairs if pair.speaker is not None}
    return found if len(found) == len(pairs) else None


def _check_same(first: SystemErrors, second: SystemErrors) -> None:
    for one, other in ((first, second), (second, first)):
        only = sorted(set(one.utterances) - set(other.utterances))
        if only:
            raise SpeechError(
                f"{other.name}: expected the utterances of {one.name}, found no {only[0]!r} "
                f"({len(only)} are missing)"
            )
    if first.utterances != second.utterances:
        raise SpeechError(f"{second.name}: expected utterances in the order of {first.name}")


def _rates(system: SystemErrors) -> dict[str, Any]:
    whole, interval = total(system.counts), wer_interval(system.counts)
    return {
        "name": system.name,
        "wer": round(whole.wer, 4) if whole.words else None,
        "wer_low": round(interval.low, 4),
        "wer_high": round(interval.high, 4),
        **asdict(whole),
    }
