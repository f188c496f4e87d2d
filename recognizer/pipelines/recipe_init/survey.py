"""Corpora as `recognizer recipe init` finds them, and what of them is held out as development sets.

Speakers are held out, so that error rates are those of unknown voices. Where there are too few of
them sentences are held out instead: all utterances of a sentence, so that none is in both parts.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from recognizer.data.corpora.corpus import Corpus, Utterance, read_corpus
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import progress_bar

DEV_SHARE, DEV_MOST_SECONDS = 0.1, 1800.0
"""A tenth of the speech is held out, at most half an hour."""

SPEAKER_MOST_SHARE = 0.25
"""A speaker with a larger share of the speech than this is not held out."""

_Group = TypeVar("_Group", bound=Hashable)


@dataclass(frozen=True)
class FoundSet:
    """A corpus of the user's.

    Attributes:
        path: its directory.
        name: unique among them; names its files.
        training: what is trained on.
        held_out: what of it is a development set; empty if nothing is.
    """

    path: Path
    name: str
    training: Corpus
    held_out: Corpus

    @property
    def divided(self) -> bool:
        """Whether a part is held out, so that the directory cannot be used as it is."""
        return len(self.held_out) > 0


@dataclass(frozen=True)
class Survey:
    """All that a recipe is made for.

    Attributes:
        sets: to train on.
        dev: directories of development sets that the user named.
        by_sentence: whether what is held out are sentences of known voices, not speakers.
        sentences: transcripts to train language models on, none of a development set.
        shared: different sentences of the training sets that a development set has too, which were
            left out of `sentences`.
    """

    sets: tuple[FoundSet, ...]
    dev: tuple[Path, ...]
    by_sentence: bool
    sentences: tuple[str, ...]
    shared: int

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """To train on."""
        return tuple(utterance for one in self.sets for utterance in one.training)

    @property
    def seconds(self) -> float:
        """Of speech to train on."""
        return sum(utterance.duration for utterance in self.utterances)

    @property
    def words(self) -> int:
        """Of the sentences."""
        return sum(len(sentence.split()) for sentence in self.sentences)


def survey(paths: Sequence[Path], dev: Sequence[Path], rules: str) -> Survey:
    """Read corpora, and hold out a part of them where no development set is named.

    Args:
        paths: directories of corpora, as `recognizer.data.corpora.corpus.read_corpus` reads them.
        dev: directories of development sets.
        rules: name of the rule set of the transcripts.

    Raises:
        SpeechError: a corpus is missing or faulty, its audio cannot be read, or there is too little
            to hold out anything.
    """
    corpora = [read_corpus(path).normalized(rules) for path in paths]
    apart = [read_corpus(path).normalized(rules) for path in dev]
    _read_durations(corpora)
    held_out: set[tuple[int, str]] = set()
    by_sentence = False
    if not dev:
        held_out, by_sentence = _hold_out(corpora)
    sets = []
    for index, (path, name, corpus) in enumerate(zip(paths, _names(corpora), corpora, strict=True)):
        chosen = {key for number, key in held_out if number == index}
        sets.append(FoundSet(path, name, *_divided(corpus, chosen)))
    apart += [one.held_out for one in sets]
    measured = {_sentence(utterance) for corpus in apart for utterance in corpus}
    said = [_sentence(utterance) for one in sets for utterance in one.training]
    return Survey(
        tuple(sets),
        tuple(dev),
        by_sentence,
        tuple(sentence for sentence in said if sentence and sentence not in measured),
        len(measured.intersection(said) - {""}),
    )


def _read_durations(corpora: Sequence[Corpus]) -> None:
    with progress_bar("reading lengths", sum(map(len, corpora))) as advance:
        for corpus in corpora:
            for utterance in corpus:
                _ = utterance.duration  # cached
                advance()


def _hold_out(corpora: Sequence[Corpus]) -> tuple[set[tuple[int, str]], bool]:
    """Number of the corpus and id of each utterance that is held out; whether by sentence."""
    total = sum(utterance.duration for corpus in corpora for utterance in corpus)
    wanted = min(DEV_SHARE * total, DEV_MOST_SECONDS)

    def chosen(group: Callable[[int, Utterance], _Group], most: float) -> set[tuple[int, str]]:
        seconds: defaultdict[_Group, float] = defaultdict(float)
        members: dict[_Group, list[tuple[int, str]]] = {}
        for index, corpus in enumerate(corpora):
            for utterance in corpus:
                key = group(index, utterance)
                seconds[key] += utterance.duration
                members.setdefault(key, []).append((index, utterance.id))
        found: set[tuple[int, str]] = set()
        held = 0.0
        for key in sorted(members, key=_hash):
            if held < wanted and seconds[key] <= most:
                found.update(members[key])
                held += seconds[key]
        return found if held >= wanted / 2 else set()

    if found := chosen(lambda index, u: (index, u.speaker), SPEAKER_MOST_SHARE * total):
        return found, False
    if found := chosen(lambda _, u: _sentence(u), SPEAKER_MOST_SHARE * total):
        return found, True
    raise SpeechError(
        f"expected speech of several speakers or sentences, to hold out a development set, found "
        f"{sum(map(len, corpora))} utterances of {total:.0f} s: name one with --dev"
    )


def _hash(key: object) -> bytes:
    return hashlib.sha256(repr(key).encode()).digest()


def _divided(corpus: Corpus, held_out: set[str]) -> tuple[Corpus, Corpus]:
    parts: Mapping[bool, list[Utterance]] = {False: [], True: []}
    for utterance in corpus:
        parts[utterance.id in held_out].append(utterance)
    training, dev = (replace(corpus, utterances=tuple(parts[held])) for held in (False, True))
    return training, dev


def _names(corpora: Sequence[Corpus]) -> list[str]:
    """A name of letters, digits, dots and dashes for each, no two alike."""
    found: list[str] = []
    for corpus in corpora:
        plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in corpus.name) or "speech"
        name, number = plain, 2
        while name in found:
            name, number = f"{plain}-{number}", number + 1
        found.append(name)
    return found


def _sentence(utterance: Utterance) -> str:
    return " ".join(utterance.words)
