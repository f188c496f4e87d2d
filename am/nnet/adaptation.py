"""Networks made of trained ones: with other outputs, deeper, or means of two."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from recognizer.am.nnet.network_file import Network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.data.errors import SpeechError, UsageError

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
    for field in fields(NetworkOptions):
        found, expected = (getattr(which, field.name) for which in (network.options, options))
        if field.name != "outputs" and found != expected:
            raise SpeechError(f"{at}: {field.name}: expected {expected}, found {found}")
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


def with_more_layers(
    network: Network,
    layers: int,
    *,
    initial_range: float = 0.02,
    forget_bias: float = 0.0,
    seed: int = 0,
) -> Network:
    """A trained LSTM(P) network with new layers between its own and its outputs.

    What is below has been learnt already, so that a deep network needs fewer passes than from
    random weights (layer-wise training; Seide et al. 2011, "Feature engineering in
    context-dependent deep neural networks", section 4).

    Args:
        network: trained; all its weights are kept.
        layers: how many to add, each of the size of the others.
        initial_range: weights of the new layers are uniform in (-range, range).
        forget_bias: their initial bias of forget gates; their other biases are 0.
        seed: of these weights.

    Raises:
        UsageError: fewer than one layer, or another kind of network.
    """
    old = network.options
    if old.kind != "lstm" or layers < 1:
        raise UsageError(
            f"expected one layer or more of an LSTM to add, found {layers} of {old.kind}"
        )
    options = replace(old, layers=old.depth + layers)
    random = np.random.default_rng(seed)
    tensors = dict(network.tensors)
    for name, shape in options.shapes().items():
        if name in tensors:
            continue
        if name.endswith(".bias"):
            tensors[name] = np.zeros(shape, np.float32)
            tensors[name][options.cells : 2 * options.cells] = forget_bias
        else:
            tensors[name] = random.uniform(-initial_range, initial_range, shape).astype(np.float32)
    return Network(options, tensors, network.metadata)


def mixed_networks(old: Network, new: Network, share: float) -> Network:
    """A network whose weights are means of those of two networks of the same shape.

    Wortsman et al. 2022, "Robust fine-tuning of zero-shot models": between a network and what
    further training made of it, there often lie better ones than both.

    Args:
        old: the network that the training of the new one started from.
        new: gives the priors and the metadata, but for accuracies, which were not the mean's.
        share: of the new one's weights.

    Raises:
        UsageError: the shapes differ.
    """
    if old.options != new.options:
        raise UsageError(f"expected networks of one shape, found {old.options} and {new.options}")
    tensors = {
        name: ((1 - share) * old.tensors[name] + share * tensor).astype(np.float32)
        for name, tensor in new.tensors.items()
        if name != "log_priors"
    }
    record = new.metadata.get("training", {})
    training = {name: value for name, value in record.items() if name != "held_out"}
    metadata = {**new.metadata, "training": training, "share": share}
    return Network(new.options, {**tensors, "log_priors": new.log_priors}, metadata)
