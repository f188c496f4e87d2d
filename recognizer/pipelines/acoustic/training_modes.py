"""What a mode of training needs from its surroundings: torch, Ray, torchrun, a GPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from recognizer.am.training.engine.options import TrainingOptions
from recognizer.data.errors import SpeechError, UsageError


def require_torch() -> None:
    """Raises a `SpeechError` that says what to install where torch is missing."""
    if importlib.util.find_spec("torch") is None:
        raise SpeechError("training needs torch: pip install 'recognizer[train]'")


def check_mode(options: TrainingOptions) -> None:
    """Raises before any work where a mode of training or its device is not to be had."""
    require_torch()
    if options.mode == "ray" and importlib.util.find_spec("ray") is None:
        raise SpeechError("mode \"ray\" needs Ray: pip install 'recognizer[cluster]'")
    if options.device != "cpu":
        from recognizer.am.training.engine.runtime import training_device

        training_device(options)
    if options.mode == "ddp":
        from torch import distributed

        if not distributed.is_initialized():
            raise UsageError(
                'mode "ddp": expected to be started by torchrun, as recognizer train --help shows'
            )


@contextmanager
def training_group(options: TrainingOptions) -> Iterator[bool]:
    """While a network is trained in several synchronous processes; whether this one leads.

    In mode "ddp" all but one of them train along before this block and have nothing to do in it.
    In other modes there is one process.
    """
    if options.mode != "ddp":
        yield True
        return
    require_torch()
    from recognizer.am.training.parallel.ddp import follow, process_group

    with process_group(options) as leads:
        if not leads:
            follow()
        yield leads
