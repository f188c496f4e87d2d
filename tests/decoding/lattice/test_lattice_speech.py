"""Lattices of real speech, from the shipped model."""

from __future__ import annotations

from pathlib import Path

import kaldialign
import numpy as np
import pytest

from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.text.english.normalize import normalize
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.kaldi import read_kaldi_lattices, write_kaldi_lattices
from recognizer.decoding.lattice.lattice import CompactLattice, Lattice
from recognizer.decoding.lattice.mbr import confidences, mbr
from recognizer.decoding.lattice.oracle import density, oracle
from recognizer.decoding.lattice.paths import best_path, path_of_words
from recognizer.decoding.lattice.posteriors import posteriors
from recognizer.decoding.lattice.slf import read_slf, write_slf
from recognizer.decoding.lattice.word_times import word_times
from recognizer.decoding.search.search import SearchOptions
from recognizer.model.files import DEFAULT_MODEL
from recognizer.recognizer import Recognizer

OPTIONS = SearchOptions(beam=13.0, lattice_beam=8.0, max_active=5000, acoustic_scale=0.12)
SCALE = OPTIONS.acoustic_scale


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    return Recognizer()


@pytest.fixture(scope="module")
def spoken(recognizer: Recognizer, corpora: Path) -> list[tuple[list[str], Lattice]]:
    """Transcripts and state-level lattices of some utterances."""
    decoder = recognizer.bundle.decoder(OPTIONS)
    found = []
    for utterance in list(read_corpus(corpora / "mini-librispeech" / "dev"))[::11]:
        samples = utterance.samples()
        if len(samples) < 10.0 * SAMPLE_RATE:
            scores = recognizer.acoustic_scores(samples)
            found.append((normalize(utterance.text).split(), decoder.decode(scores)))
    assert len(found) >= 2
    return found


@pytest.fixture(scope="module")
def compact(spoken: list[tuple[list[str], Lattice]]) -> list[CompactLattice]:
    return [determinize(lattice, SCALE, OPTIONS.lattice_beam) for _, lattice in spoken]


def test_determinisation_loses_nothing_of_worth(
    spoken: list[tuple[list[str], Lattice]], compact: list[CompactLattice]
) -> None:
    words = raw = determinised = best = 0
    for (text, lattice), short in zip(spoken, compact, strict=True):
        words += len(text)
        raw += oracle(lattice, text).errors
        determinised += oracle(short, text).errors
        path = best_path(short, SCALE)
        best += kaldialign.edit_distance(text, list(path.words))["total"]
        assert path.tids.tolist() == best_path(lattice, SCALE).tids.tolist()
        assert density(lattice) > density(short) >= 1.0
    assert raw <= determinised <= raw + 0.001 * words
    assert raw < best


def test_arcs_of_a_frame_sum_to_one(spoken: list[tuple[list[str], Lattice]]) -> None:
    for _, lattice in spoken:
        emitting = lattice.tids > 0
        frames = lattice.state_frames[lattice.sources[emitting]]
        sums = np.bincount(frames, posteriors(lattice, SCALE).arcs[emitting])
        assert len(sums) == lattice.num_frames
        np.testing.assert_allclose(sums, 1.0, atol=1e-9)


def test_words_have_confidences_and_times(
    recognizer: Recognizer, compact: list[CompactLattice]
) -> None:
    transitions, phones = recognizer.bundle.transitions, recognizer.bundle.phones
    for lattice in compact:
        path = best_path(lattice, SCALE)
        fixed, free = confidences(lattice, path, SCALE), mbr(lattice, SCALE)
        assert fixed.words == path.words
        assert free.risk <= fixed.risk + 1e-9
        for each in (fixed, free):
            assert all(0.0 < confidence <= 1.0 for confidence in each.confidences)
        # Expected times are near those of the path.
        for (_, begin, end), (early, late) in zip(
            word_times(path, transitions, phones), fixed.times, strict=True
        ):
            assert early < end + 50
            assert begin < late + 50
        chosen = path_of_words(lattice, free.words)
        if chosen is not None:
            spans = word_times(chosen, transitions, phones)
            assert [word for word, _, _ in spans] == list(free.words)


def test_files_hold_all_of_a_lattice(
    tmp_path: Path, spoken: list[tuple[list[str], Lattice]], compact: list[CompactLattice]
) -> None:
    path = tmp_path / "lat.gz"
    shortest = min(range(len(spoken)), key=lambda i: spoken[i][1].num_arcs)
    lattices = (spoken[shortest][1], compact[shortest])
    write_kaldi_lattices(path, [("raw", lattices[0]), ("compact", lattices[1])], word_symbols=True)
    symbols = lattices[0].symbols
    for lattice, (_, again) in zip(
        lattices, read_kaldi_lattices(path, symbols, word_symbols=True), strict=True
    ):
        assert best_path(again, SCALE).tids.tolist() == best_path(lattice, SCALE).tids.tolist()
        assert again.num_frames == lattice.num_frames
        for name in ("sources", "targets", "words", "tids", "graph_costs", "acoustic_costs"):
            np.testing.assert_array_equal(getattr(again, name), getattr(lattice, name))
    write_slf(tmp_path / "lat.slf", "u", lattices[1], 0.01, SCALE)
    found = read_slf(tmp_path / "lat.slf", 0.01).lattice
    assert isinstance(found, CompactLattice)
    assert best_path(found, SCALE).words == best_path(lattices[1], SCALE).words
    assert mbr(found, SCALE).confidences == mbr(lattices[1], SCALE).confidences
