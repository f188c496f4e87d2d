"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import os
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

if TYPE_CHECKING:
    from recognizer.decoding.graph.graph import DecodingGraph

# The same examples on every run: a failure stands until it is mended.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
# Hypothesis also draws constants of the local modules that are imported by then. Which these are
# depends on the tests that ran before in the same process, and no setting turns it off.
providers._get_local_constants = Constants

# A shell lets its background jobs, and all that they start, ignore interrupts: not what is tested.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The directory of real speech: SPEECH_CORPORA, or shared/corpora beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "corpora"
    path = Path(os.environ.get("SPEECH_CORPORA", default))
    if not (path / "mini-librispeech").is_dir():
        pytest.skip(f"no speech corpora at {path} (set SPEECH_CORPORA)")
    return path


@pytest.fixture(scope="session")
def static_graph(corpora: Path) -> DecodingGraph:
    """HCLG of the shipped model's parts and its first pass's likeliest 4,000 words.

    For tests on real speech: without it, there is no need to wait for the graph.
    """
    import numpy as np

    from recognizer.decoding.graph.build import build_graph
    from recognizer.lm.automaton.ngrams import ngram_model
    from recognizer.model.bundle import ModelBundle
    from recognizer.model.files import DEFAULT_MODEL

    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    bundle = ModelBundle()
    model = ngram_model(bundle.first_pass_lm)
    likeliest = np.argsort(-model.levels[0].log10_probs, kind="stable")[:4_000]
    words = {model.vocabulary[word] for word in likeliest.tolist()}
    lexicon = bundle.lexicon.restricted_to(words & set(bundle.lexicon.words))
    parts = (lexicon, bundle.phones, bundle.tree, bundle.transitions)
    return build_graph(*parts, model, bundle.config.graph)


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Connected to a Ray cluster of this machine, as if it had four processors."""
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'recognizer[cluster]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, at its start and end
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()
        gc.collect()  # processes that Ray started and left
