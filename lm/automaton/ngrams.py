"""The n-grams of an automaton: back from states and arcs to what an ARPA file lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recognizer.data.errors import SpeechError
from recognizer.lm._builder import AutomatonNgrams
from recognizer.lm.arpa.files import model_of
from recognizer.lm.arpa.source import NgramBlock
from recognizer.lm.automaton.automaton import COMPACT, NgramAutomaton
from recognizer.lm.ngram.model import BEGIN, END, NgramModel

_BEGIN_LOG10_PROB = -99.0  # of `<s>`, which is never predicted; what everybody writes
_ROWS_PER_BLOCK = 1 << 17


class AutomatonSource:
    """The n-grams of an automaton of either layout; an `NgramSource`.

    They are sorted by the rows of their words in the vocabulary, from the first word on. Of the
    model that the automaton was built of, all comes back but n-grams that say nothing of any
    sentence and back-off weights of n-grams that are no history. The automaton is read from front
    to back; little memory is taken.
    """

    def __init__(self, automaton: NgramAutomaton, *, special_words_last: bool = False) -> None:
        """Count the n-grams.

        Args:
            automaton: whose arrays are read.
            special_words_last: put `<s>` and `</s>` after all other words, not where they stood in
                the model that the automaton was built of.

        Raises:
            SpeechError: the automaton is damaged.
        """
        words = list(automaton.words)
        metadata = {} if special_words_last else automaton.metadata
        begin = int(metadata.get("begin", len(words)))
        end = int(metadata.get("end", len(words) + 1))
        for row, word in sorted(((begin, BEGIN), (end, END))):
            words.insert(row, word)
        self.name = "n-gram automaton"
        self.vocabulary: Sequence[str] = words
        try:
            self._ngrams = AutomatonNgrams(
                automaton.arrays,
                automaton.layout == COMPACT,
                automaton.order,
                begin,
                end,
                float(automaton.metadata.get("begin_log10_prob", _BEGIN_LOG10_PROB)),
            )
        except ValueError as error:
            raise SpeechError(f"{self.name}: {error}") from None
        self.counts = self._ngrams.counts()

    def blocks(self, order: int) -> Iterator[NgramBlock]:
        """See `NgramSource`."""
        self._ngrams.begin(order)
        while True:
            ids, probs, backoffs = self._ngrams.next(_ROWS_PER_BLOCK)
            if not len(probs):
                return
            yield NgramBlock(ids.reshape(-1, order), probs, backoffs)

    def end(self) -> None:
        """See `NgramSource`."""

    def fault(self, kind: str, ids: Sequence[int]) -> SpeechError:
        """See `NgramSource`."""
        ngram = " ".join(self.vocabulary[index] for index in ids)
        return SpeechError(f"{self.name}: damaged: found a {kind}: {ngram!r}")


def ngram_model(automaton: NgramAutomaton) -> NgramModel:
    """The model whose automaton this is, with float64 log10 values.

    `NgramAutomaton.from_model` makes the same automaton of it again. The vocabulary is the
    automaton's words, then `<s>` and `</s>`.

    Raises:
        SpeechError: the automaton is damaged.
    """
    return model_of(AutomatonSource(automaton, special_words_last=True))
