"""Makes torch networks of any kind from their options or their files."""

from __future__ import annotations

from typing import Any

from am.blstm import BlstmNetwork
from am.dnn import DnnNetwork
from am.lstmp import LstmpNetwork
from am.network_file import Network
from am.network_module import NetworkModule
from am.network_options import NetworkOptions


def make_network(options: NetworkOptions, **arguments: Any) -> NetworkModule:
    """A network of the kind that the options ask for, with initial weights.

    Args:
        options: shape.
        arguments: see `am.network_module.NetworkModule`.
    """
    if options.kind == "dnn":
        return DnnNetwork(options, **arguments)
    if options.bidirectional:
        return BlstmNetwork(options, **arguments)
    return LstmpNetwork(options, **arguments)


def from_network(network: Network, **arguments: Any) -> NetworkModule:
    """Torch network with the weights of a file (without its log priors)."""
    model = make_network(network.options, **arguments)
    model.load_tensors(network.tensors)
    return model
