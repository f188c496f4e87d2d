"""An utterance's own language model: its transcript, from anywhere to anywhere, and a few words.

After each word of the transcript its next word follows with a high probability, and anything else
by backing off: any word of the transcript, from which it goes on in order again, or one of a few
other words. That is an n-gram model of the transcript without a limit to its order, interpolated
with unigrams; Kaldi's ``steps/cleanup/make_one_biased_lm.py`` has a 4-gram and the 100 most
frequent words of the corpus, as the Montreal Forced Aligner's ``validate`` has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

from recognizer.data.errors import UsageError
from recognizer.decoding.alignment.phone_graph import EDGE, PhoneGraph, Predecessor

Pronunciations = tuple[tuple[tuple[int, ...], float], ...]
"""Phone ids and natural-log score of each way to say a word."""


@dataclass(frozen=True)
class OwnWords:
    """Probabilities of an utterance's own language model.

    Attributes:
        following: of the transcript's next word after a word, and of the end after the last one.
        other: of the other words together, where the model backs off.
    """

    following: float = 0.9
    other: float = 0.3

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("following", "other"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise UsageError(
                    f"{name}: expected a number between 0 and 1, found {getattr(self, name)}"
                )


def own_words_graph(
    words: Sequence[str],
    others: Sequence[str],
    pronunciations: Callable[[str], Pronunciations],
    with_silence: Callable[[PhoneGraph, list[Predecessor]], list[Predecessor]],
    probabilities: OwnWords,
) -> PhoneGraph:
    """The phones of the model's word sequences.

    Args:
        words: the transcript, at least one.
        others: other words, whose numbers come after those of the transcript.
        pronunciations: of a word.
        with_silence: the ways on from phones, through optional silence or past it.
        probabilities: of the model.
    """
    graph = PhoneGraph()
    backing: list[Predecessor] = []
    backed = graph.junction(backing)
    follow, back = log(probabilities.following), log(1.0 - probabilities.following)
    share = probabilities.other if others else 0.0
    own = log((1.0 - share) / (len(words) + 1))

    def say(word: str, number: int, before: list[Predecessor]) -> list[Predecessor]:
        ends: list[Predecessor] = []
        for phones, score in pronunciations(word):
            at = graph.phone(phones[0], [(node, way + score) for node, way in before], number)
            for phone in phones[1:]:
                at = graph.phone(phone, [(at, 0.0)])
            ends.append((at, 0.0))
        return with_silence(graph, ends)

    ways = with_silence(graph, [(EDGE, 0.0)])
    for number, word in enumerate(words, start=1):
        backing += [(node, way + back) for node, way in ways]
        before = [(node, way + follow) for node, way in ways]
        ways = say(word, number, [*before, (backed, own)])
    backing += [(node, way + back) for node, way in ways]
    graph.ends.extend((node, way + follow) for node, way in ways)
    graph.ends.append((backed, own))
    for number, word in enumerate(others, start=len(words) + 1):
        backing += say(word, number, [(backed, log(share / len(others)))])
    return graph
