"""Corpora of speech: Kaldi data directories, Lhotse's manifests and the LibriSpeech tree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from recognizer.data.audio.reading import SAMPLE_RATE, Samples, audio_duration, part, read_audio
from recognizer.data.corpora.lhotse import find_manifests, read_supervisions
from recognizer.data.corpora.recordings import (
    forget_recordings,
    parts_are_cheap,
    whole_recording,
)
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines
from recognizer.data.text.rules import DEFAULT_RULES, check_text_rules, text_rules
from recognizer.data.text.transcripts import is_tag, spoken_tokens


@dataclass(frozen=True)
class Utterance:
    """One stretch of speech with its transcript.

    Attributes:
        id: unique in its corpus.
        audio: the recording's file; for a piped recording, the data directory's wav.scp.
        speaker: who speaks.
        text: the transcript as the corpus has it.
        start: seconds from the recording's beginning.
        end: seconds from the recording's beginning; None is the recording's end.
        command: the pipeline that prints the recording, or None for an ordinary file.
        text_rules: name of the rule set for the transcript (`recognizer.data.text.rules`).
        channel: the recording's channel, counted from 1; None is the mean, see `read_audio`.
    """

    id: str
    audio: Path
    speaker: str
    text: str
    start: float = 0.0
    end: float | None = None
    command: str | None = None
    text_rules: str = DEFAULT_RULES
    channel: int | None = None

    def samples(self) -> Samples:
        """16 kHz mono float32 samples `[N]`; raises as `read_audio` does."""
        source = self.audio if self.command is None else self.command
        is_part = self.start > 0.0 or self.end is not None
        if self.command is not None or (is_part and not parts_are_cheap(self.audio)):
            recording = whole_recording(source, self.channel)
            return part(str(source), recording, self.start, self.end)
        return read_audio(self.audio, start=self.start, end=self.end, channel=self.channel)

    @cached_property
    def duration(self) -> float:
        """Seconds of speech, from the segment's times or the recording's header."""
        if self.end is not None:
            return self.end - self.start
        if self.command is not None:
            recording = whole_recording(self.command, self.channel)
            return len(recording) / SAMPLE_RATE - self.start
        return audio_duration(self.audio) - self.start

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The transcript's words in their normal form, without tags such as [noise].

        Raises:
            SpeechError: the transcript has something that the rules refuse.
        """
        return tuple(token for token in self.tokens if not is_tag(token))

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """What forced alignment goes by: the words, and tags of noise and of unknown speech.

        Raises:
            SpeechError: the transcript has something that the rules refuse.
        """
        try:
            return spoken_tokens(text_rules(self.text_rules), self.text)
        except SpeechError as error:
            raise SpeechError(f"utterance {self.id}: transcript: {error}") from None


@dataclass(frozen=True)
class Corpus:
    """A named list of utterances, in order of their ids; iterating gives the utterances.

    Attributes:
        name: for messages and files.
        utterances: recordings, or parts of them, with transcripts and speakers.
    """

    name: str
    utterances: tuple[Utterance, ...]

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    def __len__(self) -> int:
        return len(self.utterances)

    def normalized(self, rules: str) -> Corpus:
        """The same corpus with the words that another rule set makes of its transcripts.

        Args:
            rules: name of the rule set (`recognizer.data.text.rules`).

        Raises:
            UsageError: there is no such rule set.
        """
        check_text_rules(rules)
        changed = (replace(one, text_rules=rules) for one in self.utterances)
        return replace(self, utterances=tuple(changed))

    def of_channel(self, channel: int) -> Corpus:
        """The same corpus, of whose recordings one channel is taken, counted from 1."""
        return replace(self, utterances=tuple(replace(one, channel=channel) for one in self))

    def spread(self, number: int) -> Corpus:
        """So many utterances, spread evenly over the corpus; all of one that has no more."""
        if number >= len(self):
            return self
        places = (place * len(self) // number for place in range(number))
        return replace(self, utterances=tuple(self.utterances[place] for place in places))

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers, sorted."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances}))


def read_corpus(
    path: str | os.PathLike[str], *, allow_pipes: bool = False, transcripts: bool = True
) -> Corpus:
    """Read a Kaldi data directory, manifests of Lhotse, or a LibriSpeech tree.

    Here alone it is decided what a path is: a directory with a wav.scp is Kaldi's, one
    with *supervisions*.jsonl (or .jsonl.gz), or such a file, is Lhotse's, one with *.trans.txt
    files somewhere in it is LibriSpeech's.

    Args:
        path: the directory, or a manifest of supervisions.
        allow_pipes: let wav.scp name commands whose output is the recording; see `read_kaldi_dir`.
        transcripts: False reads a set for the sake of its audio: a Kaldi data directory need not
            have a text then, and every transcript is empty, even where there is one.

    Raises:
        SpeechError: none of these, or one with faults.
    """
    forget_recordings()
    path = Path(path)
    corpus = _read_any(path, allow_pipes, transcripts)
    if not transcripts:
        corpus = replace(corpus, utterances=tuple(replace(one, text="") for one in corpus))
    return corpus


def _read_any(path: Path, allow_pipes: bool, transcripts: bool) -> Corpus:
    if not path.exists():
        raise SpeechError(f"{path}: no such file or directory")
    if (path / "wav.scp").exists():
        return read_kaldi_dir(path, allow_pipes=allow_pipes, transcripts=transcripts)
    manifests = find_manifests(path)
    if manifests is not None:
        return read_lhotse(*manifests)
    if not path.is_dir():
        raise SpeechError(
            f"{path}: expected a directory of a corpus or a manifest of supervisions "
            "(*supervisions*.jsonl), found another file"
        )
    if next(path.rglob("*.trans.txt"), None) is not None:
        return read_librispeech(path)
    raise SpeechError(
        f"{path}: expected a Kaldi data directory (wav.scp, text), manifests of Lhotse "
        "(*recordings*.jsonl, *supervisions*.jsonl) or a LibriSpeech tree (*.trans.txt), found none"
    )


def read_kaldi_dir(
    path: str | os.PathLike[str], *, allow_pipes: bool = False, transcripts: bool = True
) -> Corpus:
    """Read a Kaldi data directory: wav.scp, text, and optionally segments and utt2spk.

    A relative path in wav.scp is looked for in the data directory, then in the working directory
    (as Kaldi does). Without utt2spk every utterance is its own speaker. Every list must name the
    same utterances; unlike Kaldi's programs this reader does not need them sorted.

    Args:
        path: the data directory.
        allow_pipes: accept `command |` in wav.scp. The commands run when the audio is read, so
            allow this only for directories whose origin is trusted. No shell runs them: a
            pipeline of plain commands works, anything that needs a shell is refused.
        transcripts: False does without text, and leaves transcripts empty.

    Raises:
        SpeechError: a missing or malformed list, lists that do not name the same utterances
            (gives the first few and how many), missing audio.
    """
    path = Path(path)
    recordings = _read_table(path / "wav.scp")
    sources = {
        recording: _recording(path, number, recording, value, allow_pipes)
        for recording, (number, value) in recordings.items()
    }
    missing = [
        (recording, audio)
        for recording, (audio, command) in sources.items()
        if command is None and not audio.exists()
    ]
    if missing:
        raise SpeechError(
            f"{path / 'wav.scp'}: expected files that exist, found {len(missing)} of "
            f"{len(sources)} missing, the first {missing[0][1]} of {missing[0][0]}"
        )
    if (path / "segments").exists():
        listed = path / "segments"
        parts = _read_segments(listed, sources.keys())
    else:
        listed = path / "wav.scp"
        parts = {recording: (recording, 0.0, None) for recording in sources}
    text = dict.fromkeys(parts, "")
    if transcripts:
        table = _read_table(path / "text", empty=True)
        _check_same(listed, parts.keys(), path / "text", table.keys())
        text = {utterance: value for utterance, (_, value) in table.items()}
    speakers = {utterance: utterance for utterance in parts}
    if (path / "utt2spk").exists():
        table = _read_table(path / "utt2spk")
        _check_same(listed, parts.keys(), path / "utt2spk", table.keys())
        speakers = {utterance: value for utterance, (_, value) in table.items()}
    return Corpus(
        path.resolve().name,
        tuple(
            Utterance(
                id=utterance,
                audio=sources[recording][0],
                speaker=speakers[utterance],
                text=text[utterance],
                start=start,
                end=end,
                command=sources[recording][1],
            )
            for utterance, (recording, start, end) in sorted(parts.items())
        ),
    )


def read_lhotse(recordings: Path, supervisions: Path) -> Corpus:
    """Read two manifests of Lhotse; raises as `recognizer.data.corpora.lhotse.read_supervisions`.

    A supervision of one channel is an utterance of this channel, one of all channels an utterance
    of their mean. Without a speaker every utterance is its own.
    """
    return Corpus(
        supervisions.resolve().parent.name,
        tuple(
            Utterance(
                id=one.id,
                audio=one.audio,
                speaker=one.speaker,
                text=one.text,
                start=one.start,
                end=one.end,
                channel=one.channel,
            )
            for one in read_supervisions(recordings, supervisions)
        ),
    )


AUDIO_SUFFIXES = (".flac", ".wav", ".opus", ".ogg", ".mp3", ".m4a", ".webm")


def read_librispeech(path: str | os.PathLike[str]) -> Corpus:
    """Read a LibriSpeech tree: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt beside the audio.

    The directory may be one set (train-clean-5) or hold several.

    Raises:
        SpeechError: no transcripts, a malformed one, an utterance without audio, ids given twice.
    """
    path = Path(path)
    utterances: dict[str, Utterance] = {}
    for transcripts in sorted(path.rglob("*.trans.txt")):
        for number, line in enumerate(read_lines(transcripts), start=1):
            if not line.strip():
                continue
            utterance, _, text = line.strip().partition(" ")
            speaker = utterance.split("-")[0]
            candidates = [transcripts.parent / (utterance + suffix) for suffix in AUDIO_SUFFIXES]
            audio = next((file for file in candidates if file.exists()), None)
            if audio is None:
                raise SpeechError(
                    f"{transcripts}:{number}: expected audio {candidates[0].name} "
                    "beside the transcripts, found none"
                )
            if utterance in utterances:
                raise SpeechError(
                    f"{transcripts}:{number}: expected ids given once, found {utterance} again"
                )
            utterances[utterance] = Utterance(utterance, audio, speaker, text.strip())
    if not utterances:
        raise SpeechError(f"{path}: expected a LibriSpeech tree, found no *.trans.txt with lines")
    return Corpus(path.resolve().name, tuple(utterances[key] for key in sorted(utterances)))


def _recording(
    directory: Path, number: int, recording: str, value: str, allow_pipes: bool
) -> tuple[Path, str | None]:
    scp = directory / "wav.scp"
    if value.endswith("|"):
        if not allow_pipes:
            raise SpeechError(
                f"{scp}:{number}: expected an audio file, found a command for {recording}; "
                "commands run only where pipes are explicitly allowed"
            )
        return scp, value[:-1].strip()
    audio = Path(value)
    if not audio.is_absolute() and (directory / audio).exists():
        return directory / audio, None
    if not audio.is_absolute() and not audio.exists():
        return directory / audio, None
    return audio, None


def _read_table(path: Path, *, empty: bool = False) -> dict[str, tuple[int, str]]:
    """Lines `key value` of a Kaldi table: key to (line number, value)."""
    table: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split(maxsplit=1)
        if not fields or (len(fields) == 1 and not empty):
            raise SpeechError(f"{path}:{number}: expected an id and a value, found {line!r}")
        if fields[0] in table:
            raise SpeechError(
                f"{path}:{number}: expected ids given once, found {fields[0]} again "
                f"(first in line {table[fields[0]][0]})"
            )
        table[fields[0]] = (number, fields[1].strip() if len(fields) > 1 else "")
    if not table:
        raise SpeechError(f"{path}: expected at least one line, found none")
    return table


def _read_segments(path: Path, recordings: Set[str]) -> dict[str, tuple[str, float, float | None]]:
    """Lines `utterance recording start end` (an end of -1 is the recording's end)."""
    parts: dict[str, tuple[str, float, float | None]] = {}
    for utterance, (number, value) in _read_table(path).items():
        fields = value.split()
        try:
            recording, start, end = fields[0], float(fields[1]), float(fields[2])
        except (IndexError, ValueError):
            raise SpeechError(
                f"{path}:{number}: expected utterance, recording, start and end in seconds, "
                f"found {utterance} {value}"
            ) from None
        if recording not in recordings:
            raise SpeechError(
                f"{path}:{number}: expected a recording of wav.scp, found {recording}"
            )
        if not 0.0 <= start < float("inf") or not (end == -1.0 or start < end < float("inf")):
            raise SpeechError(
                f"{path}:{number}: expected 0 <= start < end in seconds, found {start} {end}"
            )
        parts[utterance] = (recording, start, None if end == -1.0 else end)
    return parts


def _check_same(one: Path, ids_of_one: Set[str], other: Path, ids_of_other: Set[str]) -> None:
    """Refuse two lists of a data directory that do not name the same utterances."""
    faults = []
    for here, ids, there in (
        (one, ids_of_one - ids_of_other, other),
        (other, ids_of_other - ids_of_one, one),
    ):
        if ids:
            first = ", ".join(sorted(ids)[:3]) + (", ..." if len(ids) > 3 else "")
            faults.append(f"{len(ids)} only in {here.name} and not in {there.name} ({first})")
    if faults:
        raise SpeechError(
            f"{other}: expected the same utterances as {one.name}, found {len(ids_of_one)} in "
            f"{one.name} and {len(ids_of_other)} in {other.name}: {'; '.join(faults)}"
        )
