"""Model directories: whole ones are read as written, wrong ones named by file and field."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import toy
from recognizer.am.nnet.network_file import Network, read_network, write_network
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.nnet.priors import DISABLED_LOG_PRIOR
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.options import read_toml
from recognizer.decoding.graph.mapped_graph import MappedGraph
from recognizer.decoding.search.on_the_fly import OnTheFlyDecoder
from recognizer.lm.arpa.files import write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.automaton.ngrams import ngram_model
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.config import ErrorRates, FirstPassOptions, LatticeOptions, TrainingData
from recognizer.model.files import (
    ACOUSTIC,
    CONFIG,
    FIRST_PASS,
    HCL,
    HCLG,
    LEXICON,
    PHONES,
    RESCORING,
    RESCORING_ARPA,
    TRANSITIONS,
    TREE,
)
from recognizer.recognizer import Recognizer


@pytest.fixture
def model(toy_model: Path, tmp_path: Path) -> Path:
    """A copy of the toy model to be spoilt."""
    return Path(shutil.copytree(toy_model, tmp_path / "model"))


def test_a_whole_model_passes_the_check_and_has_all_parts(any_toy_model):
    bundle = ModelBundle(any_toy_model)
    bundle.check()
    assert bundle.config.name == "whistled"
    common = {ACOUSTIC, TREE, PHONES, TRANSITIONS, LEXICON, FIRST_PASS, RESCORING}
    static = bundle.config.first_pass.search == "static"
    assert set(bundle.config.files) == common | {HCLG if static else HCL}
    assert isinstance(bundle.decoder(), OnTheFlyDecoder) != static
    assert set(bundle.lexicon.words) == set(toy.WORDS)
    assert bundle.tree.num_pdfs == bundle.transitions.num_pdfs == bundle.network.options.outputs
    assert bundle.graph is bundle.graph
    assert "write" in bundle.rescoring_lm
    assert bundle.acoustic_model.num_outputs == bundle.tree.num_pdfs


def test_the_configuration_is_read_as_it_was_written(model):
    config = dataclasses.replace(
        ModelBundle(model).config,
        training_data=(TrainingData("some speech", "CC-BY-4.0", hours=5.3, words=52766),),
        results=(ErrorRates("dev", 118, 3580, 20.5, 18.25, 17.0, 19.5),),
        record={"optimiser": "adam", "epochs": 12, "rates": [0.1, 0.2]},
    )
    assert write_config(model, config).config == config
    assert ModelBundle(model).config == config


def spoil(model: Path, pattern: str, replacement: str) -> None:
    path = model / CONFIG
    text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.M)
    assert count == 1
    path.write_text(text)


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"^name = .*$", "nome = 'x'", "unknown key 'nome'"),
        (r"^name = .*\n", "", "the key 'name' is missing"),
        (r"^format_version = 2$", "format_version = 1", "format_version: expected 2, found 1"),
        (
            r"^kind = .*$",
            "kind = 'rnnt'\ntokens = 3",
            "acoustic: kind: expected 'hybrid' or 'ctc', .* 'rnnt'",
        ),
        (r"^kind = .*$", "kind = 3", "acoustic: kind: expected 'hybrid' or 'ctc', found 3"),
        (r"^subsampling = .*$", "subsampling = 1.5", "acoustic: subsampling: expected an integer"),
        (r"^num_bins = 40$", "num_bins = 'many'", "features: num_bins: expected an integer"),
        (r"^num_bins = 40$", "num_bins = -1", "features: .*num_bins"),
        (r"^beam = .*$", "beam = -1.0", "search: .*beam"),
        (r"^search = .*$", "search = 'slow'", "first_pass: search: expected 'on-the-fly' or 's"),
        (r"^search = .*$", "search = 'static'", "first_pass: backoff: expected 'epsilon'"),
        (r"^rescoring_beam = .*$", "rescoring_beam = -1.0", "lattice: rescoring_beam: expected"),
        (r"^rescoring_max_arcs = .*$", "rescoring_max_arcs = 0", "rescoring_max_arcs: expected"),
        (r"^confidence_scale = .*$", "confidence_scale = 0", "confidence_scale: expected"),
        (r"^lm_scale = .*$", "lm_scale = -1", "rescoring: lm_scale: expected a finite number >= 0"),
        (r"^size = .*\n", "", "size' is missing"),
        (r'^\[files."?tree.json"?\]$', "[files.'oak.json']", "files: the key 'tree.json'"),
        (r"^name = .*$", "name = ", r"not TOML: .*line"),
    ],
)
def test_a_wrong_model_toml_names_the_field(model, pattern, replacement, message):
    spoil(model, pattern, replacement)
    with pytest.raises(SpeechError, match=message) as error:
        ModelBundle(model)
    assert str(error.value).startswith(str(model / CONFIG))
    assert "\n" not in str(error.value)


def test_files_that_model_toml_does_not_know_are_no_part_of_it(model):
    spoil(model, r"\[files.\"?tree.json\"?\]", "[files.'x.json']\nsize=0\nsha256=''\n\\g<0>")
    with pytest.raises(SpeechError, match=r"unknown key 'x.json'"):
        ModelBundle(model)


def test_a_changed_byte_is_found_by_the_check(model):
    path = model / LEXICON
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    bundle = ModelBundle(model)
    with pytest.raises(SpeechError, match=f"{LEXICON}: sha256: expected"):
        bundle.check()


def test_a_network_of_another_tree_is_refused(model):
    old = read_network(model / ACOUSTIC)
    options = dataclasses.replace(old.options, outputs=7)
    write_network(random_network(options), model / ACOUSTIC)
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=rf"{ACOUSTIC}: outputs: expected .* found 7"):
        _ = ModelBundle(model).network


@pytest.mark.parametrize(
    ("field", "value"), [("output_delay", 5), ("input_dim", 13), ("log_priors", None)]
)
def test_a_network_that_contradicts_model_toml_is_refused(model, field, value):
    old = read_network(model / ACOUSTIC)
    changes = {} if value is None else {field: value}
    network = random_network(dataclasses.replace(old.options, **changes))
    if value is None:
        del network.tensors["log_priors"]
    write_network(network, model / ACOUSTIC)
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=rf"{ACOUSTIC}: {field}: expected"):
        _ = ModelBundle(model).network


def test_priors_of_another_source_are_refused(model):
    old = read_network(model / ACOUSTIC)
    metadata = {"priors": {"source": "posteriors"}}
    write_network(Network(old.options, old.tensors, metadata), model / ACOUSTIC)
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=f"{ACOUSTIC}: priors: expected labels, found posterior"):
        _ = ModelBundle(model).network
    acoustic = dataclasses.replace(toy.config().acoustic, priors="posteriors")
    write_config(model, dataclasses.replace(toy.config(), acoustic=acoustic))
    assert ModelBundle(model).network.metadata == metadata


@pytest.mark.parametrize(
    "shape",
    [
        NetworkShape(cells=20, projection=0, layers=2, peepholes=False, output_delay=0),
        NetworkShape(cells=20, projection=10, bidirectional=True),
        NetworkShape(kind="dnn", cells=30, projection=8, right_context=0),
    ],
    ids=["lstm", "blstmp", "dnn"],
)
def test_recognition_runs_networks_of_every_kind(model, shape):
    outputs = read_network(model / ACOUSTIC).options.outputs
    write_network(random_network(NetworkOptions.of(shape, outputs, 40)), model / ACOUSTIC)
    write_config(model, toy.config())
    samples = np.random.default_rng(1).normal(size=8000).astype(np.float32)
    result = Recognizer(model).recognize(samples, sample_rate=16000)
    assert result.duration == pytest.approx(0.5) and result.num_frames == 50


def random_network(options: NetworkOptions) -> Network:
    generator = np.random.default_rng(0)
    tensors = {
        name: generator.normal(size=shape).astype(np.float32)
        for name, shape in options.shapes().items()
    }
    tensors["log_priors"] = np.zeros(options.outputs, np.float32)
    return Network(options, tensors)


def test_a_directory_of_the_first_format_is_one_clear_line(model):
    path = model / CONFIG
    path.write_text(path.read_text().replace("format_version = 2", "format_version = 1"))
    (model / HCL).rename(model / "graph.safetensors.zst")
    with pytest.raises(SpeechError) as error:
        ModelBundle(model)
    assert str(error.value) == (
        f"{path}: format_version: expected 2, found 1: the model was made for another version of "
        "this program"
    )


def test_a_graph_of_other_transitions_is_refused(model):
    bundle = ModelBundle(model)
    pdfs = bundle.transitions.pdf.copy()
    pdfs[1:] = pdfs[1:][::-1]
    graph = bundle.graph.to_graph()
    MappedGraph.from_graph(graph, pdfs).save(model / HCL)
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=rf"{HCL}: expected the \d+ transition-ids of {TRANS}"):
        _ = ModelBundle(model).graph


TRANS = re.escape(TRANSITIONS)


@pytest.mark.parametrize("name", [HCL, FIRST_PASS, RESCORING])
def test_files_in_the_place_of_others_are_refused(model, name):
    """What `model.toml` records is right, but the content is another thing."""
    other = FIRST_PASS if name == HCL else HCL
    shutil.copyfile(model / other, model / name)
    write_config(model, toy.config())
    bundle = ModelBundle(model)
    with pytest.raises(SpeechError, match=f"{name}: expected a file of kind"):
        bundle.check()


@pytest.mark.parametrize("name", [HCL, FIRST_PASS, RESCORING])
def test_the_checksums_of_mapped_files_are_compared(model, name):
    """Also where the damage was there when the hashes were recorded."""
    content = bytearray((model / name).read_bytes())
    content[content.rindex(b"right")] ^= 3  # a letter of a word: the arrays still make sense
    (model / name).write_bytes(content)
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=f"{name}: .*: expected the CRC-32"):
        ModelBundle(model).check()


def test_a_compact_automaton_is_none_for_the_first_pass(model):
    shutil.copyfile(model / RESCORING, model / FIRST_PASS)
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=f"{FIRST_PASS}: layout: expected 'fast'"):
        _ = ModelBundle(model).first_pass_lm


@pytest.mark.parametrize("name", [FIRST_PASS, RESCORING])
def test_the_check_finds_a_language_model_that_lacks_a_word(model, tmp_path, name):
    text = toy.arpa(toy.SMALL.replace("\twrite", "\tride"), toy.PAIRS)
    toy.automaton(text, tmp_path / "lm.arpa").save(model / name)
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=rf"{name}: expected the word 'write'"):
        ModelBundle(model).check()


def test_an_arpa_file_may_be_the_large_model(model, command, whistled):
    large = NgramAutomaton.open(model / RESCORING)
    write_arpa(ngram_model(large), model / RESCORING_ARPA)
    with pytest.raises(SpeechError, match=f"expected one of {RESCORING} and .*, found both"):
        ModelBundle(model)
    (model / RESCORING).unlink()
    with pytest.raises(SpeechError, match=f"the key '{RESCORING_ARPA}' is missing.*model record"):
        ModelBundle(model)
    ran = command("recognizer", "model", "record", model)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert "write" in ModelBundle(model).rescoring_lm
    ran = command("recognize", whistled("now write"), "--model", model)
    assert (ran.code, ran.out) == (0, "now write\n")
    (model / RESCORING_ARPA).unlink()
    with pytest.raises(SpeechError, match=f"expected one of {RESCORING} and .*, found none"):
        ModelBundle(model)


def test_an_incomplete_directory_gets_no_model_toml(model):
    (model / HCL).unlink()
    (model / CONFIG).unlink()
    with pytest.raises(SpeechError, match=f"{HCL}: expected a file of the model"):
        write_config(model, toy.config())
    assert not (model / CONFIG).exists()


def test_impossible_kinds_of_first_pass():
    with pytest.raises(UsageError, match="backoff: expected 'epsilon'"):
        FirstPassOptions(search="static")
    with pytest.raises(UsageError, match="determinization_bytes: expected at least 1"):
        LatticeOptions(determinization_bytes=0)


def test_no_directory_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="expected a model directory, found nothing"):
        ModelBundle(tmp_path / "none")


def test_the_commands_show_and_check(command, toy_model, model, tmp_path):
    shown = command("recognizer", "model", "show", toy_model)
    assert (shown.code, shown.err) == (0, "")
    network = ModelBundle(toy_model).network
    enabled = network.log_priors < DISABLED_LOG_PRIOR
    pdfs = sorted(ModelBundle(toy_model).transitions.silence_pdfs)
    silence = np.exp(network.log_priors[pdfs][enabled[pdfs]]).sum()
    head = shown.out.splitlines()[:2]
    assert (
        f", {network.options.parameter_count():,} parameters, {len(enabled)} states every 10 ms"
        in head[0]
    )
    assert head[1] == f"# priors: {silence:.1%} silence, states disabled: {sum(~enabled)}"
    assert 0 < silence < 1
    (tmp_path / "shown.toml").write_text(shown.out)
    assert read_toml(tmp_path / "shown.toml")["name"] == "whistled"
    assert 'name = "whistled"' in shown.out
    assert 'priors = "labels"\n' in shown.out
    assert "silence_weight = " in shown.out
    for table in ("search", "first_pass", "lattice", f'files."{HCL}"', f'files."{RESCORING}"'):
        assert f"[{table}]" in shown.out
    good = command("recognizer", "model", "check", toy_model)
    assert good.code == 0
    assert "all parts are good" in good.out
    (model / LEXICON).unlink()
    bad = command("recognizer", "model", "check", model)
    assert (bad.code, bad.out) == (1, "")
    assert bad.err == f"recognizer: {model / LEXICON}: expected a file of the model, found none\n"


def test_the_static_variant_recognises_the_same(command, toy_model, tmp_path, whistled):
    made = command("recognizer", "model", "static", toy_model, "--output", tmp_path / "static")
    assert (made.code, made.err) == (0, "")
    assert made.out.startswith(f"{tmp_path / 'static'}: {HCLG}: ")
    bundle = ModelBundle(tmp_path / "static")
    bundle.check()
    assert bundle.config.first_pass == FirstPassOptions("static", "epsilon")
    assert HCL not in bundle.config.files
    path = whistled("go left now write stop")
    for model in (toy_model, tmp_path / "static"):
        assert command("recognize", path, "--model", model).out == "go left now write stop\n"
    again = command("recognizer", "model", "static", toy_model, "--output", tmp_path / "static")
    assert (again.code, again.out) == (2, "")
    assert "expected no model there, found one" in again.err
