"""L: disambiguation symbols, silences and probabilities."""

from __future__ import annotations

from itertools import product
from math import inf, log

import pytest

from graph_toys import TOY_LEXICON, all_paths, approx
from recognizer.am.hmm.phones import PhoneTable
from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.decoding.graph.lexicon_fst import LexiconFst, lexicon_fst

PHONES = PhoneTable.from_base(["A", "B"])
WORDS = {"aye": 1, "eye": 2, "bay": 3, "bab": 4, "baba": 5}
BACKOFF = 6
ZERO = len(PHONES)  # the id of #0 among the phones


def toy(silence: float) -> LexiconFst:
    return lexicon_fst(TOY_LEXICON, PHONES, WORDS, BACKOFF, silence)


def ids(*names: str) -> tuple[int, ...]:
    return tuple(PHONES.id(name) for name in names)


def test_symbols_follow_the_phones() -> None:
    # #0 for back-off, #1 and #2 for the homophones, #3 after silence.
    assert toy(0.5).disambiguation == (ZERO, ZERO + 1, ZERO + 2, ZERO + 3)
    assert toy(0.0).disambiguation == (ZERO, ZERO + 1, ZERO + 2, ZERO + 3)
    assert set(toy(0.0).fst.ilabels.tolist()) & {1, ZERO + 3} == set()


@pytest.mark.parametrize("silence", [0.0, 0.25])
def test_paths_are_the_pronunciations_with_optional_silence(silence: float) -> None:
    # Word positions make "B A" no prefix of "B A B", so that homophones alone need symbols.
    pronunciations = [
        (1, (*ids("A_S"), ZERO + 1), 0.0),
        (2, (*ids("A_S"), ZERO + 2), log(2)),
        (3, ids("B_B", "A_E"), 0.0),
        (3, ids("B_S"), log(4)),
        (4, ids("B_B", "A_I", "B_E"), 0.0),
        (5, ids("B_B", "A_I", "B_I", "A_E"), 0.0),
        (BACKOFF, (ZERO,), 0.0),
    ]
    pauses: list[tuple[tuple[int, ...], float]] = [((), -log(1 - silence))]
    if silence:
        pauses.append(((1, ZERO + 3), -log(silence)))
    expected: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    for length in range(3):
        for chosen in product(pronunciations, repeat=length):
            # No silence belongs to a back-off.
            places = [pauses] + [pauses if w != BACKOFF else [((), 0.0)] for w, _, _ in chosen]
            for gaps in product(*places):
                labels, cost = gaps[0]
                for (_, phones, phone_cost), (gap, gap_cost) in zip(chosen, gaps[1:], strict=True):
                    labels = (*labels, *phones, *gap)
                    cost += phone_cost + gap_cost
                key = (labels, tuple(word for word, _, _ in chosen))
                if len(labels) <= 6:
                    expected[key] = min(cost, expected.get(key, inf))
    found = {k: c for k, c in all_paths(toy(silence).fst, 6).items() if len(k[1]) <= 2}
    assert set(found) == set(expected)
    for key, cost in expected.items():
        assert found[key] == approx(cost)


def test_pronunciations_that_begin_longer_ones_get_a_symbol() -> None:
    # Only phones without word positions can do so: silence, said as a word's only phone.
    lexicon = Lexicon([Pronunciation("hm", ("SIL",)), Pronunciation("a", ("A",))])
    fst = lexicon_fst(lexicon, PHONES, {"hm": 1, "a": 2}, 3, 0.0)
    assert fst.disambiguation == (ZERO, ZERO + 1)
    assert ((1,), (1,)) in all_paths(fst.fst, 1)


def test_unknown_phone() -> None:
    lexicon = Lexicon([Pronunciation("cab", ("C", "A", "B"))])
    with pytest.raises(SpeechError, match=r"^lexicon: word 'cab': .* found 'C_B'$"):
        lexicon_fst(lexicon, PHONES, {"cab": 1}, 2, 0.5)


PIECES = Lexicon(
    [
        Pronunciation("▁a", ("A",)),
        Pronunciation("▁ab", ("A", "B")),
        Pronunciation("▁'b", ("B",), 0.5),
        Pronunciation("a", ("A",)),
        Pronunciation("b", ("B",)),
        Pronunciation("'b", ("B",)),
        Pronunciation("ba", ("B", "A")),
    ]
)


def test_pieces_make_words_with_positions_and_silence_between_words() -> None:
    silence, limit = 0.25, 6
    word_ids = {piece: i for i, piece in enumerate(PIECES.words, start=1)}
    built = lexicon_fst(PIECES, PHONES, word_ids, 9, silence)
    pauses = (((), -log(1 - silence)), ((1,), -log(silence)))
    expected: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    short = set()
    for chosen in (c for length in range(4) for c in product(PIECES.words, repeat=length)):
        if chosen and not chosen[0].startswith("▁"):
            continue  # nothing goes on with a word before one began
        words = [word.split() for word in " ".join(chosen).split("▁")[1:]]
        for gaps in product(pauses, repeat=len(words) + 1):
            labels, cost = gaps[0]
            for word, (gap, gap_cost) in zip(words, gaps[1:], strict=True):
                entries = [PIECES[piece if i else f"▁{piece}"][0] for i, piece in enumerate(word)]
                phones = [phone for entry in entries for phone in entry.phones]
                labels = (*labels, *PHONES.word_phones(phones), *gap)
                cost += gap_cost - sum(log(entry.probability) for entry in entries)
            key = labels, tuple(word_ids[piece] for piece in chosen)
            expected[key] = cost
            # Each piece and each silence may have a disambiguation symbol.
            if len(labels) + len(chosen) + labels.count(1) <= limit:
                short.add(key)
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    spoken: dict[tuple[int, ...], tuple[int, ...]] = {}
    for (labels, outputs), cost in all_paths(built.fst, limit).items():
        if 9 not in outputs and len(outputs) < 4:
            # Disambiguation symbols tell apart whatever sounds alike.
            assert spoken.setdefault(labels, outputs) == outputs
            found[tuple(label for label in labels if label < ZERO), outputs] = cost
    assert len(short) > 100
    assert short <= set(found) <= set(expected)
    for key, cost in found.items():
        assert cost == approx(expected[key])
