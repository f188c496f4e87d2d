"""What a model directory says of a network that was trained with CTC on characters."""

from __future__ import annotations

from dataclasses import replace

from recognizer.am.nnet.options import NetworkOptions
from recognizer.data.errors import SpeechError
from recognizer.data.text.characters import CharacterSet
from recognizer.model.config import ModelConfig


def ctc_config(
    config: ModelConfig, network: NetworkOptions, characters: CharacterSet
) -> ModelConfig:
    """A configuration with the kind, delay and subsampling of a network that spells.

    Args:
        config: of the model; what it says of these is replaced.
        network: in one direction, its outputs the blank and the characters.
        characters: of the network.

    Raises:
        UsageError: native inference cannot run the network.
        SpeechError: it has another number of outputs.
    """
    network.check_native()
    if network.outputs != characters.num_outputs:
        raise SpeechError(
            f"network: expected {characters.num_outputs} outputs, the blank and "
            f"{len(characters.characters)} characters, found {network.outputs}"
        )
    acoustic = replace(
        config.acoustic,
        kind="ctc",
        priors="none",
        output_delay=network.output_delay,
        subsampling=network.subsampling,
    )
    return replace(config, acoustic=acoustic)
