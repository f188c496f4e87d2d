"""The English model in the package: what it must be, and what it makes of real recordings."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import kaldi_decoder
import kaldifst
import numpy as np
import pytest
import soundfile
import soxr

from data.audio import read_audio
from data.corpus import Utterance, read_corpus
from recognizer import Recognizer, scoring
from recognizer.bundle import DEFAULT_MODEL, FIRST_PASS, RESCORING, ModelBundle

MEGABYTE = 1e6

# A development set's utterances and the exact words that the shipped model must find in them.
EXACT = {
    "mini-librispeech/dev": {
        "26-495-0000": "in sixteen sixty five written by a citizen who continued all the while "
        "in london never made public before",
        "26-496-0010": "magistrates and servants left in the city as they fled now out of the "
        "city so i should observe that the court removed early",
    },
    "excerpts80/dev": {
        "HS-61": "he saw her beaming in beauty at the opera",
        "HS-62": "will you say even now one word of comfort to me",
        "WS-48": "the russians had been taken by surprise",
    },
}


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


def utterances(corpora: Path, name: str) -> dict[str, Utterance]:
    return {utterance.id: utterance for utterance in read_corpus(corpora / name)}


def ngram_counts(path: Path) -> list[int]:
    """Numbers of n-grams by order, from an ARPA file's head."""
    counts = []
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("ngram "):
                counts.append(int(line.partition("=")[2]))
            elif counts:
                return counts
    return counts


def test_all_parts_fit_together_and_the_whole_is_small() -> None:
    ModelBundle().check()
    assert sum(path.stat().st_size for path in DEFAULT_MODEL.iterdir()) <= 60 * MEGABYTE


def test_both_language_models_are_5_grams_of_the_promised_sizes() -> None:
    first, large = (ngram_counts(DEFAULT_MODEL / name) for name in (FIRST_PASS, RESCORING))
    assert len(first) == len(large) == 5
    assert first[0] == large[0] >= 40_000
    assert sum(first[1:]) >= 100_000
    assert sum(large[1:]) >= 10 * sum(first[1:])
    assert first[4] > 0


def test_the_record_names_data_licences_and_options() -> None:
    config = ModelBundle().config
    assert config.acoustic.output_delay == 5
    assert config.acoustic.silence_weight == 2.7
    assert config.features.num_bins == 40
    assert any(data.name == "mini-librispeech/train" for data in config.training_data)
    assert all(data.licence for data in config.training_data)
    assert config.record["tuning_result"]["data"] == ["mini-librispeech/dev", "excerpts80/dev"]


@pytest.mark.parametrize("name", EXACT)
def test_exact_transcripts(corpora: Path, recognizer: Recognizer, name: str) -> None:
    spoken = utterances(corpora, name)
    found = {key: recognizer.recognize(spoken[key].audio).text for key in EXACT[name]}
    assert found == EXACT[name]


# The limits are what pocketsphinx 5.1.1 scores with its own English model on the whole sets.
@pytest.mark.parametrize(
    ("name", "limit"), [("mini-librispeech/dev", 21.8), ("excerpts80/dev", 19.7)]
)
def test_every_ninth_utterance_is_recognised_well(
    corpora: Path, recognizer: Recognizer, name: str, limit: float, tmp_path: Path
) -> None:
    chosen = list(utterances(corpora, name).values())[::9]
    results = [recognizer.recognize(utterance.audio) for utterance in chosen]
    pairs = list(zip(chosen, results, strict=True))
    rescored = scoring.total(scoring.count_errors(u.words, r.rescored.words) for u, r in pairs)
    first = scoring.total(scoring.count_errors(u.words, r.first_pass.words) for u, r in pairs)
    assert rescored.wer < min(limit, first.wer)
    if shutil.which("sctk") is None:
        return
    scoring.write_trn(tmp_path / "ref.trn", [(u.id, u.words) for u, _ in pairs])
    scoring.write_trn(tmp_path / "hyp.trn", [(u.id, r.rescored.words) for u, r in pairs])
    report = subprocess.run(
        ["sctk", "sclite", "-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-i", "rm",
         "-o", "rsum", "stdout"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    (line,) = [line for line in report.splitlines() if line.strip().startswith("| Sum ")]
    numbers = [int(field) for field in line.replace("|", " ").split()[1:]]
    _, words, _, substitutions, deletions, insertions, errors = numbers[:7]
    assert (words, substitutions, deletions, insertions, errors) == (
        rescored.words, rescored.substitutions, rescored.deletions, rescored.insertions,
        rescored.errors,
    )  # fmt: skip


def test_words_have_times_inside_the_recording_in_order(
    corpora: Path, recognizer: Recognizer
) -> None:
    utterance = next(iter(read_corpus(corpora / "mini-librispeech" / "dev")))
    result = recognizer.recognize(utterance.audio)
    edges = [edge for word in result.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= result.duration
    # Silence is in no word: this reader begins after a pause and stops before the end.
    assert edges[0] > 0.05
    assert sum(word.end - word.start for word in result.words) < result.duration


def test_eight_kilohertz_stereo_is_read(
    corpora: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    utterance = next(iter(read_corpus(corpora / "mini-librispeech" / "dev")))
    samples = soxr.resample(read_audio(utterance.audio), 16000, 8000)
    soundfile.write(tmp_path / "telephone.wav", np.stack([samples, samples], axis=1), 8000)
    result = recognizer.recognize(tmp_path / "telephone.wav")
    assert result.duration == pytest.approx(utterance.duration, abs=0.01)
    # Half the spectrum is missing and the model never heard such speech, yet some of it is right.
    counts = scoring.count_errors(utterance.words, result.rescored.words)
    assert counts.deletions + counts.substitutions < len(utterance.words)


def test_best_path_costs_what_kaldi_decoder_finds(corpora: Path, recognizer: Recognizer) -> None:
    bundle, scale = recognizer.bundle, recognizer.search.acoustic_scale
    graph = bundle.graph.to_kaldifst(bundle.transitions.pdf)
    options = kaldi_decoder.FasterDecoderOptions(beam=13.0, max_active=7000, min_active=200)
    peer = kaldi_decoder.FasterDecoder(graph, options)
    for utterance in list(read_corpus(corpora / "excerpts80" / "dev"))[:3]:
        scores = recognizer.log_likelihoods(utterance.samples())
        peer.decode(kaldi_decoder.DecodableCtc(np.ascontiguousarray(scores * np.float32(scale))))
        reached, best = peer.get_best_path()
        assert reached
        _, _, words, weight = kaldifst.get_linear_symbol_sequence(best)
        ours = recognizer.first_best(recognizer.first_pass(scores))
        assert [bundle.graph.words[word] for word in words] == list(ours.words)
        assert ours.cost(scale) == pytest.approx(weight.value1 + weight.value2, abs=0.05)
