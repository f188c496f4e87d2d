"""G: a back-off n-gram model as an acceptor of words, with back-off as an epsilon-like arc.

As Kaldi's `arpa2fst --disambig-symbol=#0`: a state for each history that n-grams continue, the
sentence's start in that of `<s>`, `</s>` as final costs, and from each history an arc `#0:<eps>` to
the next shorter one. Histories that nothing continues get no state: what leads to them leads on to
where they would back off, with the cost of that added.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from recognizer.decoding.graph.cost_grid import on_grid
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.lm.ngram.model import BEGIN, END, LOG_OF_10, NgramModel

LongArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_NONE = -1


def grammar_fst(model: NgramModel, word_ids: Mapping[str, int], backoff_label: int) -> FstArrays:
    """Builds G.

    Args:
        model: the n-grams. Those with words outside `word_ids` are left out, and what they weighed
            is not given to others.
        word_ids: label of each word that G shall have.
        backoff_label: input label of back-off arcs (`#0`); their output label is epsilon.
    """
    labels = np.zeros(len(model.vocabulary), dtype=np.int32)
    for word, label in word_ids.items():
        labels[model.word_ids[word]] = label
    begin, end = model.word_ids[BEGIN], model.word_ids[END]
    kept = _kept(model, labels, begin, end)
    state_of, entries = _states(model, kept, begin)
    landing, landing_cost = _landings(model, state_of)

    offsets = model.offsets
    sources, inputs, outputs, costs, targets = [], [], [], [], []
    finals = np.full(1 + len(entries), np.inf)
    for order, (level, keep) in enumerate(zip(model.levels, kept, strict=True), start=1):
        rows = np.flatnonzero(keep)
        # A history of an n-gram that is kept has a state; that of unigrams is state 0.
        source = (
            np.zeros(len(rows), dtype=np.int64)
            if order == 1
            else state_of[level.parents[rows] + offsets[order - 2]]
        )
        cost = -level.log10_probs[rows].astype(np.float64) * LOG_OF_10
        ends = level.words[rows] == end
        finals[source[ends]] = cost[ends]
        rows, source, cost = rows[~ends], source[~ends], cost[~ends]
        nodes = rows + offsets[order - 1]
        sources.append(source)
        inputs.append(labels[level.words[rows]])
        outputs.append(labels[level.words[rows]])
        costs.append(cost + landing_cost[nodes])
        targets.append(landing[nodes])
    # Back-off: from each history (all states but 0) to where its suffix lands.
    suffixes = np.concatenate(model.suffixes).astype(np.int64)[entries]
    shorter = suffixes != _NONE
    sources.append(state_of[entries])
    inputs.append(np.full(len(entries), backoff_label, dtype=np.int32))
    outputs.append(np.zeros(len(entries), dtype=np.int32))
    costs.append(_backoff_costs(model)[entries] + np.where(shorter, landing_cost[suffixes], 0.0))
    targets.append(np.where(shorter, landing[suffixes], 0))
    return FstArrays.from_arcs(
        np.concatenate(sources),
        np.concatenate(inputs),
        np.concatenate(outputs),
        on_grid(np.concatenate(costs)),
        np.concatenate(targets),
        on_grid(finals),
        start=int(state_of[begin]),
    )


def _kept(
    model: NgramModel, labels: npt.NDArray[np.int32], begin: int, end: int
) -> list[BoolArray]:
    """Per order, which n-grams become arcs or final costs."""
    as_word = labels > 0
    as_word[end] = True
    as_history = labels > 0
    as_history[begin] = True
    kept, history = [], np.ones(0, dtype=np.bool_)
    for order, level in enumerate(model.levels, start=1):
        before = history[level.parents] if order > 1 else np.ones(len(level), dtype=np.bool_)
        history = before & as_history[level.words]
        kept.append(before & as_word[level.words] & np.isfinite(level.log10_probs))
    return kept


def _states(model: NgramModel, kept: list[BoolArray], begin: int) -> tuple[LongArray, LongArray]:
    """The state of each node (-1: none), and the nodes that have one in order of their states."""
    has_state = np.zeros(int(model.offsets[-1]), dtype=np.bool_)
    for order in range(2, model.order + 1):
        parents = model.levels[order - 1].parents[kept[order - 1]]
        has_state[parents + model.offsets[order - 2]] = True
    has_state[begin] = True
    entries = np.flatnonzero(has_state)
    state_of = np.full(len(has_state), _NONE, dtype=np.int64)
    state_of[entries] = 1 + np.arange(len(entries))
    return state_of, entries


def _landings(model: NgramModel, state_of: LongArray) -> tuple[LongArray, npt.NDArray[np.float64]]:
    """For each node the state that arcs to it lead to, and the cost of backing off to there."""
    landing = state_of.copy()
    cost = np.zeros(len(state_of))
    backoff = _backoff_costs(model)
    for order in range(1, model.order + 1):  # a suffix has a lower order
        nodes = np.arange(model.offsets[order - 1], model.offsets[order])
        nodes = nodes[state_of[nodes] == _NONE]
        suffixes = model.suffixes[order - 1][nodes - model.offsets[order - 1]].astype(np.int64)
        shorter = suffixes != _NONE
        landing[nodes] = np.where(shorter, landing[suffixes], 0)
        cost[nodes] = backoff[nodes] + np.where(shorter, cost[suffixes], 0.0)
    return landing, cost


def _backoff_costs(model: NgramModel) -> npt.NDArray[np.float64]:
    """Cost of backing off from each node; those of the highest order are no histories."""
    costs = [-level.log10_backoffs.astype(np.float64) * LOG_OF_10 for level in model.levels]
    costs[-1] = np.zeros(len(model.levels[-1]))
    return np.concatenate(costs)
