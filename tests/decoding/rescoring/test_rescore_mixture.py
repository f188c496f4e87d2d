"""Rescoring with linear mixtures, against enumeration with the mixture in Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_models import random_model
from recognizer.decoding import _rescore
from recognizer.decoding.rescoring.rescore import Rescorer
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.model.mixture import LinearMixture
from rescore_toys import Settings, chain, compact_of, rescore_lattice, rescored_by_hand
from search_toys import SCALE, compact_paths

FIRST = NgramAutomaton.from_model(random_model(3, 3, "ab"))
SECOND = NgramAutomaton.from_model(random_model(4, 2, "bc"))
MODELS = {
    "automata": LinearMixture((FIRST, SECOND), (0.25, 0.75)),
    "compact": LinearMixture((FIRST.compact(), SECOND), (0.5, 0.5)),
    "nested": LinearMixture((LinearMixture((FIRST, SECOND), (0.5, 0.5)), FIRST), (0.9, 0.1)),
}


@pytest.mark.parametrize("name", MODELS)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 0.5]))
def test_all_paths_have_the_scores_of_the_mixture(name: str, seed: int, lm_scale: float) -> None:
    lattice, paths = compact_of(seed)
    settings = Settings(lm_scale=lm_scale, beam=1e9)
    new = MODELS[name]
    found = rescore_lattice(lattice, FIRST, new, settings)
    expected = rescored_by_hand(paths, FIRST, new, settings)
    rescored = {path.words: path for path in compact_paths(found.lattice)}
    assert rescored.keys() == expected.keys()
    for words, path in expected.items():
        assert rescored[words].graph == pytest.approx(path.graph, abs=1e-4)
    cheapest = min(path.graph + SCALE * path.acoustic for path in expected.values())
    assert found.best.cost(SCALE) == pytest.approx(cheapest, abs=1e-4)


def test_a_mixture_without_models_and_masks_that_do_not_fit_are_refused() -> None:
    lattice = chain([1, 2])
    rescorer = Rescorer(FIRST, MODELS["automata"], lattice.symbols)
    rescorer._new = _rescore.MixtureModel()
    with pytest.raises(Exception, match="mixture: expected models, found none"):
        rescorer.rescore(lattice, 1.0)
    mixture = _rescore.MixtureModel()
    model = _rescore.AutomatonModel(FIRST.arrays, np.zeros(4, np.int32), False)
    with pytest.raises(ValueError, match="scores"):
        mixture.add(model, 0.5, np.ones(3, np.bool_))
    with pytest.raises(ValueError, match="weight: expected a number above 0"):
        mixture.add(model, 0.0, np.ones(4, np.bool_))
