"""The English model in the package: what it must be, and what it makes of real recordings."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from places import ROOT
from recognizer import Recognizer
from recognizer.data.audio.reading import read_audio
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.evaluation.error_counts import ErrorCounts, total
from recognizer.evaluation.transcript_files import write_trn
from recognizer.evaluation.word_alignment import align, count_errors
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.model.bundle import ModelBundle
from recognizer.model.files import DEFAULT_MODEL, FIRST_PASS, RESCORING
from recognizer.recognition.result import Result

MEGABYTE = 1e6

# A development set's utterances and the exact words that the shipped model must find in them.
EXACT = {
    "mini-librispeech/dev": {
        "26-495-0027": "there died but three of which not one within the whole city or liberties "
        "and saint andrew's buried but fifteen which was very low",
        "26-496-0014": "but they walked in the middle of the great street neither on one side",
    },
    "excerpts80/dev": {
        "HS-62": "will you say even now one word of comfort to me",
        "WS-48": "the russians had been taken by surprise",
    },
    "cv-english/dev": {
        "59bcc4cb-cv40930569": "the avenue finishes off close to the great hall of the people",
        "ad064153-cv41653916": "the following year he was promoted to the rank of lieutenant",
    },
}


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture(scope="module")
def recognise(recognizer: Recognizer) -> Callable[[Utterance], Result]:
    """Results of utterances, each recognised once for all tests."""
    results: dict[Path, Result] = {}

    def result(utterance: Utterance) -> Result:
        if utterance.audio not in results:
            results[utterance.audio] = recognizer.recognize(utterance.audio)
        return results[utterance.audio]

    return result


def test_the_sample_is_recognised_without_an_error(recognizer: Recognizer) -> None:
    result = recognizer.recognize(ROOT / "recognizer" / "samples" / "synthetic.flac")
    said = "she opened the door and looked out into the garden but there was nobody there"
    assert (result.text, result.first_pass.text) == (said, said)


def test_the_sample_is_in_its_grammar_and_rejected_by_others(recognizer: Recognizer) -> None:
    sample = ROOT / "recognizer" / "samples" / "synthetic.flac"
    text = """#JSGF V1.0;
    grammar scene;
    public <scene> = she (opened | closed {shut}) the <thing> (and looked <where>)+ {looked}
        [but there was (nobody {nobody} | Rotherhithe) there];
    <thing> = door {door} | window;
    <where> = out into the garden {garden} | back;
    """
    result = recognizer.adapted(grammar=text).recognize(sample)
    assert result.text == recognizer.recognize(sample).text
    assert result.tags == ("door", "garden", "looked", "nobody")
    others = "she opened the door\nshe closed the window\nthere was nobody there"
    rejected = recognizer.adapted(grammar=others).recognize(sample)
    assert (rejected.text, rejected.rejected) == ("", True)


def utterances(corpora: Path, name: str) -> dict[str, Utterance]:
    return {utterance.id: utterance for utterance in read_corpus(corpora / name)}


def test_all_parts_fit_together_and_the_whole_is_small() -> None:
    ModelBundle().check()
    assert sum(path.stat().st_size for path in DEFAULT_MODEL.iterdir()) <= 90 * MEGABYTE


def test_both_language_models_are_5_grams_of_the_promised_sizes() -> None:
    automata = [NgramAutomaton.open(DEFAULT_MODEL / name) for name in (FIRST_PASS, RESCORING)]
    assert [automaton.layout for automaton in automata] == ["fast", "compact"]
    first, large = ([int(n) for n in one.metadata["counts"].split()] for one in automata)
    assert len(first) == len(large) == 5
    assert first[0] == large[0] >= 40_000
    assert sum(first[1:]) >= 100_000
    assert sum(large[1:]) >= 3 * sum(first[1:])
    assert first[4] > 0


def test_the_record_names_data_licences_and_options() -> None:
    config = ModelBundle().config
    assert config.acoustic.subsampling == 3
    assert config.features.num_bins == 40
    assert config.aligner is not None
    assert config.aligner.acoustic.subsampling == 1
    assert config.aligner.acoustic.silence_weight == 2.7
    teachers = [data.teacher for data in config.training_data if data.teacher is not None]
    assert [teacher.name for teacher in teachers] == ["Whisper base"]
    assert any(data.name == "mini-librispeech/train" for data in config.training_data)
    assert all(data.licence for data in config.training_data)
    assert config.record["tuning_result"]["data"] == [
        "mini-librispeech/dev", "excerpts80/dev", "cv-english/dev", "speechocean762/dev"
    ]  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_exact_transcripts(corpora: Path, recognizer: Recognizer, name: str) -> None:
    spoken = utterances(corpora, name)
    found = {key: recognizer.recognize(spoken[key].audio).text for key in EXACT[name]}
    assert found == EXACT[name]


def test_a_joined_recording_has_the_words_of_its_utterances(
    corpora: Path, recognizer: Recognizer, recognise: Callable[[Utterance], Result]
) -> None:
    """With pauses that cut it into segments, each at its time."""
    pause = np.random.default_rng(0).normal(0, 1e-4, 40000).astype(np.float32)
    chosen = [utterances(corpora, name)[one] for name, exact in EXACT.items() for one in exact]
    parts, starts = [pause], []
    for utterance in chosen:
        starts.append(sum(map(len, parts)) / 16000)
        parts += [utterance.samples(), pause]
    segments = list(recognizer.recognize_long(np.concatenate(parts), threads=2))
    assert len(segments) == len(chosen)
    for segment, utterance, start in zip(segments, chosen, starts, strict=True):
        # Noise before the first word may change it, no more.
        alone = recognise(utterance).words
        assert count_errors([word.word for word in alone], segment.text.split()).errors <= 1
        assert segment.words[-1].end == pytest.approx(start + alone[-1].end, abs=0.1)
        assert segment.words[0].start == pytest.approx(start + alone[0].start, abs=0.15)


# The limits are what pocketsphinx 5.1.1 scores with its own English model on the whole sets.
@pytest.mark.parametrize(
    ("name", "limit"), [("mini-librispeech/dev", 21.8), ("excerpts80/dev", 19.7)]
)
def test_every_ninth_utterance_is_recognised_well(
    corpora: Path,
    recognise: Callable[[Utterance], Result],
    name: str,
    limit: float,
    tmp_path: Path,
) -> None:
    chosen = list(utterances(corpora, name).values())[::9]
    results = [recognise(utterance) for utterance in chosen]
    pairs = list(zip(chosen, results, strict=True))
    rescored = total(count_errors(u.words, r.rescored.words) for u, r in pairs)
    first = total(count_errors(u.words, r.first_pass.words) for u, r in pairs)
    assert rescored.wer <= min(limit, first.wer + 1)  # 40 of a thousand words decide
    if shutil.which("sctk") is None:
        return
    write_trn(tmp_path / "ref.trn", [(u.id, u.words) for u, _ in pairs])
    write_trn(tmp_path / "hyp.trn", [(u.id, r.rescored.words) for u, r in pairs])
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


def test_quiet_speech_is_recognised(corpora: Path, recognizer: Recognizer) -> None:
    utterance = next(iter(read_corpus(corpora / "mini-librispeech" / "dev")))
    loud = recognizer.recognize(utterance.audio).text
    quiet = recognizer.recognize(read_audio(utterance.audio) * np.float32(0.01)).text
    assert count_errors(loud.split(), quiet.split()).errors <= 1


def test_eight_kilohertz_stereo_is_read(
    corpora: Path, recognizer: Recognizer, tmp_path: Path
) -> None:
    utterance = next(iter(read_corpus(corpora / "mini-librispeech" / "dev")))
    samples = soxr.resample(read_audio(utterance.audio), 16000, 8000)
    soundfile.write(tmp_path / "telephone.wav", np.stack([samples, samples], axis=1), 8000)
    result = recognizer.recognize(tmp_path / "telephone.wav")
    assert result.duration == pytest.approx(utterance.duration, abs=0.01)
    # Half the spectrum is missing; a part of the training recordings was like that.
    counts = count_errors(utterance.words, result.rescored.words)
    assert counts.deletions + counts.substitutions < 0.3 * len(utterance.words)


@pytest.mark.parametrize("name", ["mini-librispeech/dev", "excerpts80/dev"])
def test_confidences_tell_right_words_from_wrong_ones(
    corpora: Path, recognise: Callable[[Utterance], Result], name: str
) -> None:
    right: list[float] = []
    wrong: list[float] = []
    for utterance in list(utterances(corpora, name).values())[::9]:
        result = recognise(utterance)
        assert all(0.0 <= word.confidence <= 1.0 for word in result.words)
        found = iter(result.words)
        for expected, word, _ in align(utterance.words, result.rescored.words):
            if word is not None:
                (right if word == expected else wrong).append(next(found).confidence)
    assert len(right) > 200
    assert len(wrong) > 10
    assert np.mean(right) > np.mean(wrong) + 0.1
    # How often a right word is surer than a wrong one; 0.5 would be chance.
    surer = np.searchsorted(np.sort(wrong), right)
    assert surer.mean() / len(wrong) > 0.7


def test_minimum_bayes_risk_is_about_as_good(
    corpora: Path, recognizer: Recognizer, recognise: Callable[[Utterance], Result]
) -> None:
    careful = Recognizer(recognizer.bundle, minimum_bayes_risk=True)
    best = least = ErrorCounts()
    for utterance in list(utterances(corpora, "excerpts80/dev").values())[::27]:
        result = careful.recognize(utterance.audio)
        best += count_errors(utterance.words, recognise(utterance).rescored.words)
        least += count_errors(utterance.words, [word.word for word in result.words])
        for word in result.words:
            assert 0 <= word.start <= word.end <= result.duration + 0.03
    assert least.errors <= best.errors + 0.05 * best.words


def test_results_do_not_depend_on_threads(
    corpora: Path, recognizer: Recognizer, recognise: Callable[[Utterance], Result]
) -> None:
    chosen = list(utterances(corpora, "excerpts80/dev").values())[:45:9]
    found = recognizer.recognize_all([utterance.audio for utterance in chosen], threads=3)
    assert list(found) == [recognise(utterance) for utterance in chosen]
