"""Transcript files: sclite's ``.trn``, NIST's ``.stm`` and ``.ctm``, and Kaldi's ``text``.

What a reference and a hypothesis may be: two files of transcripts by utterance (``trn``, ``text``,
or a ``ctm``, of which each recording is an utterance), or an ``stm`` and a ``ctm`` or another
``stm`` with the same segments.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import COMPRESSED, replace_text
from recognizer.data.text.rules import check_text_rules, text_rules
from recognizer.data.text.transcripts import spoken_words
from recognizer.evaluation.time_marked import (
    CtmWord,
    StmSegment,
    content_lines,
    read_ctm_words,
    read_stm,
    segment_words,
)
from recognizer.evaluation.word_network import Transcript, network_of_words, parse_transcript

TranscriptFormat = Literal["trn", "text", "stm", "ctm"]

# What is no word in sclite's notation: braces, strokes, and the sign of no word.
_NOTATION = re.compile(r"([{}/]|(?<!\S)@(?!\S))")


@dataclass(frozen=True)
class TranscriptOptions:
    """How transcripts are read; the defaults are sclite's.

    Attributes:
        case_sensitive: tell upper from lower case (sclite's option ``-s``). Names of utterances and
            recordings always are told apart by case.
        optional_words: words in brackets may be missing (sclite's option ``-D``).
        text_rules: name of the rule set (`recognizer.data.text.rules`) that both transcripts are
            normalised with, without tags such as [noise]; None takes words as they are.
    """

    case_sensitive: bool = False
    optional_words: bool = False
    text_rules: str | None = None

    def __post_init__(self) -> None:
        if self.text_rules is None:
            return
        check_text_rules(self.text_rules)
        if self.case_sensitive or self.optional_words:
            raise UsageError(
                "text_rules: expected neither case_sensitive nor optional_words beside it, for the "
                "rules give words in lower case without brackets"
            )

    def folded(self, text: str) -> str:
        """The text in the case in which it is compared."""
        return text if self.case_sensitive else text.lower()

    def words(self, text: str) -> tuple[str, ...]:
        """The words of a text without alternatives, as they are compared.

        Raises:
            SpeechError: the rules refuse the text.
        """
        if self.text_rules is None:
            return tuple(self.folded(text).split())
        return spoken_words(text_rules(self.text_rules), text)

    def alternatives(self, text: str) -> str:
        """A text in sclite's notation with its words as they are compared.

        Raises:
            SpeechError: the rules refuse the text.
        """
        if self.text_rules is None:
            return self.folded(text)
        parts = _NOTATION.split(text)
        parts[::2] = [" ".join(self.words(part)) for part in parts[::2]]
        return " ".join(parts)


@dataclass(frozen=True)
class TranscriptPair:
    """What was said in an utterance and what was recognised.

    Attributes:
        utterance: its name.
        reference: what was said.
        hypothesis: what was recognised; no words where the hypotheses lack the utterance.
        missing: whether the hypotheses lack the utterance, or its recording.
        speaker: who speaks, if the reference says so.
    """

    utterance: str
    reference: Transcript
    hypothesis: Transcript
    missing: bool = False
    speaker: str | None = None


def format_of(path: str | Path) -> TranscriptFormat:
    """The format of a file by its ending, before that of a compressed file; else ``text``."""
    name = Path(path)
    ending = (name.with_suffix("") if name.suffix in COMPRESSED else name).suffix[1:]
    return ending if ending in get_args(TranscriptFormat) else "text"  # type: ignore[return-value]


def transcript_pairs(
    reference: str | Path,
    hypothesis: str | Path,
    *,
    reference_format: TranscriptFormat | None = None,
    hypothesis_format: TranscriptFormat | None = None,
    options: TranscriptOptions = TranscriptOptions(),
) -> list[TranscriptPair]:
    """Read a reference and a hypothesis, utterances in the order of the reference.

    Args:
        reference: a file of any of the formats.
        hypothesis: another; a ``ctm`` or an ``stm`` where the reference is an ``stm``.
        reference_format: None decides by the file's ending, see `format_of`.
        hypothesis_format: the same.
        options: how words are read.

    Raises:
        UsageError: formats that do not go together.
        SpeechError: a damaged file, no utterances, or hypotheses of what has no reference.
    """
    formats = (
        reference_format or format_of(reference),
        hypothesis_format or format_of(hypothesis),
    )
    if "stm" in formats and formats not in (("stm", "ctm"), ("stm", "stm")):
        raise UsageError(
            f"{hypothesis}: expected a ctm or an stm beside an stm as the reference, or two of "
            f"trn, text and ctm, found {formats[0]} and {formats[1]}"
        )
    if formats == ("stm", "stm"):
        pairs = _same_segments(reference, hypothesis, options)
    elif formats[0] == "stm":
        pairs = _segmented(reference, hypothesis, options)
    else:
        if formats == ("ctm", "ctm"):
            references, hypotheses = _channels(reference, hypothesis, options)
        else:
            references, hypotheses = (
                read_transcripts(path, form, options)
                for path, form in zip((reference, hypothesis), formats, strict=True)
            )
        check_known(references, hypotheses, hypothesis)
        pairs = [
            TranscriptPair(name, words, hypotheses.get(name, ()), name not in hypotheses)
            for name, words in references.items()
        ]
    if not pairs:
        raise SpeechError(f"{reference}: expected utterances, found none")
    return pairs


def write_trn(path: str | Path, hypotheses: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Write sclite's transcript format: the words, then the utterance in brackets.

    Args:
        path: the file to write (through a temporary name).
        hypotheses: (utterance, its words) pairs.
    """
    with replace_text(path) as stream:
        for utterance, words in hypotheses:
            stream.write(f"{' '.join((*words, f'({utterance})'))}\n")


def read_trn(
    path: str | Path, options: TranscriptOptions = TranscriptOptions()
) -> dict[str, Transcript]:
    """Read sclite's transcript format into utterance -> transcript.

    Lines that begin with ``;;`` or ``**`` are comments. Alternatives are read as
    `recognizer.evaluation.word_network` describes.

    Raises:
        SpeechError: a missing file, a line without ``(utterance)`` at its end, one utterance
            twice, or braces that do not match (with the line's number).
    """
    transcripts: dict[str, Transcript] = {}
    for where, line in content_lines(path):
        if line.startswith("**"):
            continue
        text, bracket, utterance = line.rstrip().rpartition("(")
        if not bracket or not utterance.endswith(")"):
            raise SpeechError(f"{where}: expected words and '(utterance)', found {line!r}")
        _add(transcripts, utterance[:-1], _parsed(where, text, options), where)
    return transcripts


def read_transcripts(
    path: str | Path,
    form: TranscriptFormat | None = None,
    options: TranscriptOptions = TranscriptOptions(),
) -> dict[str, Transcript]:
    """Read transcripts by utterance: a ``trn``, a ``ctm``, or Kaldi's ``text``.

    Of a ``ctm`` every recording is an utterance; where it has several channels, each is one called
    RECORDING-CHANNEL. Words of ``text`` are taken as they are, braces too; lines that begin with
    ``;;`` are comments there as well.

    Raises:
        UsageError: an ``stm``, which needs a ``ctm`` beside it.
        SpeechError: as `read_trn`.
    """
    form = form or format_of(path)
    if form == "stm":
        raise UsageError(f"{path}: expected trn, text or ctm, found an stm")
    if form == "trn":
        return read_trn(path, options)
    if form == "ctm":
        words = read_ctm_words(path)
        return _named(words, _several_channels(words), options)
    transcripts: dict[str, Transcript] = {}
    for where, line in content_lines(path):
        utterance, *text = line.split(maxsplit=1)
        try:
            spoken = options.words("".join(text))
        except SpeechError as error:
            raise SpeechError(f"{where}: {error}") from None
        _add(transcripts, utterance, spoken, where)
    return transcripts


def check_known(
    references: Mapping[str, Transcript], hypotheses: Iterable[str], path: str | Path
) -> None:
    """Refuse hypotheses of utterances that have no reference.

    Raises:
        SpeechError: names the file of the hypotheses and the first such utterance.
    """
    for name in hypotheses:
        if name not in references:
            raise SpeechError(f"{path}: utterance {name!r} has no reference")


_Channel = tuple[str, str]


def _segmented(
    reference: str | Path, hypothesis: str | Path, options: TranscriptOptions
) -> list[TranscriptPair]:
    """The segments of an stm with the words of a ctm that fall into them."""
    segments = read_stm(reference)
    words = read_ctm_words(hypothesis)
    for recording, channel in words:
        if (recording, channel) not in segments:
            raise SpeechError(
                f"{hypothesis}: expected recordings of {reference}, "
                f"found {recording!r} with channel {channel!r}"
            )
    pairs = []
    names = _SegmentNames()
    for key, channel_segments in segments.items():
        found = segment_words(channel_segments, words.get(key, ()))
        for segment, inside in zip(channel_segments, found, strict=True):
            if segment.ignored:
                continue
            pairs.append(
                TranscriptPair(
                    utterance=names.next(segment),
                    reference=_parsed(segment.where, segment.text, options),
                    hypothesis=_network((word.alternatives for word in inside), options),
                    missing=key not in words,
                    speaker=segment.speaker,
                )
            )
    return pairs


def _same_segments(
    reference: str | Path, hypothesis: str | Path, options: TranscriptOptions
) -> list[TranscriptPair]:
    """The segments of two stm files, of which those with the same times belong together."""
    references = _by_times(read_stm(reference))
    hypotheses = _by_times(read_stm(hypothesis))
    for key, segment in hypotheses.items():
        if key not in references:
            raise SpeechError(f"{segment.where}: expected the times of a segment of {reference}")
    pairs = []
    names = _SegmentNames()
    for key, segment in references.items():
        if segment.ignored:
            continue
        other = hypotheses.get(key)
        text = "" if other is None else other.text
        pairs.append(
            TranscriptPair(
                utterance=names.next(segment),
                reference=_parsed(segment.where, segment.text, options),
                hypothesis=_parsed("" if other is None else other.where, text, options),
                missing=other is None,
                speaker=segment.speaker,
            )
        )
    return pairs


class _SegmentNames:
    """Names of segments as sclite makes them: the speaker and a number that counts from 0."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()

    def next(self, segment: StmSegment) -> str:
        number = self._numbers[segment.speaker]
        self._numbers[segment.speaker] += 1
        return f"{segment.speaker}-{number:03d}"


_Times = tuple[str, str, int, int]
"""Recording, channel, and milliseconds of a segment's start and end."""


def _by_times(segments: Mapping[_Channel, Sequence[StmSegment]]) -> dict[_Times, StmSegment]:
    found: dict[_Times, StmSegment] = {}
    for (recording, channel), of_channel in segments.items():
        for one in of_channel:
            key = (recording, channel, round(1000 * one.start), round(1000 * one.end))
            if key in found:
                raise SpeechError(
                    f"{one.where}: expected segments of other times, found them again"
                )
            found[key] = one
    return found


def _channels(
    reference: str | Path, hypothesis: str | Path, options: TranscriptOptions
) -> tuple[dict[str, Transcript], dict[str, Transcript]]:
    """Two ctm files; a recording's channels have names of their own if either file has several."""
    both = [read_ctm_words(path) for path in (reference, hypothesis)]
    several = _several_channels({**both[0], **both[1]})
    references, hypotheses = (_named(words, several, options) for words in both)
    return references, hypotheses


def _several_channels(channels: Iterable[_Channel]) -> set[str]:
    known: dict[str, set[str]] = {}
    for recording, channel in channels:
        known.setdefault(recording, set()).add(channel)
    return {recording for recording, names in known.items() if len(names) > 1}


def _named(
    words: Mapping[_Channel, Sequence[CtmWord]], several: set[str], options: TranscriptOptions
) -> dict[str, Transcript]:
    return {
        f"{recording}-{channel}" if recording in several else recording: _network(
            (word.alternatives for word in found), options
        )
        for (recording, channel), found in words.items()
    }


def _network(words: Iterable[Sequence[Sequence[str]]], options: TranscriptOptions) -> Transcript:
    folded = [
        [options.words(" ".join(alternative)) for alternative in alternatives]
        for alternatives in words
    ]
    return network_of_words(folded, optional_words=options.optional_words)


def _parsed(where: str, text: str, options: TranscriptOptions) -> Transcript:
    try:
        return parse_transcript(options.alternatives(text), optional_words=options.optional_words)
    except SpeechError as error:
        raise SpeechError(f"{where}: {error}") from None


def _add(
    transcripts: dict[str, Transcript], utterance: str, transcript: Transcript, where: str
) -> None:
    if utterance in transcripts:
        raise SpeechError(f"{where}: utterance {utterance!r} a second time")
    transcripts[utterance] = transcript
