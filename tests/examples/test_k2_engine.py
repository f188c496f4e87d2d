"""k2 as an engine: what is said where it is missing, and its lattices against the native ones."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import toy
from k2_engine.__main__ import main
from k2_engine.engine import K2Decoder, load_k2
from k2_engine.epsilon_free import remove_epsilons
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.lattice import Lattice
from recognizer.decoding.lattice.oracle import oracle
from recognizer.decoding.lattice.paths import best_path, n_best
from recognizer.decoding.search.search import Decoder, SearchOptions
from recognizer.model.files import DEFAULT_MODEL
from recognizer.model.static import STATIC
from recognizer.recognizer import Recognizer
from search_toys import SCALE, SYMBOLS, Arcs, lattice_paths, random_arcs, without_finals

PDFS = np.array([-1, 0, 1, 1, 2], dtype=np.int32)
EVERYTHING = SearchOptions(
    beam=inf, lattice_beam=inf, max_active=10**6, min_active=0, acoustic_scale=SCALE
)


# Without k2.


def test_the_program_tells_of_a_missing_k2_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "k2", None)
    assert main(["a.wav"]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    assert "found no module k2" in error
    assert "https://k2-fsa.github.io/k2/installation/" in error


def test_the_program_reads_recordings_and_prints_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the native search in the place of k2's, which has the same interface."""

    class Native(Decoder):
        def __init__(self, graph, pdfs, options, *, device):
            assert device == "cpu"
            super().__init__(graph, pdfs, options)

    monkeypatch.setattr("k2_engine.__main__.load_k2", lambda: None)
    monkeypatch.setattr("k2_engine.__main__.K2Decoder", Native)
    audio = tmp_path / "one.wav"
    soundfile.write(audio, toy.whistle("go right now"), SAMPLE_RATE)
    for name, first_pass in (("fly", toy.ON_THE_FLY), ("static", STATIC)):
        toy.build(tmp_path / name, first_pass)
        assert main(["--model", str(tmp_path / name), str(audio)]) == 0
        assert capsys.readouterr().out == f"{audio}\tgo right now\n"


def message_of_load() -> str:
    with pytest.raises(SpeechError) as caught:
        load_k2()
    message = str(caught.value)
    assert "\n" not in message
    return message


def pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
    """Puts a k2 of this source first in the search path."""
    (tmp_path / "k2.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "k2", None)  # so that it is as before in the end
    monkeypatch.delitem(sys.modules, "k2")


def test_a_missing_k2_gives_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "k2", None)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.99.0+cpu")
    assert message_of_load() == (
        "k2: expected a k2 built for torch 2.99.0+cpu "
        "(see https://k2-fsa.github.io/k2/installation/), found no module k2"
    )
    graph = Arcs(((0, 1, 1, 0, 0.0),), (inf, 0.0)).graph()
    with pytest.raises(SpeechError, match="found no module k2"):
        K2Decoder(graph, PDFS)


def test_a_missing_torch_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    pretend(monkeypatch, tmp_path, "import torch_that_is_missing")
    message = message_of_load()
    assert "built for a torch (there is none)" in message
    assert message.endswith("found no module torch_that_is_missing")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (
            "raise ImportError('k2 was built using PyTorch 2.3.1\\nBut you are using 2.99.0')",
            "found: k2 was built using PyTorch 2.3.1 But you are using 2.99.0",
        ),
        (
            "raise ImportError('libk2context.so: undefined symbol: _ZN3c10')",
            "found: libk2context.so: undefined symbol: _ZN3c10",
        ),
        (
            "raise OSError('libtorch_cuda.so: cannot open shared object file')",
            "found: libtorch_cuda.so: cannot open shared object file",
        ),
    ],
)
def test_a_k2_that_does_not_match_gives_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, found: str
) -> None:
    pretend(monkeypatch, tmp_path, source)
    message = message_of_load()
    assert message.startswith("k2: expected a k2 built for ")
    assert message.endswith(found)


def test_another_module_of_that_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pretend(monkeypatch, tmp_path, "")
    assert "found something else by this name: <module 'k2' from" in message_of_load()


def test_warnings_of_the_import_stay_quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = "import warnings\nwarnings.warn('old')\nintersect_dense_pruned = None"
    pretend(monkeypatch, tmp_path, source)
    assert load_k2().__file__ == str(tmp_path / "k2.py")


# With k2.


@pytest.fixture(scope="module")
def k2() -> Any:
    try:
        return load_k2()
    except SpeechError as error:
        pytest.skip(str(error))


def random_case(seed: int) -> tuple[Arcs, np.ndarray]:
    rng = np.random.default_rng(seed)
    arcs = random_arcs(
        rng, states=int(rng.integers(2, 7)), arcs=int(rng.integers(3, 14)), tids=4, exact=True
    )
    scores = (rng.integers(-8, 8, (int(rng.integers(1, 6)), 3)) / 4).astype(np.float32)
    return arcs, scores


def distinct_paths(lattice: Lattice, beam: float = inf) -> dict[Any, float]:
    """Best cost of each pair of words and transition-ids, of paths within the beam."""
    best: dict[Any, float] = {}
    for path in lattice_paths(lattice):
        key = path.words, path.tids
        best[key] = min(best.get(key, inf), path.cost)
    limit = min(best.values()) + beam
    return {key: cost for key, cost in best.items() if cost <= limit}


@pytest.mark.parametrize("lattice_beam", [inf, 2.01])
def test_lattices_of_toys_have_the_same_paths(k2: Any, lattice_beam: float) -> None:
    """Both engines find the same words, transition-ids and costs, or both find no path."""
    options = replace(EVERYTHING, lattice_beam=lattice_beam)
    complete = partial = refused = 0
    for seed in range(150):
        arcs, scores = random_case(seed)
        native, other = (kind(arcs.graph(), PDFS, options) for kind in (Decoder, K2Decoder))
        try:
            expected = native.decode(scores)
        except SpeechError:
            refused += 1
            with pytest.raises(SpeechError, match="no path through the graph is as long"):
                other.decode(scores)
            continue
        lattice = other.decode(scores)
        assert lattice.reached_final == expected.reached_final
        assert distinct_paths(lattice, lattice_beam) == distinct_paths(expected, lattice_beam)
        path, peer = other.decode_best(scores), best_path(expected, SCALE)
        assert path.cost(SCALE) == pytest.approx(peer.cost(SCALE), abs=1e-6)
        assert path.complete == expected.reached_final
        complete += expected.reached_final
        partial += not expected.reached_final
    assert min(complete, partial, refused) >= 10


def test_toys_have_arcs_of_several_words() -> None:
    """Or the test above would not see them."""
    graphs = [random_case(seed)[0].graph() for seed in range(150)]
    free = [remove_epsilons(graph.to_arrays(), len(SYMBOLS)) for graph in graphs]
    assert sum(graph.sequences.is_longer(graph.words).any() for graph in free) >= 10


def test_a_batch_gives_the_lattices_of_its_utterances(k2: Any) -> None:
    """Of different lengths, and whether or not they reach a final state."""
    # Final after an even number of frames.
    arcs = Arcs(((0, 1, 1, 1, 0.5), (0, 1, 2, 2, 0.25), (1, 0, 4, 0, 0.0)), (0.125, inf))
    decoder = K2Decoder(arcs.graph(), PDFS, EVERYTHING)
    rng = np.random.default_rng(1)
    utterances = [rng.normal(size=(length, 3)).astype(np.float32) for length in (4, 1, 7, 2, 6)]
    lattices = decoder.decode_batch(utterances)
    assert [lattice.reached_final for lattice in lattices] == [True, False, False, True, True]
    for lattice, scores in zip(lattices, utterances, strict=True):
        assert distinct_paths(lattice) == distinct_paths(decoder.decode(scores))
    assert decoder.decode_batch([]) == []


def test_a_graph_without_final_states_gives_partial_paths(k2: Any) -> None:
    arcs = without_finals(Arcs(((0, 1, 1, 1, 0.5), (1, 0, 0, 2, 0.25)), (inf, inf)))
    scores = np.zeros((2, 3), dtype=np.float32)
    lattice = K2Decoder(arcs.graph(), PDFS, EVERYTHING).decode(scores)
    assert not lattice.reached_final
    assert distinct_paths(lattice) == {
        ((1, 2, 1), (1, 1)): 1.25,
        ((1, 2, 1, 2), (1, 1)): 1.5,
    }


def test_streams_are_refused(k2: Any) -> None:
    decoder = K2Decoder(Arcs(((0, 1, 1, 0, 0.0),), (inf, 0.0)).graph(), PDFS)
    with pytest.raises(SpeechError, match="expected whole utterances, found a stream"):
        decoder.start()


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([[0.0, 0.0, 0.0]], "expected a float32 array [T, 3], found list"),
        (np.zeros((2, 4), np.float32), "expected float32 [T, 3], found float32 [2, 4]"),
        (np.zeros((2, 3)), "expected float32 [T, 3], found float64 [2, 3]"),
        (np.zeros((0, 3), np.float32), "expected at least one frame of scores, found none"),
        (
            np.array([[0, 0, 0], [0, np.nan, 0]], np.float32),
            "frame 1, pdf 1: expected a finite number, found nan",
        ),
    ],
)
def test_wrong_scores_are_refused(k2: Any, scores: Any, message: str) -> None:
    decoder = K2Decoder(Arcs(((0, 1, 1, 0, 0.0),), (inf, 0.0)).graph(), PDFS)
    with pytest.raises(SpeechError) as caught:
        decoder.decode(scores)
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("pdfs", "message"),
    [
        (np.array([0, 1]), "graph: expected transition-ids of 1 .. 1, found 2"),
        (np.array([0, 1, -2]), "pdfs: expected pdf-ids >= 0, found -2"),
        (np.zeros((2, 2)), r"pdfs: expected integers .*, found float64 \[2, 2\]"),
    ],
)
def test_wrong_pdfs_are_refused(k2: Any, pdfs: np.ndarray, message: str) -> None:
    with pytest.raises(SpeechError, match=message):
        K2Decoder(Arcs(((0, 1, 2, 0, 0.0),), (inf, 0.0)).graph(), pdfs)


def test_lattices_of_real_speech_are_the_native_ones(
    k2: Any, static_graph: DecodingGraph, corpora: Path
) -> None:
    """Where max_active does not bind: k2 takes it as advice, the native search at its word."""
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    recognizer = Recognizer()
    graph, pdfs = static_graph, recognizer.bundle.transitions.pdf
    options = SearchOptions(beam=15.0, lattice_beam=5.0, max_active=10**6, acoustic_scale=0.1)
    native, other = Decoder(graph, pdfs, options), K2Decoder(graph, pdfs, options)
    scale = options.acoustic_scale
    utterances = 0
    for utterance in read_corpus(corpora / "mini-librispeech" / "dev"):
        samples = utterance.samples()
        if utterances == 3 or not 2.0 < len(samples) / SAMPLE_RATE < 5.0:
            continue
        utterances += 1
        scores = recognizer.acoustic_scores(samples)
        expected, lattice = native.decode(scores), other.decode(scores)
        assert lattice.reached_final == expected.reached_final
        peer, path = best_path(expected, scale), best_path(lattice, scale)
        assert path.cost(scale) == pytest.approx(peer.cost(scale), abs=1e-3)
        assert path.words == peer.words
        assert path.tids.tolist() == peer.tids.tolist()
        assert other.decode_best(scores).words == peer.words
        reference = utterance.text.lower().split()
        errors = [oracle(each, reference).errors for each in (lattice, expected)]
        assert errors[0] == errors[1]
        assert errors[0] <= oracle(determinize(lattice, scale, 5.0), reference).errors
        # Word sequences far from the beams, within which the engines may prune differently.
        near, near_peer = (
            {path.words: path.cost(scale) for path in n_best(compact, scale)}
            for compact in (determinize(each, scale, 2.0) for each in (lattice, expected))
        )
        assert near == pytest.approx(near_peer, abs=1e-2)
    assert utterances == 3
