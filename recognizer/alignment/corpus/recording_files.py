"""Alignments in the time of their recordings, and their files: TextGrid, JSON and CTM."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from recognizer.data.alignments.alignment import Alignment, Segment, Tier
from recognizer.data.alignments.ctm import ctm_line
from recognizer.data.alignments.textgrid import write_grid_tiers
from recognizer.data.audio.reading import SAMPLE_RATE, audio_duration
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.corpora.recordings import whole_recording
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_text

AlignmentFormat = Literal["textgrid", "ctm", "json"]
FORMATS: tuple[AlignmentFormat, ...] = ("textgrid", "ctm", "json")

_SUFFIXES: dict[Literal["textgrid", "json"], str] = {"textgrid": ".TextGrid", "json": ".json"}

Unit = Literal["recording", "utterance"]
"""What files are of and whose beginning times count from."""

UNITS: tuple[Unit, ...] = ("recording", "utterance")


@dataclass(frozen=True)
class AlignedRecording:
    """The alignments of one recording, or of one utterance by itself.

    Attributes:
        name: path of its files, without suffix.
        duration: seconds.
        parts: utterances with their alignments, times from the beginning of the recording.
    """

    name: str
    duration: float
    parts: tuple[tuple[Utterance, Alignment], ...]

    @property
    def speakers(self) -> dict[str, Alignment]:
        """The alignments of all utterances of each speaker, speakers in order of their names."""
        found: dict[str, list[Alignment]] = {}
        for utterance, alignment in sorted(self.parts, key=lambda part: part[0].start):
            found.setdefault(utterance.speaker, []).append(alignment)
        return {
            speaker: Alignment(
                self.name,
                tuple(segment for one in found[speaker] for segment in one.words),
                tuple(segment for one in found[speaker] for segment in one.phones),
            )
            for speaker in sorted(found)
        }

    def tiers(self) -> dict[str, tuple[Segment, ...]]:
        """Interval tiers: words and phones, or with several speakers "SPEAKER - words" and so on.

        These are the names that the Montreal Forced Aligner gives them.
        """
        speakers = self.speakers
        prefixes = {speaker: f"{speaker} - " if len(speakers) > 1 else "" for speaker in speakers}
        kinds: tuple[Tier, ...] = ("words", "phones")
        return {
            f"{prefixes[speaker]}{kind}": alignment.tier(kind)
            for speaker, alignment in speakers.items()
            for kind in kinds
        }

    def to_json(self, quality: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """As the JSON files have it, times in seconds to the millisecond."""
        return {
            "recording": self.name,
            "duration": round(self.duration, 3),
            "utterances": [
                {
                    "id": utterance.id,
                    "speaker": utterance.speaker,
                    **quality.get(utterance.id, {}),
                    "words": _segments(alignment.words, "word"),
                    "phones": _segments(alignment.phones, "phone"),
                }
                for utterance, alignment in self.parts
            ],
        }

    def write(
        self,
        path: Path,
        file_format: Literal["textgrid", "json"],
        quality: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Write a TextGrid or a JSON file; see `write_recordings`."""
        if file_format == "textgrid":
            name = f"recording {self.name}"
            write_grid_tiers(self.tiers(), path, name, duration=self.duration)
            return
        with replace_text(path) as stream:
            json.dump(self.to_json(quality), stream, indent=1, ensure_ascii=False)
            stream.write("\n")

    def ctm_lines(self, tier: Tier) -> list[str]:
        """Lines of CTM in order of time; several speakers are channels of their own.

        NIST's programs end a name at white space: names have "_" there.
        """
        speakers = self.speakers
        name = "_".join(self.name.split())
        lines = [
            (segment.start, ctm_line(name, segment, channel=_channel(speaker, speakers)))
            for speaker, alignment in speakers.items()
            for segment in alignment.tier(tier)
        ]
        return [line for _, line in sorted(lines, key=lambda one: one[0])]


def check_units(utterances: Sequence[Utterance], unit: Unit) -> None:
    """Refuse a corpus whose alignments cannot be written by recording or by utterance.

    Args:
        utterances: of the corpus.
        unit: what the files are of.

    Raises:
        SpeechError: a name that no file can have, or utterances of one speaker that overlap in
            their recording.
    """
    for utterance in utterances:
        name = utterance.recording if unit == "recording" else utterance.id
        if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
            raise SpeechError(
                f"{unit} {name}: expected a name that a file can have, or the format ctm alone"
            )
    if unit == "utterance":
        return
    speakers: dict[tuple[str, str], list[Utterance]] = {}
    for utterance in utterances:
        speakers.setdefault((utterance.recording, utterance.speaker), []).append(utterance)
    for (recording, speaker), parts in speakers.items():
        parts.sort(key=lambda part: part.start)
        for before, after in pairwise(parts):
            if before.end is None or after.start < before.end:
                raise SpeechError(
                    f"recording {recording}: expected utterances of {speaker} that do not overlap, "
                    f"found {before.id} and {after.id}: alignments can be written by utterance"
                )


def aligned_recordings(
    utterances: Iterable[Utterance], alignments: Iterable[Alignment], unit: Unit
) -> list[AlignedRecording]:
    """Group the alignments of utterances by recording, or leave each utterance by itself.

    An utterance's last frame may reach beyond its end: it is cut there.

    Args:
        utterances: of the corpus.
        alignments: in the time of their utterances.
        unit: what to group by.

    Raises:
        SpeechError: a recording whose length cannot be read any more.
    """
    known = {utterance.id: utterance for utterance in utterances}
    groups: dict[str, list[tuple[Utterance, Alignment]]] = {}
    for alignment in alignments:
        utterance = known[alignment.utterance]
        name = utterance.recording if unit == "recording" else utterance.id
        start = utterance.start if unit == "recording" else 0.0
        shifted = _shifted(alignment, start, start + utterance.duration)
        groups.setdefault(name, []).append((utterance, shifted))
    return [
        AlignedRecording(name, _duration([utterance for utterance, _ in parts], unit), tuple(parts))
        for name, parts in groups.items()
    ]


def write_recordings(
    recordings: Sequence[AlignedRecording],
    directory: Path,
    formats: Sequence[AlignmentFormat],
    quality: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write alignments.

    Args:
        recordings: what is written.
        directory: is made if it does not exist; names with "/" make folders in it.
        formats: "textgrid" and "json" for a file NAME.TextGrid or NAME.json each, "ctm" for
            words.ctm and phones.ctm of all.
        quality: what else the JSON files say of an utterance, by its id.

    Raises:
        SpeechError: a file that cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for one in recordings:
        for file_format, suffix in _SUFFIXES.items():
            if file_format in formats:
                path = directory / f"{one.name}{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                one.write(path, file_format, quality)
    if "ctm" in formats:
        tiers: tuple[Tier, ...] = ("words", "phones")
        for tier in tiers:
            with replace_text(directory / f"{tier}.ctm") as stream:
                for one in recordings:
                    stream.writelines(f"{line}\n" for line in one.ctm_lines(tier))


def _channel(speaker: str, speakers: Mapping[str, Alignment]) -> str:
    return "1" if len(speakers) == 1 else "_".join(speaker.split())


def _segments(segments: Iterable[Segment], kind: str) -> list[dict[str, Any]]:
    return [
        {kind: segment.label, "start": round(segment.start, 3), "end": round(segment.end, 3)}
        for segment in segments
    ]


def _shifted(alignment: Alignment, start: float, end: float) -> Alignment:
    def shift(segments: Iterable[Segment]) -> tuple[Segment, ...]:
        return tuple(
            replace(one, start=one.start + start, end=min(one.end + start, end))
            for one in segments
            if one.start + start < end
        )

    return replace(alignment, words=shift(alignment.words), phones=shift(alignment.phones))


def _duration(parts: Sequence[Utterance], unit: Unit) -> float:
    """Length of a recording in seconds."""
    one = parts[0]
    if unit == "utterance" or (one.start == 0.0 and one.end is None):
        return one.duration
    if one.command is not None:
        return len(whole_recording(one.command, one.channel)) / SAMPLE_RATE
    return audio_duration(one.audio)
