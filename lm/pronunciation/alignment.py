"""Which letters of a lexicon's words stand for which phones.

A *graphone* is one or two letters and the phones that they stand for, at most two of them and
together not two of each: `sh` and SH, `x` and K S, a silent `e` and none. An alignment cuts a word
and its pronunciation into graphones. Their probabilities are estimated by expectation maximisation
over all alignments (Jiampojamarn et al. 2007, "Applying many-to-many alignments and hidden Markov
models to letter-to-phoneme conversion", section 3), as in Sequitur (Bisani and Ney 2008) and
Phonetisaurus (Novak et al. 2016).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Pronunciation
from recognizer.lm import _pronunciation

MAX_LETTERS: int = _pronunciation.MAX_LETTERS
MAX_PHONES: int = _pronunciation.MAX_PHONES

_END_OF_LETTERS = "}"
_BETWEEN_PHONES = "|"


@dataclass(frozen=True)
class Graphone:
    """A few letters and the phones that they stand for.

    Attributes:
        letters: one or two.
        phones: two at most; each may have a mark (`AH^1`).
    """

    letters: str
    phones: tuple[str, ...]

    @property
    def token(self) -> str:
        """The graphone as a word of an n-gram model: `x}K|S`, `e}`."""
        return f"{self.letters}{_END_OF_LETTERS}{_BETWEEN_PHONES.join(self.phones)}"

    @classmethod
    def parse(cls, token: str) -> Graphone:
        """The graphone of a token.

        Raises:
            SpeechError: it is none.
        """
        letters, end, phones = token.partition(_END_OF_LETTERS)
        graphone = cls(letters, tuple(phones.split(_BETWEEN_PHONES)) if phones else ())
        sizes = (1 <= len(letters) <= MAX_LETTERS, len(graphone.phones) <= MAX_PHONES)
        if not end or not all(sizes) or not all(graphone.phones):
            raise SpeechError(f"expected letters and phones such as 'x}}K|S', found {token!r}")
        return graphone


@dataclass(frozen=True)
class AlignedLexicon:
    """The likeliest alignment of each entry.

    Attributes:
        entries: by entry, its graphones from first to last.
        left_out: entries with more than two phones a letter, which have no alignment.
        log_likelihood: of all other entries, summed over all their alignments; natural log.
    """

    entries: tuple[tuple[Graphone, ...], ...]
    left_out: tuple[Pronunciation, ...]
    log_likelihood: float


def align_lexicon(entries: Iterable[Pronunciation], *, iterations: int = 12) -> AlignedLexicon:
    """Find the likeliest alignment of every entry of a lexicon.

    Likelihood prefers few long graphones to many short ones, and the n-grams of long ones are
    seldom seen. So the likeliest alignment is chosen, as by Phonetisaurus, with the cost (negated
    log probability) of a graphone counted once for each of its letters or phones, whichever are
    more.

    Args:
        entries: words and their pronunciations, each counted once.
        iterations: of expectation maximisation, from equal probabilities.

    Raises:
        UsageError: no iterations.
        SpeechError: there is no entry that can be aligned, or letters or phones have a character
            that stands between those of a graphone.
    """
    if iterations < 1:
        raise UsageError(f"iterations: expected at least 1, found {iterations}")
    entries = list(entries)
    _check_symbols(entries)
    letters = sorted({letter for entry in entries for letter in entry.word})
    phones = sorted({phone for entry in entries for phone in entry.phones})
    graphs = _pronunciation.AlignmentGraphs(
        *_numbered([entry.word for entry in entries], letters),
        *_numbered([entry.phones for entry in entries], phones),
    )
    rows = graphs.graphones().reshape(-1, MAX_LETTERS + MAX_PHONES)
    if not len(rows):
        raise SpeechError("lexicon: expected words with at most two phones a letter, found none")
    log_probs = np.full(len(rows), -np.log(len(rows)))
    log_likelihood = 0.0
    for _ in range(iterations):
        counts, log_likelihood = graphs.count(log_probs)
        with np.errstate(divide="ignore"):
            log_probs = np.log(counts / counts.sum())
    given = rows >= 0
    sizes = np.maximum(given[:, :MAX_LETTERS].sum(axis=1), given[:, MAX_LETTERS:].sum(axis=1))
    ids, offsets = graphs.align(log_probs * sizes)
    graphones = [_graphone(row, letters, phones) for row in rows.tolist()]
    bounds = offsets.tolist()
    aligned = [
        tuple(graphones[i] for i in ids[start:stop].tolist()) for start, stop in pairwise(bounds)
    ]
    left_out = tuple(e for e, found in zip(entries, aligned, strict=True) if not found)
    return AlignedLexicon(tuple(filter(None, aligned)), left_out, log_likelihood)


def _check_symbols(entries: Sequence[Pronunciation]) -> None:
    for entry in entries:
        if _END_OF_LETTERS in entry.word:
            found = f"expected letters, found {_END_OF_LETTERS!r}"
            raise SpeechError(f"word {entry.word!r}: {found}")
        if any(_BETWEEN_PHONES in phone for phone in entry.phones):
            found = f"expected phones without {_BETWEEN_PHONES!r}, found {' '.join(entry.phones)}"
            raise SpeechError(f"word {entry.word!r}: {found}")


def _numbered(
    sequences: Sequence[Sequence[str]], symbols: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Ids of all symbols end to end, and where each sequence begins."""
    ids = {symbol: i for i, symbol in enumerate(symbols)}
    flat = np.array([ids[symbol] for one in sequences for symbol in one], dtype=np.int32)
    lengths = np.array([len(one) for one in sequences], dtype=np.int64)
    return flat, np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def _graphone(row: Sequence[int], letters: Sequence[str], phones: Sequence[str]) -> Graphone:
    return Graphone(
        "".join(letters[i] for i in row[:MAX_LETTERS] if i >= 0),
        tuple(phones[i] for i in row[MAX_LETTERS:] if i >= 0),
    )
