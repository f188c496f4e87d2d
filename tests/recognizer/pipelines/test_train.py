"""`recognizer train`: from anybody's TextGrids to an acoustic model."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import babble
from kaldi_archives import write_int_vectors
from places import KALDI
from recognizer.alignment.alignment_file import read_paths
from recognizer.am.kaldi.model import read_kaldi_transitions
from recognizer.am.nnet.network_file import read_network
from recognizer.am.nnet.priors import DISABLED_LOG_PRIOR
from recognizer.am.tree.decision_tree import CENTRE, Split
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.textgrid import read_textgrid, write_textgrid
from recognizer.data.alignments.timit import write_timit
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.data.errors import SpeechError
from recognizer.pipelines.acoustic.network_stages import NETWORK_FILE
from recognizer.pipelines.acoustic.stages import STATES_FILE
from recognizer.pipelines.acoustic.state_labels import StateInventory
from recognizer.pipelines.acoustic.tree_growing import TREE_FILES, read_tree
from recognizer.pipelines.train import train_from_file

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

REALIGN = """
[acoustic.realign_training]
epochs = 3
streams = 8
learning_rate = 4e-3
final_learning_rate = 1e-3
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
    (root / "whole").mkdir()
    rng = np.random.default_rng(5)
    pairs = [babble.utterance(rng, f"u{i:02d}", root / "audio") for i in range(40)]
    babble.write_data([utterance for utterance, _ in pairs], root / "train")
    for utterance, phones in pairs:
        alignment = Alignment(utterance.id, words_of(utterance, phones), tuple(phones))
        write_textgrid(alignment, root / "whole" / f"{utterance.id}.TextGrid")
        if utterance.id != "u00":
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


def test_hidden_layers_of_another_network_are_a_start(made: Path) -> None:
    given = made / "acoustic" / NETWORK_FILE
    recipe = TRAIN.replace('"acoustic"', '"started"').replace("num_leaves = 60", "num_leaves = 30")
    recipe = recipe.replace("epochs = 6", "epochs = 1")
    recipe = recipe.replace("[acoustic.tree]", f'[acoustic]\ninitial = "{given}"\n[acoustic.tree]')
    (made / "started.toml").write_text(recipe)
    train_from_file(made / "started.toml")
    before = read_network(given)
    start = read_network(made / "started" / "work" / "network" / "initial.safetensors")
    after = read_network(made / "started" / NETWORK_FILE)
    assert start.options == after.options
    assert start.options.outputs < before.options.outputs
    for name in before.options.shapes():
        if not name.startswith("output."):
            assert np.array_equal(start.tensors[name], before.tensors[name])
    # One pass from there learns more than nothing: chance is about 5 %.
    assert after.metadata["training"]["held_out"]["accuracy"] > 0.4


@pytest.mark.parametrize(
    ("initial", "fault"),
    [
        ("none.safetensors", "none.safetensors: expected a network file, found none"),
        ("english", "acoustic.safetensors: kind: expected lstm, found layered"),
    ],
)
def test_a_start_that_does_not_fit_is_found_before_any_work(
    made: Path, initial: str, fault: str
) -> None:
    recipe = TRAIN.replace('"acoustic"', '"unfit"')
    recipe = recipe.replace(
        "[acoustic.tree]", f'[acoustic]\ninitial = "{initial}"\n[acoustic.tree]'
    )
    (made / "unfit.toml").write_text(recipe)
    with pytest.raises(SpeechError, match=fault):
        train_from_file(made / "unfit.toml")
    assert not (made / "unfit").exists()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_what_is_left_out_is_counted_and_named(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in [
        ("u05", Alignment("u05", (), (Segment("SIL", 0.0, 0.5),))),
        ("u06", Alignment("u06", (Segment("me", 0.1, 90.0),), (Segment("M", 0.1, 90.0),))),
        ("elsewhere", Alignment("elsewhere", (Segment("me", 0.1, 0.3),))),
    ]:
        write_textgrid(content, made / "aligned" / f"{name}.TextGrid")
    (made / "aligned" / "u07.TextGrid").write_text("damaged")
    shutil.copytree(made / "acoustic", made / "counted")
    (made / "counted.toml").write_text(TRAIN.replace('"acoustic"', '"counted"'))
    train_from_file(made / "counted.toml", first="tree", last="tree")
    said = flat(capsys.readouterr().err)
    assert "train: 36 of 40 utterances have labels" in said
    assert "train: 1 left out: files that cannot be read" in said
    assert "u07.TextGrid: expected a Praat TextGrid, found something else" in said
    assert "train: 1 left out: alignments without audio" in said
    assert "train: 1 left out: alignments more than 0.05 s longer than their audio" in said
    assert "u06: expected an end by" in said and "found 90.000 s" in said
    assert "train: 2 left out: utterances without alignment" in said
    assert "train: 1 left out: phones that give no labels" in said
    assert "train: u05: expected phones of speech, found none" in said


def test_alignments_of_other_utterances_are_an_error(made: Path, tmp_path: Path) -> None:
    write_textgrid(
        Alignment("other", (Segment("me", 0.1, 0.3),), (Segment("M", 0.1, 0.3),)),
        tmp_path / "other.TextGrid",
    )
    path = made / "wrong.toml"
    path.write_text(TRAIN.replace('"aligned"', f'"{tmp_path}"').replace('"acoustic"', '"wrong"'))
    with pytest.raises(SpeechError, match="expected alignments of utterances of") as caught:
        train_from_file(path)
    assert "other: expected an utterance of" in str(caught.value)


def refused(made: Path, old: str, new: str) -> str:
    path = made / "refused.toml"
    path.write_text(TRAIN.replace('"acoustic"', '"refused"').replace(old, new, 1))
    with pytest.raises(SpeechError) as caught:
        train_from_file(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_wrong_descriptions_are_refused_before_any_work(made: Path) -> None:
    sets = 'alignments = "aligned"\n'
    assert "labels: expected 'phones' or 'states'" in refused(
        made, "[[sets]]", 'labels = "words"\n[[sets]]'
    )
    assert "tolerance: expected seconds >= 0" in refused(
        made, "[[sets]]", "tolerance = -1\n[[sets]]"
    )
    assert "kind: expected one of ctm" in refused(made, sets, f'{sets}source.kind = "x"\n')
    assert "no such file" in refused(made, sets, f'{sets}source.phone_map = "no.map"\n')
    assert "final.mdl: no such file: expected it beside" in refused(
        made, sets, 'alignments = "train/wav.scp"\nsource.kind = "kaldi"\n'
    )
    assert "realign: expected a lexicon to align with" in refused(
        made, "[acoustic.tree]", "[acoustic]\nrealign = 1\n[acoustic.tree]"
    )


def frames_of(segment: Segment) -> int:
    return round(segment.end * 100) - round(segment.start * 100)


def test_kaldi_alignments_give_the_labels_as_they_are(made: Path) -> None:
    directory = made / "kaldi"
    directory.mkdir()
    for name in ("final.mdl", "tree", "phones.txt"):
        shutil.copyfile(KALDI / name, directory / name)
    model = read_kaldi_transitions(KALDI / "final.mdl")
    loop, arc = {}, {}
    for phone in (1, 3, 7):
        for state in range(5 if phone == 1 else 3):
            of_state = (model.phone == phone) & (model.hmm_state == state)
            loop[phone, state] = int(np.flatnonzero(of_state & model.is_self_loop)[0])
            arc[phone, state] = int(np.flatnonzero(of_state & ~model.is_self_loop)[-1])
    ids = {}
    for utterance in read_corpus(made / "train"):
        path: list[int] = []
        for segment in read_textgrid(made / "whole" / f"{utterance.id}.TextGrid").phones:
            vowel = segment.label in ("AA", "IY", "UW")
            phone = 1 if segment.label == "SIL" else 3 if vowel else 7
            states = range(5 if phone == 1 else 3)
            frames = max(frames_of(segment), len(states))
            for state in states:
                visit = frames // len(states) + (state < frames % len(states))
                path += [arc[phone, state], *[loop[phone, state]] * (visit - 1)]
        ids[utterance.id] = path
    ids["u01"] = [*ids["u01"], *ids["u01"]]
    write_int_vectors(directory / "ali.1.gz", ids)
    text = TRAIN.replace('"aligned"', '"kaldi"').replace('"acoustic"', '"as_is"')
    (made / "states.toml").write_text('labels = "states"\n' + text)
    train_from_file(made / "states.toml")
    states = StateInventory.read(made / "as_is" / STATES_FILE)
    network = read_network(made / "as_is" / NETWORK_FILE)
    assert len(states.names) == network.options.outputs == 20
    assert states.silence == set(range(10))
    held_out = network.metadata["training"]["held_out"]
    assert held_out["accuracy"] > 0.6
    never = [pdf for pdf in range(20) if pdf in (5, 6, 7, 8, 9)]
    assert np.all(network.log_priors[never] == np.float32(DISABLED_LOG_PRIOR))
    assert np.all(network.log_priors[:5] < 0)


def test_htk_states_are_classes_by_name(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["#!MLF!#"]
    for utterance in read_corpus(made / "train"):
        lines.append(f'"*/{utterance.id}.lab"')
        for phone in read_textgrid(made / "whole" / f"{utterance.id}.TextGrid").phones:
            edges = np.linspace(phone.start, phone.end, 4)
            for state, (start, end) in enumerate(pairwise(np.rint(edges * 1e7).astype(int))):
                above = f" -1 {phone.label.lower()} -3" if state == 0 else ""
                lines.append(f"{start} {end} s{state + 2}{above}")
        lines.append(".")
    (made / "states.mlf").write_text("\n".join(lines).replace(" sil ", " pau ") + "\n")
    text = TRAIN.replace('"aligned"', '"states.mlf"').replace('"acoustic"', '"htk"')
    (made / "htk.toml").write_text('labels = "states"\n' + text)
    train_from_file(made / "htk.toml", last="states")
    assert "states: 21, 3 of silence" in flat(capsys.readouterr().err)
    states = StateInventory.read(made / "htk" / "work" / "states" / STATES_FILE)
    assert {"aa.s2", "pau.s2", "sh.s4"} <= set(states.names)
    assert {states.names[i] for i in states.silence} == {"pau.s2", "pau.s3", "pau.s4"}


def test_timit_phones_without_words_by_a_table(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made / "timit").mkdir()
    for utterance in read_corpus(made / "train"):
        phones = read_textgrid(made / "whole" / f"{utterance.id}.TextGrid").phones
        small = [replace(phone, label=phone.label.lower()) for phone in phones]
        write_timit(small, made / "timit" / f"{utterance.id}.phn")
    phones = ("aa", "iy", "uw", "s", "sh", "m")
    table = "".join(f"{phone} {phone.upper()}\n" for phone in phones)
    (made / "timit.map").write_text(f"sil h#\n{table}")
    text = TRAIN.replace('"aligned"', '"timit"\nsource.phone_map = "timit.map"')
    (made / "timit.toml").write_text(text.replace('"acoustic"', '"by_timit"'))
    train_from_file(made / "timit.toml", last="tree")
    assert "train: 40 of 40 utterances have labels" in flat(capsys.readouterr().err)
    tree, transitions = read_tree(made / "by_timit" / "work" / "tree")
    assert transitions.phones.base_phones == ("AA", "IY", "M", "S", "SH", "UW")
    assert all(node.position != CENTRE for node in tree.nodes if isinstance(node, Split))


def test_realignment_and_training_on_from_there(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    babble.LEXICON.write(made / "lexicon.txt")
    text = TRAIN.replace('"aligned"', '"whole"').replace('"acoustic"', '"again"')
    text = 'lexicon = "lexicon.txt"\n' + text.replace(
        "[acoustic.tree]", "[acoustic]\nrealign = 2\n[acoustic.tree]"
    )
    text += REALIGN
    (made / "realign.toml").write_text(text)
    train_from_file(made / "realign.toml")
    said = flat(capsys.readouterr().err)
    assert "train: 40 of 40 utterances aligned" in said
    work = made / "again" / "work"
    assert sorted(path.name for path in work.iterdir()) == [
        "features", "model", "network", "network_1", "network_2", "realign_1", "realign_2", "tree",
    ]  # fmt: skip
    for name in ("realign_1", "realign_2"):
        assert len(read_paths(work / name / "train.safetensors")) == 40
    first = read_network(work / "network_1" / NETWORK_FILE).metadata["training"]["held_out"]
    last = read_network(made / "again" / NETWORK_FILE).metadata["training"]["held_out"]
    # The network's own alignment is easier for it to predict than segments cut evenly.
    assert last["accuracy"] > first["accuracy"]
    train_from_file(made / "realign.toml")
    assert "network: done before" in flat(capsys.readouterr().err)
