"""A network to start training from: the hidden layers of a trained one below a new output layer."""

from __future__ import annotations

import numpy as np

from am.network_file import Network
from am.network_options import NetworkOptions
from data.errors import SpeechError

_OUTPUT = "output."


def with_new_outputs(
    network: Network,
    options: NetworkOptions,
    *,
    initial_range: float = 0.02,
    seed: int = 0,
    at: str = "network",
) -> Network:
    """The hidden layers of a network below outputs for other states.

    What a network has learnt about speech serves another tree of states, such as that of other
    phones, of a domain or of a related language: training then takes a few passes.

    Args:
        network: trained, of any number of outputs.
        options: shape of the new one; all but the number of outputs must agree.
        initial_range: weights of the new output layer are uniform in (-range, range), its biases 0.
        seed: of these weights.
        at: what errors name, such as the network's file.

    Raises:
        SpeechError: the hidden layers have another shape; names what differs.
    """
    given, wanted = network.options.to_table(), options.to_table()
    for name in {**wanted, **given}:
        found, expected = given.get(name, "none"), wanted.get(name, "none")
        if name != "outputs" and found != expected:
            raise SpeechError(f"{at}: {name}: expected {expected}, found {found}")
    random = np.random.default_rng(seed)
    tensors = {}
    for name, shape in options.shapes().items():
        if not name.startswith(_OUTPUT):
            tensors[name] = network.tensors[name]
        elif len(shape) == 1:
            tensors[name] = np.zeros(shape, np.float32)
        else:
            tensors[name] = random.uniform(-initial_range, initial_range, shape).astype(np.float32)
    return Network(options, tensors)
