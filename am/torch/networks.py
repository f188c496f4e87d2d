"""Makes torch networks of any kind from their options or their files."""

from __future__ import annotations

from typing import Any

from recognizer.am.nnet.network_file import Network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.torch.blstm import BlstmNetwork
from recognizer.am.torch.dnn import DnnNetwork
from recognizer.am.torch.layered import LayeredNetwork
from recognizer.am.torch.lstmp import LstmpNetwork
from recognizer.am.torch.network_module import NetworkModule


def make_network(options: NetworkOptions, **arguments: Any) -> NetworkModule:
    """A network of the kind that the options ask for, with initial weights.

    Args:
        options: shape.
        arguments: see `recognizer.am.torch.network_module.NetworkModule`.
    """
    if options.kind == "dnn":
        return DnnNetwork(options, **arguments)
    if options.kind == "layered":
        return LayeredNetwork(options, **arguments)
    if options.bidirectional:
        return BlstmNetwork(options, **arguments)
    return LstmpNetwork(options, **arguments)


def from_network(network: Network, **arguments: Any) -> NetworkModule:
    """Torch network with the weights of a file (without its log priors)."""
    model = make_network(network.options, **arguments)
    model.load_tensors(network.tensors)
    return model
