"""L: the lexicon as a transducer from phones to words, with disambiguation symbols.

As Kaldi's `add_lex_disambig.pl` and `make_lexicon_fst.py --sil-disambig`: from the loop state each
pronunciation is a chain of phones back to it, or to a silence and then back, so that silence may
follow every word and stand at the start of a sentence. Pronunciations that are alike, or that begin
longer ones, end in a disambiguation symbol, and so does the silence: without them the composition
with a grammar could not be determinized.

A lexicon of pieces of words (`recognizer.lm.units.pieces`) has a second loop state, within words,
as in Kaldi's `make_subword_lexicon_fst.py`. A piece begins a word in the one or goes on with it in
the other, and leads to either: each is there as the end of a word and as something before it. Its
phones have the word positions that follow from that, and silence and the sentence's end stand
between words only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from recognizer.am.hmm.phones import PhoneTable
from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.decoding.graph.cost_grid import on_grid
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.lm.units.pieces import begins_word

_START, _LOOP, _WITHIN, _SILENCE, _AFTER_SILENCE = range(5)


@dataclass(frozen=True)
class LexiconFst:
    """L and its symbols.

    Attributes:
        fst: input labels are phones and disambiguation symbols, output labels words.
        disambiguation: the disambiguation symbols among the input labels; the first one is the
            grammar's back-off (`#0`), which L lets pass in its loop states.
    """

    fst: FstArrays
    disambiguation: tuple[int, ...]


def lexicon_fst(
    lexicon: Lexicon,
    phones: PhoneTable,
    word_ids: Mapping[str, int],
    backoff_label: int,
    silence_probability: float,
) -> LexiconFst:
    """Builds L.

    Args:
        lexicon: pronunciations; their probabilities are used as they are.
        phones: the phone table; its ids label the input, disambiguation symbols follow them.
        word_ids: id of every word that L shall have, all of them in the lexicon. If one of them
            begins with the mark of pieces, all are pieces.
        backoff_label: output label of the grammar's `#0`.
        silence_probability: of silence after a word and at the start, in [0, 1).

    Raises:
        SpeechError: if a pronunciation has a phone that the table lacks.
    """
    entries = _entries(lexicon, phones, word_ids)
    symbols = disambiguation([entry.phones for entry in entries])
    first = len(phones)  # of the disambiguation symbols: #0, then those of words, then silence's
    count = max(symbols, default=0)
    silence_symbol = first + count + 1
    between = [(_LOOP, -log(1.0 - silence_probability))]
    if silence_probability > 0:
        between.append((_SILENCE, -log(silence_probability)))

    arcs: list[tuple[int, int, int, float, int]] = []  # source, input, output, cost, destination
    arcs += [(_START, 0, 0, cost, to) for to, cost in between]
    if silence_probability > 0:
        arcs.append((_SILENCE, phones.optional_silence, 0, 0.0, _AFTER_SILENCE))
        arcs.append((_AFTER_SILENCE, silence_symbol, 0, 0.0, _LOOP))
    arcs += [(loop, first, backoff_label, 0.0, loop) for loop in (_LOOP, _WITHIN)]
    states = 5
    for entry, symbol in zip(entries, symbols, strict=True):
        labels = (*entry.phones, first + symbol) if symbol else entry.phones
        source, output, cost = _LOOP if entry.begins else _WITHIN, entry.word, entry.cost
        for label in labels[:-1]:
            arcs.append((source, label, output, cost, states))
            source, output, cost = states, 0, 0.0
            states += 1
        after = between if entry.ends else [(_WITHIN, 0.0)]
        arcs += [(source, labels[-1], output, cost + more, to) for to, more in after]
    finals = np.full(states, np.inf)
    finals[_LOOP] = 0.0
    sources, inputs, outputs, costs, next_states = zip(*arcs, strict=True)
    fst = FstArrays.from_arcs(sources, inputs, outputs, on_grid(costs), next_states, finals)
    return LexiconFst(fst, tuple(range(first, silence_symbol + 1)))


@dataclass(frozen=True)
class _Entry:
    """A way to say a word, or a piece of one at a place within words.

    Attributes:
        word: its id.
        phones: ids, at least one.
        cost: of the pronunciation.
        begins: whether it begins a word.
        ends: whether it ends one.
    """

    word: int
    phones: tuple[int, ...]
    cost: float
    begins: bool = True
    ends: bool = True


def _entries(lexicon: Lexicon, phones: PhoneTable, word_ids: Mapping[str, int]) -> list[_Entry]:
    """Every pronunciation, in a lexicon of pieces once for each place."""
    pieces = any(map(begins_word, word_ids))
    entries = []
    for word, index in word_ids.items():
        begins = not pieces or begins_word(word)
        for entry in lexicon[word]:
            cost = -log(entry.probability)
            for ends in (True, False) if pieces else (True,):
                try:
                    sequence = phones.word_phones(entry.phones, begins=begins, ends=ends)
                except SpeechError as error:
                    raise SpeechError(f"lexicon: word {word!r}: {error}") from None
                entries.append(_Entry(index, sequence, cost, begins, ends))
    return entries


def disambiguation(sequences: Sequence[tuple[int, ...]]) -> list[int]:
    """Number of the disambiguation symbol that each pronunciation needs, 0 for none."""
    count = Counter(sequences)
    prefixes = {sequence[:end] for sequence in count for end in range(1, len(sequence))}
    used: Counter[tuple[int, ...]] = Counter()
    symbols = []
    for sequence in sequences:
        if count[sequence] > 1 or sequence in prefixes:
            used[sequence] += 1
            symbols.append(used[sequence])
        else:
            symbols.append(0)
    return symbols
