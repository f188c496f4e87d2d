"""Alignments of a whole corpus, in any of the formats that are read: one way to all readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE
from recognizer.am.kaldi.alignments import read_kaldi_alignments
from recognizer.am.kaldi.model import (
    KaldiTransitions,
    read_kaldi_transitions,
    read_kaldi_tree,
    read_symbols,
)
from recognizer.data.alignments.alignment import Alignment, Tier
from recognizer.data.alignments.ctm import read_ctm, write_ctm
from recognizer.data.alignments.exclusions import Exclusions, exclude
from recognizer.data.alignments.lhotse import read_lhotse
from recognizer.data.alignments.mlf import read_mlf, write_mlf
from recognizer.data.alignments.phone_map import UnknownPhoneError, read_phone_map, without_position
from recognizer.data.alignments.textgrid import read_textgrid, write_textgrid
from recognizer.data.alignments.timit import read_timit, write_timit
from recognizer.data.errors import SpeechError, UsageError

TABLES = (".gz", ".xz", ".zst")
"""Endings of compressed files, which all formats of one file for many utterances may have."""


@dataclass(frozen=True)
class SourceOptions:
    """What to know of alignments beyond where they are.

    Attributes:
        kind: "ctm", "textgrid", "timit", "kaldi", "mlf" or "lhotse"; by default the first of these
            that is there.
        phone_map: table of phones, OLD NEW a line (see `recognizer.data.alignments.phone_map`).
        silence: phones that are silence, whatever they are called, after the table.
        noise: phones that are noise or unintelligible speech, likewise.
        words_tier: name of a TextGrid's tier of words; None looks for the names that
            `recognizer.data.alignments.textgrid` knows.
        phones_tier: name of its tier of phones, likewise.
        sample_rate: of the times in TIMIT's files, Hz.
        level: what the first names in an MLF are: "states", "phones" or "words".
        model: Kaldi's final.mdl; by default the one beside the alignments.
        phones: Kaldi's phones.txt; by default the one beside the alignments.
        frame_shift: seconds per frame of Kaldi's alignments; 0.03 for chain models.
    """

    kind: str | None = None
    phone_map: str | None = None
    silence: tuple[str, ...] = ("SIL", "sil", "sp", "pau", "h#", "#h", "epi")
    noise: tuple[str, ...] = ("SPN", "spn", "NSN", "nsn")
    words_tier: str | None = None
    phones_tier: str | None = None
    sample_rate: int = 16_000
    level: Tier | None = None
    model: str | None = None
    phones: str | None = None
    frame_shift: float = 0.01

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise UsageError(f"kind: expected one of {', '.join(KINDS)}, found {self.kind!r}")
        if not 0 < self.frame_shift < 1:
            raise UsageError(f"frame_shift: expected seconds in (0, 1), found {self.frame_shift}")
        if self.sample_rate < 1:
            raise UsageError(f"sample_rate: expected at least 1 Hz, found {self.sample_rate}")


@dataclass(frozen=True)
class AlignmentSource:
    """Where alignments are.

    Attributes:
        path: a directory of files of one kind, or one file of many utterances.
        options: what else to know.
        base: directory that paths in the options are relative to.
    """

    path: Path
    options: SourceOptions = SourceOptions()
    base: Path = Path()

    @property
    def kind(self) -> str:
        """The format: the option, or the first kind of file that is there.

        Raises:
            SpeechError: no file of any kind.
        """
        if self.options.kind is not None:
            return self.options.kind
        for kind in KINDS:
            if self.files(kind):
                return kind
        patterns = ", ".join(pattern for patterns in KINDS.values() for pattern in patterns)
        if self.path.is_dir():
            raise SpeechError(f"{self.path}: expected alignments ({patterns}) in it, found none")
        raise SpeechError(
            f"{self.path}: expected the name of a file of alignments ({patterns}), found another: "
            f"the option kind says which of {', '.join(KINDS)} it is"
        )

    def files(self, kind: str) -> list[Path]:
        """The files of a kind, sorted: the path itself, or what is below it."""
        patterns = KINDS[kind]
        if not self.path.is_dir():
            if not self.path.exists():
                raise SpeechError(f"{self.path}: no such file or directory")
            given = self.options.kind == kind
            names = (*patterns, *_OF_ONE_FILE.get(kind, ()))
            return [self.path] if given or any(map(self.path.match, names)) else []
        # One file an utterance may lie in a directory a speaker.
        find = self.path.rglob if kind in ("textgrid", "timit") else self.path.glob
        return sorted({path for pattern in patterns for path in find(pattern)})

    def check(self) -> None:
        """Raises a `SpeechError` if there is nothing to read, or a file beside it is missing."""
        kind = self.kind
        if not self.files(kind):
            raise SpeechError(f"{self.path}: expected {' or '.join(KINDS[kind])}, found none")
        if self.options.phone_map is not None:
            read_phone_map(self.base / self.options.phone_map)
        if kind == "kaldi":
            self.kaldi_model()
            self.kaldi_phones()

    def alignments(self, exclusions: Exclusions | None = None) -> dict[str, Alignment]:
        """All alignments by utterance; see `read`."""
        return {alignment.utterance: alignment for alignment in self.read(exclusions)}

    def read(self, exclusions: Exclusions | None = None) -> Iterator[Alignment]:
        """One alignment after another, with silence called SIL and noise SPN.

        Args:
            exclusions: counts what cannot be used; without it, the first such thing is an error.

        Raises:
            SpeechError: no alignments, or an unreadable file of many utterances.
        """
        kind = self.kind
        files = self.files(kind)
        if not files:
            raise SpeechError(f"{self.path}: expected {' or '.join(KINDS[kind])}, found none")
        table = self.options.phone_map
        phone_map = None if table is None else read_phone_map(self.base / table)
        seen: set[str] = set()
        for alignment in _READERS[kind](self, files, exclusions):
            try:
                mapped = alignment if phone_map is None else phone_map.apply(alignment)
            except UnknownPhoneError as error:
                exclude(exclusions, "phones that the table lacks", f"{self.path}: {error}")
                continue
            if alignment.utterance in seen:
                exclude(
                    exclusions, "a second alignment of an utterance",
                    f"{self.path}: expected one alignment of {alignment.utterance}, found another",
                )  # fmt: skip
                continue
            seen.add(alignment.utterance)
            yield self._named(mapped)

    def _named(self, alignment: Alignment) -> Alignment:
        """Silence is called SIL and noise SPN, in whatever word position they stand."""
        names = dict.fromkeys(self.options.silence, SILENCE)
        names |= dict.fromkeys(self.options.noise, SPOKEN_NOISE)
        phones = tuple(
            replace(segment, label=names.get(without_position(segment.label), segment.label))
            for segment in alignment.phones
        )
        return replace(alignment, phones=phones)

    def is_silence(self, phone: str) -> bool:
        """Whether a phone is silence or noise by the options, in whatever word position."""
        return without_position(phone) in (*self.options.silence, *self.options.noise)

    def kaldi_model(self) -> KaldiTransitions:
        """Kaldi's transition model of these alignments."""
        return read_kaldi_transitions(self._beside("model", self.options.model, "final.mdl"))

    def kaldi_phones(self) -> dict[int, str]:
        """Names of Kaldi's phones by id."""
        return read_symbols(self._beside("phones", self.options.phones, "phones.txt"))

    def kaldi_num_pdfs(self) -> int:
        """Number of pdfs: those of the tree beside the alignments, else the model's."""
        tree = (self.path if self.path.is_dir() else self.path.parent) / "tree"
        of_model = self.kaldi_model().num_pdfs
        return max(of_model, read_kaldi_tree(tree).num_pdfs) if tree.exists() else of_model

    def _beside(self, option: str, given: str | None, name: str) -> Path:
        if given is not None:
            return self.base / given
        path = (self.path if self.path.is_dir() else self.path.parent) / name
        if not path.exists():
            raise SpeechError(
                f"{path}: no such file: expected it beside Kaldi's alignments, or the option "
                f"{option} to name it"
            )
        return path


def write_alignments(alignments: Iterable[Alignment], directory: Path, kind: str) -> None:
    """Write words and phones as "ctm", "mlf", "textgrid" or "timit", a format that is also read.

    Raises:
        SpeechError: an utterance id that no file can be called after, or nothing to write.
        UsageError: another kind.
    """
    chosen = list(alignments)
    directory.mkdir(parents=True, exist_ok=True)
    if kind == "ctm":
        for tier in ("words", "phones"):
            write_ctm(chosen, directory / f"{tier}.ctm", tier=tier)
        return
    if kind == "mlf":
        write_mlf(chosen, directory / "alignments.mlf")
        return
    if kind not in ("textgrid", "timit"):
        raise UsageError(f"expected ctm, mlf, textgrid or timit, found {kind!r}")
    for alignment in chosen:
        name = alignment.utterance
        if Path(name).name != name:
            raise SpeechError(f"utterance {name}: expected an id that can be a file's name")
        if kind == "textgrid":
            write_textgrid(alignment, directory / f"{name}.TextGrid")
            continue
        write_timit(alignment.phones, directory / f"{name}.phn")
        if alignment.words:
            write_timit(alignment.words, directory / f"{name}.wrd")


def _one_each(
    files: list[Path], exclusions: Exclusions | None, read: Callable[[Path], Alignment]
) -> Iterator[Alignment]:
    """Alignments of files of one utterance each, called after their files.

    Where two files have one name, as in TIMIT, all are called after their directories too:
    FCJF0_SA1.
    """
    stems = [path.stem for path in files]
    unique = len(set(stems)) == len(stems)
    for path in files:
        try:
            alignment = read(path)
        except SpeechError as error:
            exclude(exclusions, "files that cannot be read", str(error))
            continue
        name = path.stem if unique else f"{path.parent.name}_{path.stem}"
        yield replace(alignment, utterance=name)


def _ctm(
    source: AlignmentSource, files: list[Path], exclusions: Exclusions | None
) -> Iterator[Alignment]:
    tiers: dict[str, Path | None] = {"words": None, "phones": None}
    for path in files:
        tier = "phones" if path.name.startswith("phones.") else "words"
        if tiers[tier] is not None:
            raise SpeechError(f"{path}: expected one CTM of {tier}, found also {tiers[tier]}")
        tiers[tier] = path
    return iter(read_ctm(tiers["words"], tiers["phones"], exclusions).values())


def _textgrids(
    source: AlignmentSource, files: list[Path], exclusions: Exclusions | None
) -> Iterator[Alignment]:
    names = {"words": source.options.words_tier, "phones": source.options.phones_tier}
    return _one_each(files, exclusions, lambda path: read_textgrid(path, **names))


def _timit(
    source: AlignmentSource, files: list[Path], exclusions: Exclusions | None
) -> Iterator[Alignment]:
    def read(path: Path) -> Alignment:
        words = path.with_suffix(".WRD" if path.suffix == ".PHN" else ".wrd")
        rate = source.options.sample_rate
        return read_timit(path, words if words.exists() else None, sample_rate=rate)

    return _one_each(files, exclusions, read)


def _kaldi(
    source: AlignmentSource, files: list[Path], exclusions: Exclusions | None
) -> Iterator[Alignment]:
    model, phones = source.kaldi_model(), source.kaldi_phones()
    shift = source.options.frame_shift
    for path in files:
        yield from read_kaldi_alignments(
            path, model, phones, frame_shift=shift, exclusions=exclusions
        )


def _mlf(
    source: AlignmentSource, files: list[Path], exclusions: Exclusions | None
) -> Iterator[Alignment]:
    for path in files:
        options = source.options
        yield from read_mlf(
            path, level=options.level, silences=options.silence, exclusions=exclusions
        )


def _lhotse(
    source: AlignmentSource, files: list[Path], exclusions: Exclusions | None
) -> Iterator[Alignment]:
    for path in files:
        yield from read_lhotse(path, exclusions=exclusions)


def _tables(*patterns: str) -> tuple[str, ...]:
    return tuple(pattern + ending for pattern in patterns for ending in ("", *TABLES))


KINDS: dict[str, tuple[str, ...]] = {
    "ctm": _tables("words.ctm", "phones.ctm"),
    "textgrid": ("*.TextGrid", "*.textgrid"),
    "timit": ("*.phn", "*.PHN"),
    "kaldi": ("ali.*.gz", "ali.gz", "ali.*.ark", "ali.ark", "ali.*.txt", "ali.txt"),
    "mlf": _tables("*.mlf"),
    "lhotse": _tables("*.jsonl"),
}
"""The kinds of alignments and the names of their files, in the order of looking for them."""

_OF_ONE_FILE = {"ctm": _tables("*.ctm")}
"""Further names of a file that is given itself: a CTM is one of words unless it is phones.ctm."""

_READERS: dict[
    str, Callable[[AlignmentSource, list[Path], Exclusions | None], Iterator[Alignment]]
] = {
    "ctm": _ctm,
    "textgrid": _textgrids,
    "timit": _timit,
    "kaldi": _kaldi,
    "mlf": _mlf,
    "lhotse": _lhotse,
}
