"""Random language models, and the rescoring of small lattices path by path."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.rescoring.models import EpsilonBackoff
from recognizer.decoding.rescoring.rescore import (
    Rescored,
    Rescorer,
    RescoringLimits,
    RescoringOptions,
)
from recognizer.lm.model.language_model import LanguageModel
from search_toys import SCALE, SYMBOLS, Path, best_by_words, lattice_paths, random_lattice


class RandomModel:
    """Scores each word by the words before it, as drawn by lot once for each history."""

    def __init__(self, seed: int, order: int) -> None:
        self._seed, self._order = seed, order
        self._scores: dict[tuple[str, ...], float] = {}

    def start(self) -> tuple[str, ...]:
        return self._history(("<s>",))

    def score(self, state: tuple[str, ...], word: str) -> tuple[float, tuple[str, ...]]:
        return self._draw((*state, word)), self._history((*state, word))

    def final(self, state: tuple[str, ...]) -> float:
        return self._draw((*state, "</s>"))

    def __contains__(self, word: object) -> bool:
        return True

    def _history(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return words[len(words) - self._order + 1 :] if self._order > 1 else ()

    def _draw(self, key: tuple[str, ...]) -> float:
        if key not in self._scores:
            values = [self._seed, *(ord(letter) for word in key for letter in word)]
            draw = np.random.default_rng(values).uniform(-3.0, 0.0)
            self._scores[key] = round(float(draw) * 64) / 64
        return self._scores[key]


def log_prob(model: LanguageModel, words: tuple[str, ...], *, end: bool = True) -> float:
    state, total = model.start(), 0.0
    for word in words:
        score, state = model.score(state, word)
        total += score
    return total + (model.final(state) if end else 0.0)


def compact_of(seed: int) -> tuple[CompactLattice, dict[tuple[int, ...], Path]]:
    """A determinised lattice, and its paths by words."""
    while True:
        rng = np.random.default_rng(seed)
        lattice = random_lattice(rng, states=int(rng.integers(3, 8)), arcs=int(rng.integers(6, 20)))
        paths = best_by_words(lattice_paths(lattice))
        if len(paths) > 1:
            return determinize(lattice, SCALE, inf), paths
        seed += 1


@dataclass(frozen=True)
class Settings:
    """All that rescoring is told, in one."""

    acoustic_scale: float = SCALE
    lm_scale: float = 1.0
    word_insertion_penalty: float = 0.0
    beam: float = RescoringLimits.beam
    max_arcs: int = RescoringLimits.max_arcs

    @property
    def options(self) -> RescoringOptions:
        return RescoringOptions(self.lm_scale, self.word_insertion_penalty)

    @property
    def limits(self) -> RescoringLimits:
        return RescoringLimits(self.beam, self.max_arcs)

    def rescore(self, rescorer: Rescorer, lattice: CompactLattice) -> Rescored:
        return rescorer.rescore(lattice, self.acoustic_scale, self.options, self.limits)


def rescore_lattice(
    lattice: CompactLattice,
    old: LanguageModel | EpsilonBackoff,
    new: LanguageModel | EpsilonBackoff,
    settings: Settings,
) -> Rescored:
    return settings.rescore(Rescorer(old, new, lattice.symbols), lattice)


def rescored_by_hand(
    paths: dict[tuple[int, ...], Path],
    old: LanguageModel,
    new: LanguageModel,
    settings: Settings,
    *,
    end: bool = True,
) -> dict[tuple[int, ...], Path]:
    result = {}
    for ids, path in paths.items():
        words = tuple(SYMBOLS[word] for word in ids)
        graph = path.graph + log_prob(old, words, end=end)
        graph -= settings.lm_scale * log_prob(new, words, end=end)
        graph += settings.word_insertion_penalty * len(words)
        result[ids] = path._replace(graph=graph)
    return result


@dataclass
class Reference:
    """What an expansion must count, and the lowest cost."""

    num_states: int = 0
    num_arcs: int = 0
    num_dropped: int = 0
    cost: float = inf


def expanded_by_hand(
    lattice: CompactLattice, old: LanguageModel, new: LanguageModel, settings: Settings
) -> Reference:
    """The expansion with dictionaries: histories of each state, the bad ones dropped."""
    found = Reference()
    scale, arcs = settings.acoustic_scale, lattice.arc_offsets.tolist()
    costs: list[dict[tuple[object, object], float]] = [{} for _ in range(lattice.num_states)]
    costs[0][old.start(), new.start()] = 0.0
    for state in range(lattice.num_states):
        best = min(costs[state].values(), default=inf)
        for (old_state, new_state), so_far in costs[state].items():
            if so_far > best + settings.beam:
                found.num_dropped += 1
                continue
            found.num_states += 1
            end = float(lattice.final_graph_costs[state])
            if end < inf:
                end += scale * float(lattice.final_acoustic_costs[state])
                if lattice.reached_final:
                    end += old.final(old_state) - settings.lm_scale * new.final(new_state)
                found.cost = min(found.cost, so_far + end)
            for arc in range(arcs[state], arcs[state + 1]):
                found.num_arcs += 1
                word = lattice.symbols[int(lattice.words[arc])]
                old_score, old_next = old.score(old_state, word)
                new_score, new_next = new.score(new_state, word)
                cost = so_far + float(lattice.graph_costs[arc])
                cost += scale * float(lattice.acoustic_costs[arc]) + old_score
                cost += settings.word_insertion_penalty - settings.lm_scale * new_score
                target = costs[int(lattice.targets[arc])]
                key = (old_next, new_next)
                target[key] = min(target.get(key, inf), cost)
    return found


def chain(words: list[int]) -> CompactLattice:
    """One path of these words; its states are final in front and at the end."""
    count = len(words)
    states = np.arange(count + 1, dtype=np.int32)
    finals = np.full(count + 1, inf)
    finals[[0, count]] = (2.5, 0.5)
    return CompactLattice(
        state_frames=states,
        sources=states[:-1],
        targets=states[1:],
        words=np.array(words, dtype=np.int32),
        graph_costs=np.ones(count),
        acoustic_costs=np.ones(count),
        tid_offsets=np.arange(count + 1),
        tids=np.ones(count, dtype=np.int32),
        final_graph_costs=finals,
        final_acoustic_costs=np.zeros(count + 1),
        final_tid_offsets=np.zeros(count + 2, dtype=np.int64),
        final_tids=np.zeros(0, dtype=np.int32),
        beam=inf,
        reached_final=True,
        symbols=SYMBOLS,
    )
