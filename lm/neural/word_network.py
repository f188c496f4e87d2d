"""A neural language model over words as torch trains it."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recognizer.lm.neural.ntm import NeuralTuringMachine, NtmState
from recognizer.lm.neural.word_options import WordNetworkOptions

State = tuple[Tensor, ...]
"""Of B streams; an LSTM's tensors have them in dimension 1, an NTM's in dimension 0."""


class AdaptiveSoftmax(nn.Module):
    """The output layer of `WordNetworkOptions`, and its words' vectors for a tied input.

    torch's own has no vectors to tie, and wants clusters in the smallest vocabulary.

    Args:
        options: the model's shape.
        words: of the vocabulary.
    """

    def __init__(self, options: WordNetworkOptions, words: int) -> None:
        super().__init__()
        self.clusters = options.clusters(words)
        self.shortlist = options.shortlist(words)
        self.head = nn.Linear(options.width, self.shortlist + len(self.clusters))
        self.tails = nn.ModuleList(
            nn.ModuleList(
                (
                    nn.Linear(options.width, cluster.dimension, bias=False),
                    nn.Linear(cluster.dimension, cluster.size, bias=False),
                )
            )
            for cluster in self.clusters
        )

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Log probabilities [N] of targets [N] after outputs [N, W] of the core; natural log."""
        # Sums of exponentials want float32, whatever the products were computed in.
        head = torch.log_softmax(self.head(outputs).float(), dim=1)
        column = targets
        parts = []
        for number, cluster in enumerate(self.clusters):
            projection, rare_words = self._tail(number)
            inside = (targets >= cluster.first) & (targets < cluster.first + cluster.size)
            column = torch.where(inside, self.shortlist + number, column)
            rows = inside.nonzero().squeeze(1)
            # Gradients reach all parameters, if only as zeros, whatever words a chunk has.
            found = torch.log_softmax(rare_words(projection(outputs[rows])).float(), dim=1)
            parts.append((rows, found.gather(1, (targets[rows] - cluster.first)[:, None])[:, 0]))
        log_probs = head.gather(1, column[:, None])[:, 0]
        for rows, found in parts:
            log_probs = log_probs.index_add(0, rows, found)
        return log_probs

    def vectors(self, words: Tensor) -> Tensor:
        """The output vectors [N, W] of words [N]; those of clusters as the core would see them."""
        found = functional.embedding(words.clamp(max=self.shortlist - 1), self.head.weight)
        for number, cluster in enumerate(self.clusters):
            projection, rare_words = self._tail(number)
            inside = (words >= cluster.first) & (words < cluster.first + cluster.size)
            rows = inside.nonzero().squeeze(1)
            inner = functional.embedding(words[rows] - cluster.first, rare_words.weight)
            found = found.index_copy(0, rows, inner @ projection.weight)
        return found

    def _tail(self, number: int) -> tuple[nn.Linear, nn.Linear]:
        """The projection of a cluster, and the outputs of its words."""
        tail = self.tails[number]
        assert isinstance(tail, nn.ModuleList)
        projection, rare_words = tail
        assert isinstance(projection, nn.Linear)
        assert isinstance(rare_words, nn.Linear)
        return projection, rare_words


class RecurrentWordNetwork(nn.Module):
    """Reads words and gives the log probabilities of the next ones.

    Args:
        options: its shape.
        words: of the vocabulary.
        dropout: probability of leaving out an element of the core's inputs and outputs in training.
    """

    def __init__(self, options: WordNetworkOptions, words: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.options = options
        self.softmax = AdaptiveSoftmax(options, words)
        # Its gradient is sparse, because a chunk has few of the words.
        self.embedding = None if options.tied else nn.Embedding(words, options.width, sparse=True)
        self.dropout = nn.Dropout(dropout)
        self.core: nn.Module
        if options.core == "ntm":
            self.core = NeuralTuringMachine(options.ntm)
        else:
            projection = options.width if options.units != options.width else 0
            self.core = nn.LSTM(options.width, options.units, options.layers, proj_size=projection)

    def blank(self, streams: int) -> State:
        """The state of streams before anything was read."""
        if isinstance(self.core, NeuralTuringMachine):
            return tuple(self.core.initial_state(streams))
        options, weight = self.options, self.softmax.head.weight
        sizes = (options.width, options.units)
        return tuple(weight.new_zeros(options.layers, streams, size) for size in sizes)

    def outputs(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """The core's outputs [T, B, W] for words [T, B], and the state after them."""
        if self.embedding is None:
            vectors = self.softmax.vectors(inputs.flatten()) * math.sqrt(self.options.width)
        else:
            vectors = self.embedding(inputs.flatten())
        vectors = self.dropout(vectors.view(*inputs.shape, -1))
        after: State
        if isinstance(self.core, NeuralTuringMachine):
            # The memory's kernel knows float32 and float64.
            with torch.autocast(vectors.device.type, enabled=False):
                found, after = self.core(vectors.float(), NtmState(*state))
        else:
            with warnings.catch_warnings():
                # On the CPU torch says once that it has no faster code for projections.
                warnings.filterwarnings("ignore", message="LSTM with projections")
                found, after = self.core(vectors, state)
        return self.dropout(found), tuple(after)

    def arrays(self) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """The weights as the model's file has them."""
        return {
            name: value.detach().float().cpu().numpy() for name, value in self.named_parameters()
        }
