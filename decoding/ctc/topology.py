"""T of a network that was trained with CTC, composed with a graph of tokens.

A token is said in one frame or several, blanks stand before, between and behind tokens, and
between equal ones there must be a blank (Graves et al. 2006, section 3.1). Composed with T, a
state q of a graph of tokens is entered

* after a blank (or at the start): q, with a loop of the blank; any of q's tokens may follow;
* after each token a that leads to it, without a blank since: (q, a), with a loop of a. A blank
  leads to q, and any of its tokens but a may follow.

This is the composition with the T of Miao et al. 2015, "EESEN", section 3.2, made state by state,
so that T need not be built, which has an arc for each pair of tokens.

With S characters, tokens 1 ... S are characters within a word (or the space between two), and
S + 1 ... 2 S the same characters where they begin a word. Labels of the result, in the place of
transition-ids, are tokens + 1, since 0 is epsilon and 1 the blank; the first frame of a character
that begins a word alone has the label of that. So lattices know where words begin.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from recognizer.am.nnet.ctc import BLANK
from recognizer.decoding.graph.fst_arrays import FstArrays

# A state (q, a) repeats q's arcs if they are few, which spares the search an epsilon arc.
_MAX_REPEATED = 4

_AFTER_BLANK = 0


def ctc_pdfs(outputs: int) -> npt.NDArray[np.int32]:
    """The network's output of each label ``[2 outputs]``; index 0 is unused (-1)."""
    return np.concatenate((np.arange(-1, outputs), np.arange(1, outputs))).astype(np.int32)


def compose_topology(fst: FstArrays, outputs: int) -> FstArrays:
    """T composed with a transducer whose input labels are tokens and epsilon.

    Costs are those of the transducer; T has none. Epsilon arcs must form no cycle.

    Args:
        fst: the transducer.
        outputs: of the network, the blank among them.
    """
    return _Composition(fst, outputs).result()


class _Composition:
    """States (q, last) are numbered as they are found; last is an output, 0 after a blank."""

    def __init__(self, fst: FstArrays, outputs: int) -> None:
        self._fst = fst
        self._outputs = ctc_pdfs(outputs)[1:].tolist()  # of the tokens
        self._offsets = fst.offsets.tolist()
        self._tokens = fst.ilabels.tolist()
        self._words = fst.olabels.tolist()
        self._costs = fst.costs.tolist()
        self._targets = fst.next_states.tolist()
        self._numbers: dict[tuple[int, int], int] = {}
        self._found: list[tuple[int, int]] = []

    def result(self) -> FstArrays:
        fst = self._fst
        self._number(fst.start, _AFTER_BLANK)
        arcs: list[tuple[int, int, int, float, int]] = []
        done = 0
        while done < len(self._found):
            arcs += [(done, *arc) for arc in self._arcs(*self._found[done])]
            done += 1
        finals = fst.final_costs[[state for state, _ in self._found]].copy()
        # Those that lead to the state itself by an epsilon arc end there.
        for number, (state, last) in enumerate(self._found):
            if last and self._by_epsilon(state, last):
                finals[number] = np.inf
        sources, inputs, outputs, costs, next_states = zip(*arcs, strict=True)
        return FstArrays.from_arcs(sources, inputs, outputs, costs, next_states, finals)

    def _arcs(self, state: int, last: int) -> Iterator[tuple[int, int, float, int]]:
        """Label, word, cost and target of each arc that leaves (state, last)."""
        # The loops come last but for epsilons: the order that Kaldi's graphs have.
        own = self._number(state, last)
        if last and self._by_epsilon(state, last):
            yield last + 1, 0, 0.0, own
            yield 0, 0, 0.0, self._number(state, _AFTER_BLANK)
            return
        for arc in range(self._offsets[state], self._offsets[state + 1]):
            token = self._tokens[arc]
            if token == 0:
                to = self._number(self._targets[arc], last)
                yield 0, self._words[arc], self._costs[arc], to
            elif self._outputs[token] != last:
                to = self._number(self._targets[arc], self._outputs[token])
                yield token + 1, self._words[arc], self._costs[arc], to
        yield BLANK + 1, 0, 0.0, self._number(state, _AFTER_BLANK)
        if last:
            yield last + 1, 0, 0.0, own

    def _by_epsilon(self, state: int, last: int) -> bool:
        """Whether all that may follow after a blank may also follow without, and is much."""
        begin, end = self._offsets[state], self._offsets[state + 1]
        outputs = [self._outputs[token] for token in self._tokens[begin:end]]
        return len(outputs) > _MAX_REPEATED and last not in outputs and BLANK not in outputs

    def _number(self, state: int, last: int) -> int:
        number = self._numbers.setdefault((state, last), len(self._found))
        if number == len(self._found):
            self._found.append((state, last))
        return number
