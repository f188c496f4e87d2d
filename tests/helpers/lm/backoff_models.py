"""Language models over `NgramModel` word by word: what automata and lattices are compared with."""

from __future__ import annotations

from typing import TypeAlias

from recognizer.lm.ngram.model import BEGIN, END, LOG_OF_10, NO_NODE, UNKNOWN, NgramModel


class BackoffModel:
    """Exact back-off over an `NgramModel`; a state is the node of the longest known history."""

    def __init__(self, model: NgramModel) -> None:
        self._arcs = _BackoffArcs(model)

    def start(self) -> int:
        """The state at the beginning of a sentence."""
        return self._arcs.start

    def score(self, state: int, word: str) -> tuple[float, int]:
        """Log p(word | state), and the state after the word."""
        return self._score(state, self._arcs.word_id(word))

    def final(self, state: int) -> float:
        """Log p(end of sentence | state)."""
        return self._score(state, self._arcs.end)[0]

    def __contains__(self, word: object) -> bool:
        """Whether the word is in the vocabulary."""
        return word in self._arcs

    def _score(self, state: int, word: int) -> tuple[float, int]:
        arcs = self._arcs
        log_prob = 0.0
        while (arc := arcs.arc(state, word)) is None:
            log_prob += arcs.backoff(state)
            state = arcs.backoff_state(state)
        return log_prob + arc[0], arc[1]


EpsilonState: TypeAlias = tuple[tuple[int, float], ...]


class EpsilonBackoffModel:
    """The best path through a grammar whose back-off arcs are epsilons.

    In such a grammar a word may be reached by backing off even where the longer n-gram is
    explicit, if that is cheaper (as in Kaldi's G, which arpa2fst makes). The sum of the scores of
    a sentence here is exactly what Viterbi finds in the grammar, which is what must be taken out
    of a first-pass lattice before another model is put in.

    A state is the set of grammar states that the words so far may have led to, as (node, log
    probability relative to the best); those that the best one reaches as cheaply by backing off
    are left out.
    """

    def __init__(self, model: NgramModel) -> None:
        self._arcs = _BackoffArcs(model)

    def start(self) -> EpsilonState:
        """The state at the beginning of a sentence."""
        return ((self._arcs.start, 0.0),)

    def score(self, state: EpsilonState, word: str) -> tuple[float, EpsilonState]:
        """What the best path gains by the word, and the state after it."""
        reached = self._reach(state, self._arcs.word_id(word))
        best = max(reached.values())
        # All nodes are suffixes of one history: by length they are a chain of back-offs.
        chain = sorted(reached, reverse=True)
        kept: list[tuple[int, float]] = []
        floor, node = float("-inf"), NO_NODE
        for target in chain:
            while floor > float("-inf") and node != target:
                floor += self._arcs.backoff(node)
                node = self._arcs.backoff_state(node)
            if reached[target] > floor:
                kept.append((target, reached[target] - best))
                floor, node = reached[target], target
        return best, tuple(kept)

    def final(self, state: EpsilonState) -> float:
        """What the best path gains by the end of the sentence."""
        return max(self._reach(state, self._arcs.end).values())

    def __contains__(self, word: object) -> bool:
        """Whether the word is in the vocabulary."""
        return word in self._arcs

    def _reach(self, state: EpsilonState, word: int) -> dict[int, float]:
        """The best log probability of each node that the word leads to."""
        arcs = self._arcs
        reached: dict[int, float] = {}
        for node, log_prob in state:
            while True:
                arc = arcs.arc(node, word)
                if arc is not None:
                    gain, target = arc
                    reached[target] = max(reached.get(target, float("-inf")), log_prob + gain)
                if node == NO_NODE:
                    break
                log_prob += arcs.backoff(node)
                node = arcs.backoff_state(node)
        return reached


class _BackoffArcs:
    """A model's explicit n-grams as arcs between nodes, in natural logs, looked up one by one."""

    def __init__(self, model: NgramModel) -> None:
        self._ids = {word: index for word, index in model.word_ids.items() if word != UNKNOWN}
        self._unknown = model.word_ids[UNKNOWN]
        self.start = model.word_ids[BEGIN]
        self.end = model.word_ids[END]
        self._offsets = model.offsets.tolist()
        self._words = [level.words for level in model.levels]
        self._children = [model.child_offsets(order) for order in range(1, model.order + 1)]
        self._log10_probs = [level.log10_probs for level in model.levels]
        self._log10_backoffs = [level.log10_backoffs for level in model.levels]
        self._suffixes = model.suffixes

    def __contains__(self, word: object) -> bool:
        return word in self._ids and word not in (BEGIN, END)

    def word_id(self, word: str) -> int:
        return self._ids.get(word, self._unknown)

    def _place(self, node: int) -> tuple[int, int]:
        level = 0
        while node >= self._offsets[level + 1]:
            level += 1
        return level, node - self._offsets[level]

    def arc(self, node: int, word: int) -> tuple[float, int] | None:
        """Log probability and target of the explicit n-gram (node, word), if there is one."""
        if node == NO_NODE:
            level, row = 0, word
        else:
            level, parent = self._place(node)
            first, last = self._children[level][parent : parent + 2]
            words = self._words[level + 1][first:last] if last > first else None
            if words is None:
                return None
            row = int(words.searchsorted(word))
            if row == len(words) or words[row] != word:
                return None
            level, row = level + 1, row + int(first)
        if level == len(self._words) - 1:
            target = int(self._suffixes[level][row])
        else:
            target = self._offsets[level] + row
        return float(self._log10_probs[level][row]) * LOG_OF_10, target

    def backoff(self, node: int) -> float:
        level, row = self._place(node)
        return float(self._log10_backoffs[level][row]) * LOG_OF_10

    def backoff_state(self, node: int) -> int:
        level, row = self._place(node)
        return int(self._suffixes[level][row])
