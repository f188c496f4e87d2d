"""The machines of a Ray cluster, for the time of a block."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from recognizer.data.errors import SpeechError, UsageError


@contextmanager
def ray_cluster(address: str = "", processors: int | None = None) -> Iterator[Any]:
    """Connect to a Ray cluster, or start one of this machine; yields the module `ray`.

    What is connected already stays so, with its own address.

    Args:
        address: of a running cluster's head, or "auto" for the cluster that this machine belongs
            to; "": a cluster of this machine alone, which ends with the block.
        processors: of that one; None: all that the machine has.

    Raises:
        UsageError: Ray is not installed.
        SpeechError: there is no such cluster.
    """
    try:
        import ray
    except ImportError:
        raise UsageError("a cluster needs Ray: pip install 'recognizer[cluster]'") from None
    if ray.is_initialized():
        yield ray
        return
    try:
        if address:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                num_cpus=processors,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        found = str(error).strip().splitlines()[0]
        raise SpeechError(f"Ray at {address or 'this machine'}: cannot connect: {found}") from None
    try:
        yield ray
    finally:
        ray.shutdown()
