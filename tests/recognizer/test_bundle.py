"""Model directories: whole ones are read as written, wrong ones named by file and field."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import toy
from am.network_file import LstmpOptions, Network, read_network, write_network
from data.errors import SpeechError, UsageError
from lm.arpa import read_arpa
from recognizer.bundle import (
    ACOUSTIC,
    CONFIG,
    FILES,
    FIRST_PASS,
    GRAPH,
    LEXICON,
    Measurement,
    ModelBundle,
    TrainingData,
    write_config,
)


@pytest.fixture
def model(toy_model: Path, tmp_path: Path) -> Path:
    """A copy of the toy model to be spoilt."""
    return Path(shutil.copytree(toy_model, tmp_path / "model"))


def test_a_whole_model_passes_the_check_and_has_all_parts(toy_model):
    bundle = ModelBundle(toy_model)
    bundle.check()
    assert bundle.config.name == "whistled"
    assert set(bundle.config.files) == set(FILES)
    assert set(bundle.lexicon.words) == set(toy.WORDS)
    assert bundle.tree.num_pdfs == bundle.transitions.num_pdfs == bundle.network.options.outputs
    assert bundle.graph is bundle.graph
    assert "write" in bundle.rescoring_lm
    assert bundle.acoustic_model.num_pdfs == bundle.tree.num_pdfs


def test_the_configuration_is_read_as_it_was_written(model):
    config = dataclasses.replace(
        ModelBundle(model).config,
        training_data=(TrainingData("some speech", "CC-BY-4.0", hours=5.3, words=52766),),
        results=(Measurement("dev", 118, 3580, 20.5, 18.25, 17.0, 19.5),),
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
        (r"^format_version = 1$", "format_version = 2", "format_version: expected 1, found 2"),
        (r"^num_bins = 40$", "num_bins = 'many'", "features: num_bins: expected an integer"),
        (r"^num_bins = 40$", "num_bins = -1", "features: .*num_bins"),
        (r"^beam = .*$", "beam = -1.0", "search: .*beam"),
        (r"^lm_scale = .*$", "lm_scale = 0", "rescoring: lm_scale: expected a number above 0"),
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


def random_network(options: LstmpOptions) -> Network:
    generator = np.random.default_rng(0)
    tensors = {
        name: generator.normal(size=shape).astype(np.float32)
        for name, shape in options.shapes().items()
    }
    tensors["log_priors"] = np.zeros(options.outputs, np.float32)
    return Network(options, tensors)


def test_a_graph_of_other_transitions_is_refused(model):
    graph = ModelBundle(model).graph
    ilabels = graph.ilabels.copy()
    ilabels[np.argmax(ilabels)] = 10_000
    dataclasses.replace(graph, ilabels=ilabels).save(model / GRAPH)
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=rf"{GRAPH}: ilabels: expected .* found 10000"):
        _ = ModelBundle(model).graph


def test_the_check_finds_a_language_model_that_lacks_a_word(model):
    text = toy.arpa(toy.SMALL.replace("\twrite", "\tride"), toy.PAIRS)
    toy.write_arpa_gz(model / FIRST_PASS, text)
    assert "ride" in read_arpa(model / FIRST_PASS).vocabulary
    write_config(model, toy.config())
    with pytest.raises(SpeechError, match=rf"{FIRST_PASS}: expected the word 'write'"):
        ModelBundle(model).check()


def test_an_incomplete_directory_gets_no_model_toml(model):
    (model / GRAPH).unlink()
    (model / CONFIG).unlink()
    with pytest.raises(SpeechError, match=f"{GRAPH}: expected a file of the model"):
        write_config(model, toy.config())
    assert not (model / CONFIG).exists()


def test_no_directory_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="expected a model directory, found nothing"):
        ModelBundle(tmp_path / "none")


def test_the_commands_show_and_check(command, toy_model, model):
    shown = command("recognizer", "model", "show", toy_model)
    assert (shown.code, shown.err) == (0, "")
    assert 'name = "whistled"' in shown.out
    assert "[search]" in shown.out
    good = command("recognizer", "model", "check", toy_model)
    assert good.code == 0
    assert "all parts are good" in good.out
    (model / LEXICON).unlink()
    bad = command("recognizer", "model", "check", model)
    assert (bad.code, bad.out) == (1, "")
    assert bad.err == f"recognizer: {model / LEXICON}: expected a file of the model, found none\n"
