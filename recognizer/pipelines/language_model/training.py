"""Trains a neural language model; an interrupted training goes on to the same bits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recognizer.am.training.engine.checkpoint import (
    check_settings,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    take,
    write_checkpoint,
)
from recognizer.am.training.engine.runtime import Interrupt, fast_arithmetic, named_device
from recognizer.data.errors import SpeechError
from recognizer.data.io.options import to_table
from recognizer.lm.neural.word_file import WordNetworkFile, write_word_network
from recognizer.lm.neural.word_model import NeuralLanguageModel
from recognizer.lm.neural.word_network import RecurrentWordNetwork, State
from recognizer.lm.neural.word_options import WordNetworkOptions
from recognizer.lm.neural.word_perplexity import neural_perplexity
from recognizer.pipelines.language_model.options import WordTrainingOptions
from recognizer.pipelines.language_model.word_text import IGNORED, WordChunk, WordText

_DIVERGED = 100.0
"""A mean cost of a word, in nats, that no model of any vocabulary begins with."""


@dataclass
class WordTrainingProgress:
    """How far a training has come.

    Attributes:
        epoch: pass through the text, from 0.
        chunks: of this pass that are done.
        words: read in all.
        tested: words after which the held-out text was tested last.
        perplexities: of the tests, unknown words left out.
        best: index of the lowest of them; the model's file is of its weights.
    """

    epoch: int = 0
    chunks: int = 0
    words: int = 0
    tested: int = 0
    perplexities: tuple[float, ...] = ()
    best: int = 0

    def done(self, options: WordTrainingOptions) -> bool:
        """Whether all words are read, or too many tests were no better."""
        late = len(self.perplexities) - 1 - self.best >= options.patience
        return late or (self.words >= options.words and self.tested == self.words)


class WordTraining:
    """One training, with its checkpoint.

    Args:
        shape: of the model.
        options: of the training.
        text: to train on.
        held_out: sentences to test on.
        output: the model's file, written after every test that was the best so far.
        checkpoint: written at every test and when the training is interrupted; if it exists, the
            training goes on from there.
        device: "cpu", or what torch calls it.
        told: is given each test's words read, perplexity and the training's mean perplexity since
            the test before.

    Raises:
        SpeechError: the checkpoint is damaged or of another training, or torch has no such device.
    """

    def __init__(
        self,
        shape: WordNetworkOptions,
        options: WordTrainingOptions,
        text: WordText,
        held_out: Sequence[str],
        output: Path,
        checkpoint: Path,
        device: str = "cpu",
        told: Callable[[int, float, float], None] = lambda words, test, training: None,
    ) -> None:
        self._shape, self._options, self._text = shape, options, text
        self._held_out, self._output, self._checkpoint = held_out, output, checkpoint
        self._told = told
        self._device = named_device(device)
        torch.manual_seed(options.seed)
        self.network = RecurrentWordNetwork(shape, len(text.words), options.dropout).to(
            self._device
        )
        dense: list[tuple[str, Tensor]] = []
        sparse: list[tuple[str, Tensor]] = []
        for name, value in self.network.named_parameters():
            (sparse if name == "embedding.weight" else dense).append((name, value))
        groups = [(torch.optim.Adam, dense), (torch.optim.SparseAdam, sparse)]
        self._optimizers = [
            (kind([value for _, value in named], lr=1.0), [name for name, _ in named])
            for kind, named in groups
            if named
        ]
        self._dense = [value for _, value in dense]
        self.progress = WordTrainingProgress()
        self._state: State = ()
        self._loss, self._events = 0.0, 0  # since the last test
        if checkpoint.exists():
            self._resume()

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(value.numel() for value in self.network.parameters())

    def train(self, advance: Callable[[int], None] = lambda words: None) -> None:
        """Train until the end, from where the checkpoint is.

        Args:
            advance: is told after each chunk how many words were read.

        Raises:
            SpeechError: the cost is no number any more, or the training was interrupted; the same
                training goes on after that.
        """
        options, progress = self._options, self.progress
        with Interrupt() as interrupt, fast_arithmetic(options.threads):
            while not progress.done(options):
                for chunk in self._rest_of_epoch():
                    advance(self._learn(chunk))
                    planned = progress.words >= options.words
                    if planned or progress.words - progress.tested >= options.evaluate_every:
                        self._test()
                        if progress.done(options):
                            return
                    if interrupt.signal is not None:
                        self._save()
                        raise SpeechError(
                            f"interrupted after {progress.words} words; the same command goes on"
                        )
                progress.epoch, progress.chunks, self._state = progress.epoch + 1, 0, ()

    def _rest_of_epoch(self) -> Iterator[WordChunk]:
        options = self._options
        if options.carry:
            chunks = self._text.carried_chunks(options.streams, options.steps)
        else:
            random = np.random.default_rng([options.seed, self.progress.epoch])
            chunks = self._text.chunks(options.streams, options.steps, random)
        return islice(chunks, self.progress.chunks, None)

    def _learn(self, chunk: WordChunk) -> int:
        """One update; gives the number of words that were read."""
        options, progress, network = self._options, self.progress, self.network
        if chunk.fresh:
            self._state = network.blank(chunk.inputs.shape[1])
        inputs, targets = (
            torch.from_numpy(table).to(self._device) for table in (chunk.inputs, chunk.targets)
        )
        kept = targets != IGNORED
        with torch.autocast(
            self._device.type, torch.bfloat16, enabled=options.precision == "bfloat16"
        ):
            outputs, state = network.outputs(inputs, self._state)
            log_probs = network.softmax(outputs[kept], targets[kept])
        self._state = tuple(tensor.detach().float() for tensor in state)
        events = len(log_probs)
        loss = -log_probs.mean()
        for optimizer, _ in self._optimizers:
            optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._dense, options.clip)
        rate = options.learning_rate * max(0.0, 1.0 - progress.words / options.words)
        for optimizer, _ in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self._loss += loss.item() * events
        self._events += events
        progress.chunks += 1
        progress.words += events
        return events

    def _test(self) -> None:
        progress = self.progress
        training = self._loss / self._events
        if not training < _DIVERGED:
            raise SpeechError(f"the training diverges: its cost is {training} nats a word")
        model = WordNetworkFile(self._shape, self._text.words, self.network.arrays())
        found = neural_perplexity(
            NeuralLanguageModel(model), self._held_out, carry=self._options.carry
        )
        progress.perplexities = (*progress.perplexities, found.perplexity)
        progress.tested = progress.words
        if found.perplexity <= progress.perplexities[progress.best]:
            progress.best = len(progress.perplexities) - 1
            record = {
                "training": to_table(self._options),
                "text_words": len(self._text.ids),
                "words": progress.words,
                "perplexities": list(progress.perplexities),
            }
            write_word_network(replace(model, record=record), self._output)
        self._loss, self._events = 0.0, 0
        self._save()
        self._told(progress.words, found.perplexity, math.exp(training))

    def _save(self) -> None:
        write_checkpoint(
            self._checkpoint,
            {
                **{f"network.{name}": value for name, value in self.network.named_parameters()},
                **{f"state.{n}": value.clone() for n, value in enumerate(self._state)},
                **{
                    # SparseAdam counts its steps in a plain number.
                    name: torch.as_tensor(value)
                    for optimizer, names in self._optimizers
                    for name, value in optimizer_tensors(optimizer, names).items()
                },
                "random": torch.get_rng_state(),
            },
            {
                "settings": self._settings(),
                "loss": self._loss,
                "events": self._events,
                "states": len(self._state),
                **vars(self.progress),
            },
        )

    def _settings(self) -> dict[str, Any]:
        """What a checkpoint must have been made with, as JSON has it."""
        table = {**to_table(self._shape), **to_table(self._options), "text": self._text.digest}
        # Neither changes what is learned.
        for name in ("threads", "patience"):
            table.pop(name)
        found: dict[str, Any] = json.loads(json.dumps(table))
        return found

    @torch.no_grad()
    def _resume(self) -> None:
        path = self._checkpoint
        tensors, progress = read_checkpoint(path)
        check_settings(self._settings(), progress, path)
        for name, value in self.network.named_parameters():
            value.copy_(take(tensors, f"network.{name}", value, path))
        for optimizer, names in self._optimizers:
            restore_optimizer(optimizer, names, tensors)
            if isinstance(optimizer, torch.optim.SparseAdam):
                for state in optimizer.state.values():
                    state["step"] = int(state["step"])
        self._state = tuple(
            tensors[f"state.{number}"].to(self._device) for number in range(progress["states"])
        )
        torch.set_rng_state(tensors["random"])
        self._loss, self._events = progress["loss"], progress["events"]
        values = {name: progress[name] for name in vars(self.progress)}
        self.progress = WordTrainingProgress(**values)
        self.progress.perplexities = tuple(self.progress.perplexities)
