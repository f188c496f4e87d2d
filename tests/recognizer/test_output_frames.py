"""A model with an output every 30 ms from features every 10 ms: times are right everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysubs2
import pytest
import soundfile

import toy
from recognizer import EndpointOptions, Recognizer, srt
from recognizer.alignment.network_aligner import NetworkAligner
from recognizer.am.features.fbank import fbank
from recognizer.data.alignments.ctm import read_ctm
from recognizer.data.alignments.textgrid import read_textgrid
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.alignment.tolerance import Tolerance
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.lattice.slf import read_slf
from recognizer.model.bundle import ModelBundle
from recognizer.model.config import FirstPassOptions
from recognizer.model.files import CONFIG
from recognizer.serving.alternatives import alternatives

SHIFT = 0.03
NEAR = SHIFT + 1e-6  # sounds begin and end within output frames
SENTENCES = ["go left", "stop", "left left go", "right now", "now write", "go right now write stop"]


@pytest.fixture(
    scope="module", params=["static, epsilon", "on-the-fly, epsilon", "on-the-fly, exact"]
)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    search, _, backoff = request.param.partition(", ")
    directory = tmp_path_factory.mktemp("models") / "subsampled"
    return toy.build(directory, FirstPassOptions(search, backoff), subsampling=3)


@pytest.fixture(scope="module")
def recogniser(model: Path) -> Recognizer:
    return Recognizer(model)


def word_spans(text: str) -> list[tuple[float, float]]:
    """Seconds at which `toy.whistle` begins and ends each word."""
    lengths = [toy.PHONE_SECONDS * len(toy.WORDS[word].split()) for word in text.split()]
    starts = toy.word_starts(text)
    return [(start, start + length) for start, length in zip(starts, lengths, strict=True)]


def assert_on_the_grid(seconds: list[float]) -> None:
    frames = np.asarray(seconds) / SHIFT
    np.testing.assert_allclose(frames, np.rint(frames), atol=1e-6)


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("minimum_bayes_risk", [False, True])
def test_words_have_their_times_and_confidences(
    model: Path, text: str, minimum_bayes_risk: bool
) -> None:
    recogniser = Recognizer(model, minimum_bayes_risk=minimum_bayes_risk)
    samples = toy.whistle(text)
    result = recogniser.recognize(samples)
    assert result.text == text and result.complete
    features = fbank(samples, recogniser.bundle.config.features)
    assert result.num_frames == -(-len(features) // 3)
    for word, (start, end) in zip(result.words, word_spans(text), strict=True):
        assert (word.start, word.end) == pytest.approx((start, end), abs=NEAR)
        assert 0.8 < word.confidence <= 1.0
    assert_on_the_grid([time for word in result.words for time in (word.start, word.end)])


@pytest.mark.parametrize("cut", [0.005, 0.012, 0.021, 0.028])
@pytest.mark.parametrize("minimum_bayes_risk", [False, True])
def test_no_time_lies_beyond_the_end_of_the_audio(
    model: Path, tmp_path: Path, cut: float, minimum_bayes_risk: bool, command
) -> None:
    """The last output frame reaches beyond it where the audio is no whole number of them."""
    recogniser = Recognizer(model, minimum_bayes_risk=minimum_bayes_risk)
    said = toy.whistle("go left")[: round(16000 * (word_spans("go left")[-1][1] - 0.03 + cut))]
    seconds = len(said) / 16000
    result = recogniser.recognize(said)
    assert result.text == "go left"
    assert result.num_frames * SHIFT > seconds + 1e-6
    assert [one.end for one in (result.words[-1], result.segments[-1])] == [seconds, seconds]
    for endpointing in (None, EndpointOptions()):
        stream = recogniser.stream(endpointing=endpointing)
        *_, final = stream.accept(said, 16000) + stream.finish()
        assert (final.end, final.result) == (seconds, result)
        assert alternatives(recogniser, [final], 1)[0][0][-1][2] == seconds
    segments = list(recogniser.recognize_long(said))
    assert [segments[-1].end, segments[-1].words[-1].end] == [seconds, seconds]
    path = tmp_path / "cut.wav"
    soundfile.write(path, said, 16000, subtype="FLOAT")
    known = pysubs2.SSAFile.from_string(srt(result), "srt")
    assert known[-1].end == round(1000 * seconds)
    mbr = ["--mbr"] if minimum_bayes_risk else []
    ran = command("recognize", "--model", model, "--format", "ctm", *mbr, path)
    start, length = map(float, ran.out.splitlines()[-1].split()[2:4])
    assert seconds - 0.01 < start + length <= seconds + 1e-9


@pytest.mark.parametrize("size", [1, 2, 7, 160])
def test_a_stream_gives_the_bits_of_the_whole(recogniser: Recognizer, size: int) -> None:
    samples = toy.whistle("go right now")
    model = recogniser.bundle.acoustic_model
    assert model.output_frame_shift == pytest.approx(SHIFT)
    features = fbank(samples, model.features)
    session = model.start()
    rows = [session.advance(features[i : i + size]) for i in range(0, len(features), size)]
    rows.append(session.finish())
    np.testing.assert_array_equal(np.concatenate(rows), recogniser.acoustic_scores(samples))


@pytest.mark.parametrize("tolerance", [None, Tolerance()], ids=["strict", "tolerant"])
def test_alignment(model: Path, whistled: Callable[..., Path], tolerance: Tolerance | None) -> None:
    text = "go right now write stop left"
    utterance = Utterance("u", whistled(text), "whistler", text)
    aligner = NetworkAligner(ModelBundle(model))
    aligned = aligner.align([utterance], jobs=1, tolerance=tolerance)
    assert not aligned.failed
    found = aligner.segments(utterance, aligned.found["u"])
    assert [s.label for s in found.words] == text.split()
    spans = [(s.start, s.end) for s in found.words]
    np.testing.assert_allclose(spans, word_spans(text), atol=NEAR)
    spoken = [s for s in found.phones if s.label != "SIL"]
    assert [s.label for s in spoken] == [
        p for word in text.split() for p in toy.WORDS[word].split()
    ]
    assert [s.end - s.start for s in spoken] == pytest.approx([0.1] * len(spoken), abs=NEAR)
    assert_on_the_grid([s.end for s in found.phones])


@pytest.fixture
def data(tmp_path: Path, whistled: Callable[..., Path]) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "wav.scp").write_text(f"u1 {whistled('stop now')}\n")
    (directory / "text").write_text("u1 STOP NOW\n")
    return directory


def test_the_commands_write_the_right_times(
    model: Path, data: Path, tmp_path: Path, whistled: Callable[..., Path], command
) -> None:
    expected = word_spans("stop now")
    ran = command("recognize", "--model", model, "--format", "ctm", whistled("stop now"))
    assert ran.code == 0
    spans = [line.split()[2:4] for line in ran.out.splitlines()]
    found = [(float(start), float(start) + float(length)) for start, length in spans]
    np.testing.assert_allclose(found, expected, atol=NEAR)

    out = tmp_path / "aligned"
    ran = command("recognizer", "align", data, "--model", model, "--output-dir", out)
    assert ran.code == 0
    for written in (
        read_ctm(out / "words.ctm", out / "phones.ctm")["u1"],
        read_textgrid(out / "u1.TextGrid"),
    ):
        words = [s for s in written.words if s.label]
        assert [s.label for s in words] == ["stop", "now"]
        np.testing.assert_allclose([(s.start, s.end) for s in words], expected, atol=NEAR)


def test_lattices_have_output_frames(
    model: Path, recogniser: Recognizer, data: Path, tmp_path: Path, command
) -> None:
    result = recogniser.recognize(toy.whistle("stop now"))
    assert result.lattice is not None and result.lattice.num_frames == result.num_frames == 40
    out = tmp_path / "lattices"
    options = ["--output-dir", out, "--model", model, "--format", "slf"]
    ran = command("recognizer", "lattice", data, *options)
    assert (ran.code, ran.err) == (0, "")
    read = read_slf(out / "u1.slf.gz", SHIFT).lattice
    assert read.num_frames == 40
    assert best_path(read, recogniser.search.acoustic_scale).words == ("stop", "now")
    lattice = recogniser.first_pass(recogniser.acoustic_scores(toy.whistle("stop now")))
    second = recogniser.second_pass(lattice).lattice
    assert sorted(read.state_frames.tolist()) == sorted(second.state_frames.tolist())


def test_a_model_toml_that_says_otherwise_is_refused(model: Path, tmp_path: Path) -> None:
    for path in model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (tmp_path / CONFIG).read_text()
    (tmp_path / CONFIG).write_text(re.sub("^subsampling = 3$", "subsampling = 1", text, flags=re.M))
    with pytest.raises(SpeechError, match=r"safetensors: subsampling: expected 1, found 3"):
        Recognizer(tmp_path)


def test_labels_for_training_are_refused(model: Path, tmp_path: Path) -> None:
    from recognizer.pipelines.model_labels import ModelLabels

    with pytest.raises(UsageError, match="acoustic: subsampling: expected 1 of a model that gives"):
        ModelLabels(ModelBundle(model), (), tmp_path, tmp_path)


def test_training_refuses_subsampled_outputs(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    from dataclasses import replace

    import toy_training
    from recognizer.am.training.train import TrainingOptions, train

    network = replace(toy_training.NETWORK, subsampling=3)
    with pytest.raises(
        UsageError, match="subsampling: expected 1 in training of kind lstm, found 3"
    ):
        train([], network, TrainingOptions(), tmp_path)
