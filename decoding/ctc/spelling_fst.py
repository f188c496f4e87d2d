"""L of a network that spells: a transducer from characters to words, with disambiguation symbols.

Every word is a chain of its characters, the first of which is told from the same character within
a word (see `recognizer.decoding.ctc.topology` about these tokens). Where the characters have a
space, one stands between two words, and none at the ends of a sentence. Words that begin longer
ones end in a disambiguation symbol, without which the composition with a grammar could not be
determinized.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recognizer.data.text.characters import CharacterSet
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.lexicon_fst import LexiconFst, disambiguation

_START, _BEGIN, _END = range(3)


def spelling_fst(
    characters: CharacterSet, word_ids: Mapping[str, int], backoff_label: int
) -> LexiconFst:
    """Builds L.

    Args:
        characters: their tokens label the input; disambiguation symbols follow them.
        word_ids: id of every word that L shall have.
        backoff_label: output label of the grammar's `#0`.

    Raises:
        SpeechError: a word has a character that the set lacks.
    """
    size = len(characters.characters)
    spellings: list[tuple[int, ...]] = []
    for text in word_ids:
        head, *tail = characters.encode(text).tolist()
        spellings.append((size + head, *tail))
    symbols = disambiguation(spellings)
    first = 2 * size + 1  # of the disambiguation symbols, which is #0
    arcs: list[tuple[int, int, int, int]] = []  # source, input, output, destination
    if " " in characters.characters:
        # Back-off stands before the first word and behind each, so that no path is there twice.
        (space,) = characters.encode(" ").tolist()
        begin, end = _BEGIN, _END
        arcs += [(_START, 0, 0, begin), (end, space, 0, begin)]
    else:
        begin = end = _START
    arcs += [(state, first, backoff_label, state) for state in {_START, end}]
    states = _END + 1
    for spelling, symbol, word in zip(spellings, symbols, word_ids.values(), strict=True):
        labels = (*spelling, first + symbol) if symbol else spelling
        source, output = begin, word
        for label in labels[:-1]:
            arcs.append((source, label, output, states))
            source, output = states, 0
            states += 1
        arcs.append((source, labels[-1], output, end))
    finals = np.full(states, np.inf)
    finals[[_START, end]] = 0.0  # of no words at all, too
    sources, inputs, outputs, next_states = zip(*arcs, strict=True)
    fst = FstArrays.from_arcs(sources, inputs, outputs, np.zeros(len(arcs)), next_states, finals)
    return LexiconFst(fst, tuple(range(first, first + max(symbols, default=0) + 1)))
