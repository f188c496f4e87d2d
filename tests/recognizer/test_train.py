"""`recognizer train`: from anybody's TextGrids to an acoustic model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import babble
from am.network_file import read_network
from am.priors import DISABLED_LOG_PRIOR
from data.alignment import Alignment, Segment
from data.corpus import Utterance
from data.ctm import write_ctm
from data.errors import SpeechError
from data.textgrid import write_textgrid
from recognizer.acoustic_stages import NETWORK_FILE, TREE_FILES, read_tree
from recognizer.train import read_alignments, train_from_file

torch = pytest.importorskip("torch", reason="training needs torch")

TRAIN = """
output = "acoustic"
[[sets]]
data = "train"
alignments = "aligned"
[acoustic.tree]
num_leaves = 60
min_count = 20.0
[acoustic.network]
layers = 1
cells = 32
projection = 16
[acoustic.training]
epochs = 6
streams = 8
learning_rate = 1e-2
final_learning_rate = 2e-3
initial_range = 0.1
held_out_fraction = 0.1
threads = 1
"""


def words_of(utterance: Utterance, phones: list[Segment]) -> tuple[Segment, ...]:
    """The words' times, from the true phones: silences part words or lie inside nothing."""
    spoken = [segment for segment in phones if segment.label != "SIL"]
    words, at = [], 0
    for word in utterance.words:
        variants = {len(entry.phones): entry.phones for entry in babble.LEXICON[word]}
        (count,) = variants  # all variants of a word here have as many phones
        words.append(Segment(word, spoken[at].start, spoken[at + count - 1].end))
        at += count
    return tuple(words)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with data, TextGrids of all but one utterance, and the trained model."""
    root = tmp_path_factory.mktemp("train")
    (root / "audio").mkdir()
    (root / "aligned").mkdir()
    rng = np.random.default_rng(5)
    pairs = [babble.utterance(rng, f"u{i:02d}", root / "audio") for i in range(40)]
    babble.write_data([utterance for utterance, _ in pairs], root / "train")
    for utterance, phones in pairs[1:]:
        alignment = Alignment(utterance.id, words_of(utterance, phones), tuple(phones))
        write_textgrid(alignment, root / "aligned" / f"{utterance.id}.TextGrid")
    (root / "train.toml").write_text(TRAIN)
    train_from_file(root / "train.toml")
    return root


def test_the_model_directory_is_whole_and_fits_together(made: Path) -> None:
    tree, transitions = read_tree(made / "acoustic")
    network = read_network(made / "acoustic" / NETWORK_FILE)
    assert network.options.outputs == tree.num_pdfs == transitions.num_pdfs
    assert sorted(p.name for p in (made / "acoustic").iterdir() if p.is_file()) == sorted(
        (*TREE_FILES, NETWORK_FILE)
    )


def test_the_network_has_learnt_the_labels(made: Path) -> None:
    network = read_network(made / "acoustic" / NETWORK_FILE)
    held_out = network.metadata["training"]["held_out"]
    assert held_out["accuracy"] > 0.5  # 6 phones of 3 states and silence: chance is about 5 %


def test_priors_know_silence_and_what_never_occurred(made: Path) -> None:
    _, transitions = read_tree(made / "acoustic")
    log_priors = read_network(made / "acoustic" / NETWORK_FILE).log_priors
    noise = transitions.pdf[1:][transitions.phone[1:] == transitions.phones.id("SPN_S")]
    assert np.all(log_priors[noise] == np.float32(DISABLED_LOG_PRIOR))
    seen = log_priors[log_priors < 0]
    assert np.exp(seen.astype(np.float64)).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    "shape",
    [
        'kind = "dnn"\nlayers = 2\ncells = 40\nprojection = 0\nleft_context = 3',
        "layers = 1\ncells = 16\nprojection = 0\nbidirectional = true\npeepholes = false",
    ],
    ids=["dnn", "blstm"],
)
def test_other_kinds_and_priors_from_posteriors(made: Path, shape: str) -> None:
    recipe = TRAIN.replace("layers = 1\ncells = 32\nprojection = 16", shape)
    recipe = recipe.replace("epochs = 6", "epochs = 1").replace('"acoustic"', '"other"')
    recipe = recipe.replace("[acoustic.tree]", '[acoustic]\npriors = "posteriors"\n[acoustic.tree]')
    (made / "other.toml").write_text(recipe)
    train_from_file(made / "other.toml")
    network = read_network(made / "other" / NETWORK_FILE)
    assert network.options.kind == ("dnn" if "dnn" in shape else "lstm")
    assert network.options.bidirectional == ("bidirectional" in shape)
    assert network.metadata["priors"]["source"] == "posteriors"
    assert network.metadata["priors"]["silence_weight"] == 2.7
    # States without a label are disabled, though a network gives each state something.
    labels = read_network(made / "acoustic" / NETWORK_FILE)
    assert labels.metadata["priors"]["source"] == "labels"
    disabled = labels.log_priors > 0
    assert disabled.any()
    np.testing.assert_array_equal(network.log_priors > 0, disabled)
    seen = network.log_priors[~disabled].astype(np.float64)
    assert np.exp(seen).sum() == pytest.approx(1.0, abs=1e-5)
    assert np.abs(seen - labels.log_priors[~disabled]).max() > 0.01


def test_a_missing_alignment_is_said(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_from_file(made / "train.toml", first="tree", last="tree")
    assert "1 of 40 utterances have no alignment" in " ".join(capsys.readouterr().err.split())


def test_ctm_is_read_too_and_nothing_is_an_error(tmp_path: Path) -> None:
    alignment = Alignment("u", (Segment("me", 0.1, 0.3),), (Segment("M", 0.1, 0.2),))
    write_ctm([alignment], tmp_path / "words.ctm", tier="words")
    write_ctm([alignment], tmp_path / "phones.ctm", tier="phones")
    assert read_alignments(tmp_path)["u"].phones == alignment.phones
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpeechError, match=r"TextGrid files, or words\.ctm"):
        read_alignments(tmp_path / "empty")


def test_alignments_of_other_utterances_are_an_error(made: Path, tmp_path: Path) -> None:
    write_textgrid(
        Alignment("other", (Segment("me", 0.1, 0.3),), (Segment("M", 0.1, 0.3),)),
        tmp_path / "other.TextGrid",
    )
    path = made / "wrong.toml"
    path.write_text(TRAIN.replace('"aligned"', f'"{tmp_path}"').replace('"acoustic"', '"wrong"'))
    with pytest.raises(SpeechError, match="expected alignments of utterances of"):
        train_from_file(path)
