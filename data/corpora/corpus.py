"""Corpora of speech: Kaldi's, Lhotse's, LibriSpeech's and the Montreal Forced Aligner's (MFA)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from recognizer.data.audio.reading import SAMPLE_RATE, Samples, audio_duration, part, read_audio
from recognizer.data.corpora.kaldi_tables import (
    check_same,
    differences,
    read_segments,
    read_table,
    recording_source,
)
from recognizer.data.corpora.lhotse import find_manifests, read_supervisions
from recognizer.data.corpora.mfa import (
    AUDIO_SUFFIXES,
    TranscribedPart,
    has_recordings,
    is_transcribed_tree,
    read_transcribed_tree,
    transcribed,
)
from recognizer.data.corpora.recordings import (
    forget_recordings,
    parts_are_cheap,
    whole_recording,
)
from recognizer.data.errors import SpeechError, UsageError
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
        part_of: name of the recording that it is a part of; empty where it is a recording of its
            own, which has its id as name.
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
    part_of: str = ""

    @property
    def recording(self) -> str:
        """Name of the recording, which several utterances may share."""
        return self.part_of or self.id

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
        skipped: why, by the name of each recording that could not be used, where the corpus was
            read with `skip_faulty`.
    """

    name: str
    utterances: tuple[Utterance, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)

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
    path: str | os.PathLike[str],
    *,
    allow_pipes: bool = False,
    transcripts: bool = True,
    speaker_characters: int | None = None,
    skip_faulty: bool = False,
) -> Corpus:
    """Read a Kaldi data directory, Lhotse's manifests, a LibriSpeech tree, or folders as MFA's.

    Here alone it is decided what a path is: a directory with a wav.scp is Kaldi's, one
    with *supervisions*.jsonl (or .jsonl.gz), or such a file, is Lhotse's, one with *.trans.txt
    files somewhere in it is LibriSpeech's, and one with recordings beside transcripts (.lab, .txt,
    .TextGrid) somewhere in it is MFA's (`recognizer.data.corpora.mfa`).

    Args:
        path: the directory, or a manifest of supervisions.
        allow_pipes: let wav.scp name commands whose output is the recording; see `read_kaldi_dir`.
        transcripts: False reads a set for the sake of its audio: a Kaldi data directory need not
            have a text then nor folders transcripts, and every transcript is empty.
        speaker_characters: in folders as MFA's, the number of characters that a file's name begins
            with which are the speaker; None: the speaker is the folder.
        skip_faulty: list what is wrong with single recordings in `Corpus.skipped` instead of
            raising. Audio that is missing or damaged is found when it is read.

    Raises:
        SpeechError: none of these, or one with faults.
        UsageError: an impossible number of characters, or one for a corpus of another kind.
    """
    forget_recordings()
    path = Path(path)
    if speaker_characters is not None and speaker_characters < 1:
        raise UsageError(f"speaker_characters: expected at least 1, found {speaker_characters}")
    corpus = _read_any(path, allow_pipes, transcripts, speaker_characters, skip_faulty)
    if corpus.skipped and not skip_faulty:
        name, reason = next(iter(corpus.skipped.items()))
        raise SpeechError(
            f"{path}: expected recordings with transcripts, found {len(corpus.skipped)} at fault, "
            f"the first {name}: {reason}"
        )
    if not transcripts:
        corpus = replace(corpus, utterances=tuple(replace(one, text="") for one in corpus))
    return corpus


def _read_any(
    path: Path,
    allow_pipes: bool,
    transcripts: bool,
    speaker_characters: int | None,
    skip_faulty: bool,
) -> Corpus:
    if not path.exists():
        raise SpeechError(f"{path}: no such file or directory")
    kaldi = (path / "wav.scp").exists()
    manifests = None if kaldi else find_manifests(path)
    if not kaldi and manifests is None and not path.is_dir():
        raise SpeechError(
            f"{path}: expected a directory of a corpus or a manifest of supervisions "
            "(*supervisions*.jsonl), found another file"
        )
    librispeech = not kaldi and next(path.rglob("*.trans.txt"), None) is not None
    if kaldi or manifests is not None or librispeech:
        if speaker_characters is not None:
            raise UsageError(
                f"{path}: expected folders of recordings with transcripts beside a number of "
                "characters of the speaker's name, found a corpus that names its speakers"
            )
        if kaldi:
            return read_kaldi_dir(
                path, allow_pipes=allow_pipes, transcripts=transcripts, skip_faulty=skip_faulty
            )
        if manifests is not None:
            return read_lhotse(*manifests, skip_faulty=skip_faulty)
        return read_librispeech(path, skip_faulty=skip_faulty)
    if is_transcribed_tree(path) or (not transcripts and has_recordings(path)):
        return read_mfa(path, speaker_characters=speaker_characters, transcripts=transcripts)
    raise SpeechError(
        f"{path}: expected a Kaldi data directory (wav.scp, text), manifests of Lhotse "
        "(*recordings*.jsonl, *supervisions*.jsonl), a LibriSpeech tree (*.trans.txt) or "
        "recordings beside transcripts (.lab, .txt, .TextGrid), found none"
    )


def read_mfa(
    path: str | os.PathLike[str], *, speaker_characters: int | None = None, transcripts: bool = True
) -> Corpus:
    """Read folders of recordings with transcripts beside them, as MFA's.

    See `recognizer.data.corpora.mfa.read_transcribed_tree`; what is wrong with single recordings is
    in the result's `Corpus.skipped`.
    """
    path = Path(path)
    found = read_transcribed_tree(
        path, speaker_characters=speaker_characters, transcripts=transcripts
    )
    return Corpus(path.resolve().name, _utterances(found.parts), found.skipped)


def read_one(audio: str | os.PathLike[str], transcript: str | os.PathLike[str]) -> Corpus:
    """One recording with its transcript: a text file, or a TextGrid of utterances.

    Raises:
        SpeechError: a missing or faulty transcript, or a TextGrid that does not fit the audio.
    """
    forget_recordings()
    path = Path(audio)
    whole = TranscribedPart(path.stem, path.stem, path, path.stem, "")
    return Corpus(path.stem, _utterances(transcribed(whole, Path(transcript))))


def _utterances(parts: Iterable[TranscribedPart]) -> tuple[Utterance, ...]:
    """Utterances of a corpus in MFA's layout, in order of their ids."""
    return tuple(
        Utterance(
            id=one.id,
            audio=one.audio,
            speaker=one.speaker,
            text=one.text,
            start=one.start,
            end=one.end,
            part_of="" if one.recording == one.id else one.recording,
        )
        for one in sorted(parts, key=lambda part: part.id)
    )


def read_kaldi_dir(
    path: str | os.PathLike[str],
    *,
    allow_pipes: bool = False,
    transcripts: bool = True,
    skip_faulty: bool = False,
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
        skip_faulty: audio may be missing, and the lists need not name the same utterances: those
            that one of them lacks are skipped.

    Raises:
        SpeechError: a missing or malformed list, lists that do not name the same utterances
            (gives the first few and how many), missing audio.
    """
    path = Path(path)
    recordings = read_table(path / "wav.scp")
    sources = {
        recording: recording_source(path, number, recording, value, allow_pipes)
        for recording, (number, value) in recordings.items()
    }
    missing = [
        (recording, audio)
        for recording, (audio, command) in sources.items()
        if command is None and not audio.exists()
    ]
    if missing and not skip_faulty:
        raise SpeechError(
            f"{path / 'wav.scp'}: expected files that exist, found {len(missing)} of "
            f"{len(sources)} missing, the first {missing[0][1]} of {missing[0][0]}"
        )
    if (path / "segments").exists():
        listed = path / "segments"
        parts = read_segments(listed, sources.keys())
    else:
        listed = path / "wav.scp"
        parts = {recording: (recording, 0.0, None) for recording in sources}
    text = dict.fromkeys(parts, "")
    skipped: dict[str, str] = {}

    def column(name: str, *, empty: bool = False) -> dict[str, str]:
        table = read_table(path / name, empty=empty)
        if skip_faulty:
            skipped.update(differences(listed, parts.keys(), path / name, table.keys()))
        else:
            check_same(listed, parts.keys(), path / name, table.keys())
        return {utterance: value for utterance, (_, value) in table.items()}

    if transcripts:
        text = column("text", empty=True)
    speakers = {utterance: utterance for utterance in parts}
    if (path / "utt2spk").exists():
        speakers = column("utt2spk")
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
                part_of="" if recording == utterance else recording,
            )
            for utterance, (recording, start, end) in sorted(parts.items())
            if utterance not in skipped
        ),
        skipped,
    )


def read_lhotse(recordings: Path, supervisions: Path, *, skip_faulty: bool = False) -> Corpus:
    """Read two manifests of Lhotse; raises as `recognizer.data.corpora.lhotse.read_supervisions`.

    A supervision of one channel is an utterance of this channel, one of all channels an utterance
    of their mean. Without a speaker every utterance is its own. With `skip_faulty`, audio may be
    missing, which is found when it is read.
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
                part_of="" if one.recording == one.id else one.recording,
            )
            for one in read_supervisions(recordings, supervisions, missing=skip_faulty)
        ),
    )


def read_librispeech(path: str | os.PathLike[str], *, skip_faulty: bool = False) -> Corpus:
    """Read a LibriSpeech tree: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt beside the audio.

    The directory may be one set (train-clean-5) or hold several. With `skip_faulty`, an utterance
    without audio is skipped.

    Raises:
        SpeechError: no transcripts, a malformed one, an utterance without audio, ids given twice.
    """
    path = Path(path)
    utterances: dict[str, Utterance] = {}
    skipped: dict[str, str] = {}
    for transcripts in sorted(path.rglob("*.trans.txt")):
        for number, line in enumerate(read_lines(transcripts), start=1):
            if not line.strip():
                continue
            utterance, _, text = line.strip().partition(" ")
            speaker = utterance.split("-")[0]
            candidates = [transcripts.parent / (utterance + suffix) for suffix in AUDIO_SUFFIXES]
            audio = next((file for file in candidates if file.exists()), None)
            if audio is None:
                fault = (
                    f"{transcripts}:{number}: expected audio {candidates[0].name} "
                    "beside the transcripts, found none"
                )
                if not skip_faulty:
                    raise SpeechError(fault)
                skipped[utterance] = fault
                continue
            if utterance in utterances:
                raise SpeechError(
                    f"{transcripts}:{number}: expected ids given once, found {utterance} again"
                )
            utterances[utterance] = Utterance(utterance, audio, speaker, text.strip())
    if not utterances and not skipped:
        raise SpeechError(f"{path}: expected a LibriSpeech tree, found no *.trans.txt with lines")
    found = tuple(utterances[key] for key in sorted(utterances))
    return Corpus(path.resolve().name, found, skipped)
