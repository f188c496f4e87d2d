"""Makes the model directory of a network that was trained with CTC on characters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recognizer.am.nnet.acoustic_model import CtcModel
from recognizer.am.nnet.network_file import Network, write_network
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.text.characters import CharacterSet
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.config import ModelConfig
from recognizer.model.files import (
    ACOUSTIC,
    CHARACTERS,
    CONFIG,
    FIRST_PASS,
    RESCORING,
    graph_file,
)
from recognizer.model.first_pass_graph import spelling_graph


def write_ctc_model(
    directory: str | Path,
    network: Network,
    characters: CharacterSet,
    first_pass: NgramAutomaton,
    rescoring: NgramAutomaton,
    config: ModelConfig,
) -> ModelBundle:
    """Builds the graph and writes all files.

    Args:
        directory: of the model; it is made if it is not there.
        network: in one direction, its outputs the blank and the characters.
        characters: of the network.
        first_pass: language model of the first pass, of words, or of characters as words.
        rescoring: the large language model.
        config: of the model. What it says of the network's kind, delay and subsampling is replaced
            by what the network is.

    Raises:
        UsageError: there is a model already, or native inference cannot run the network.
        SpeechError: the parts do not go together, or a file cannot be written.
    """
    directory, options = Path(directory), network.options
    if (directory / CONFIG).exists():
        raise UsageError(f"{directory}: expected no model there, found one")
    options.check_native()
    if options.outputs != characters.num_outputs:
        raise SpeechError(
            f"network: expected {characters.num_outputs} outputs, the blank and "
            f"{len(characters.characters)} characters, found {options.outputs}"
        )
    acoustic = replace(
        config.acoustic,
        kind="ctc",
        priors="none",
        output_delay=options.output_delay,
        subsampling=options.subsampling,
    )
    graph = spelling_graph(characters, first_pass, config.first_pass)
    directory.mkdir(parents=True, exist_ok=True)
    write_network(network, directory / ACOUSTIC)
    characters.write(directory / CHARACTERS)
    graph.save(directory / graph_file(config.first_pass, CtcModel.kind))
    first_pass.save(directory / FIRST_PASS)
    rescoring.compact().save(directory / RESCORING)
    return write_config(directory, replace(config, acoustic=acoustic))
