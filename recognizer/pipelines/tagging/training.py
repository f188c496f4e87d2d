"""Trains a tagger; an interrupted training goes on to the same bits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

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
from recognizer.data.text.tags import TaggedWord
from recognizer.lm.tagging.network import TaggerNetwork
from recognizer.lm.tagging.options import TaggerOptions
from recognizer.lm.tagging.tag_scores import CLASSES, TagScores
from recognizer.lm.tagging.tagger import Tagger
from recognizer.lm.tagging.tagger_file import TaggerFile, rounded, write_tagger
from recognizer.pipelines.tagging.options import TaggerTrainingOptions
from recognizer.pipelines.tagging.tagged_text import TaggedText


@dataclass
class TaggerProgress:
    """How far a training has come.

    Attributes:
        batches: that are done.
        words: read in all.
        tested: words after which the held-out text was tested last.
    """

    batches: int = 0
    words: int = 0
    tested: int = 0


class TaggerTraining:
    """One training, with its checkpoint.

    Args:
        shape: of the tagger.
        options: of the training.
        text: to train on.
        held_out: sentences of running text to test on.
        output: the tagger's file, written after every test.
        checkpoint: written at every test and when the training is interrupted; if it exists, the
            training goes on from there.
        device: "cpu", or what torch calls it.
        told: is given each test's words read, scores, and the training's mean cost of a word since
            the test before.

    Raises:
        SpeechError: the checkpoint is damaged or of another training, or torch has no such device.
    """

    def __init__(
        self,
        shape: TaggerOptions,
        options: TaggerTrainingOptions,
        text: TaggedText,
        held_out: Sequence[Sequence[TaggedWord]],
        output: Path,
        checkpoint: Path,
        device: str = "cpu",
        told: Callable[[int, TagScores, float], None] = lambda words, scores, cost: None,
    ) -> None:
        self._shape, self._options, self._text = shape, options, text
        self._held_out = [word for sentence in held_out for word in sentence]
        self._output, self._checkpoint, self._told = output, checkpoint, told
        self._device = named_device(device)
        torch.manual_seed(options.seed)
        vocabulary = text.vocabulary
        self.network = TaggerNetwork(
            shape, len(vocabulary.words), len(vocabulary.endings), options.dropout
        ).to(self._device)
        named = list(self.network.named_parameters())
        self._names = [name for name, _ in named]
        self._average = {name: value.detach().clone() for name, value in named}
        self._optimizer = torch.optim.Adam([value for _, value in named], lr=1.0)
        self.progress = TaggerProgress()
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
            advance: is told after each batch how many words were read.

        Raises:
            SpeechError: the cost is no number any more, or the training was interrupted; the same
                training goes on after that.
        """
        options, progress = self._options, self.progress
        with Interrupt() as interrupt, fast_arithmetic(options.threads):
            while progress.words < options.words:
                advance(self._learn())
                since = progress.words - progress.tested
                if progress.words >= options.words or since >= options.evaluate_every:
                    self._test()
                elif interrupt.signal is not None:
                    self._save()
                if interrupt.signal is not None and progress.words < options.words:
                    raise SpeechError(
                        f"interrupted after {progress.words} words; the same command goes on"
                    )

    def _learn(self) -> int:
        """One update; gives the number of words that were read."""
        options, progress = self._options, self.progress
        batch = self._text.batch(
            options.batch_words,
            options.min_length,
            options.max_length,
            [options.seed, progress.batches],
        )
        self.network.train()
        loss = self.network.loss(*(torch.from_numpy(one).to(self._device) for one in batch))
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.clip)
        for group in self._optimizer.param_groups:
            group["lr"] = options.learning_rate * max(0.0, 1.0 - progress.words / options.words)
        self._optimizer.step()
        kept = min(options.averaging, (1 + progress.batches) / (10 + progress.batches))
        for name, value in self.network.named_parameters():
            self._average[name].lerp_(value.detach(), 1 - kept)
        words = batch.word_ids.size
        self._loss += loss.item() * words
        self._events += words
        progress.batches += 1
        progress.words += words
        return words

    def _test(self) -> None:
        progress = self.progress
        cost = self._loss / self._events
        if not cost < float("inf"):
            raise SpeechError(f"the training diverges: its cost is {cost} nats a word")
        model = TaggerFile(
            self._shape,
            self._text.vocabulary,
            {name: value.cpu().numpy().copy() for name, value in self._average.items()},
        )
        scores = TagScores()
        found = Tagger(rounded(model)).tag([one.word for one in self._held_out])
        scores.add(self._held_out, found)
        progress.tested = progress.words
        record = {
            "training": to_table(self._options),
            "text_words": len(self._text.word_ids),
            "words": progress.words,
            "held_out_words": scores.words,
            "f1": {name: round(scores.score(name).f1, 4) for name in CLASSES},
        }
        write_tagger(replace(model, record=record), self._output)
        self._loss, self._events = 0.0, 0
        self._save()
        self._told(progress.words, scores, cost)

    def _save(self) -> None:
        write_checkpoint(
            self._checkpoint,
            {
                **{f"network.{name}": value for name, value in self.network.named_parameters()},
                **{f"average.{name}": value for name, value in self._average.items()},
                **optimizer_tensors(self._optimizer, self._names),
                "random": torch.get_rng_state(),
            },
            {
                "settings": self._settings(),
                "loss": self._loss,
                "events": self._events,
                **vars(self.progress),
            },
        )

    def _settings(self) -> dict[str, Any]:
        """What a checkpoint must have been made with, as JSON has it."""
        table = {**to_table(self._shape), **to_table(self._options), "text": self._text.digest}
        table.pop("threads")  # does not change what is learned
        found: dict[str, Any] = json.loads(json.dumps(table))
        return found

    @torch.no_grad()
    def _resume(self) -> None:
        path = self._checkpoint
        tensors, progress = read_checkpoint(path)
        check_settings(self._settings(), progress, path)
        for name, value in self.network.named_parameters():
            value.copy_(take(tensors, f"network.{name}", value, path))
            average = self._average[name]
            average.copy_(take(tensors, f"average.{name}", average, path))
        restore_optimizer(self._optimizer, self._names, tensors)
        torch.set_rng_state(tensors["random"])
        self._loss, self._events = progress["loss"], progress["events"]
        self.progress = TaggerProgress(**{name: progress[name] for name in vars(self.progress)})
