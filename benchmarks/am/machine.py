"""Turns of contestants, and what the machine itself can do."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Step = Callable[[], object]

# Sizes of the recurrent weights of 2x800/512 in float32 and int8.
FOOTPRINTS = {"float32": 16_400_000, "int8": 4_100_000}


def take_turns(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Least seconds of each contestant over alternating rounds, after a round to warm up."""
    best = dict.fromkeys(steps, float("inf"))
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            best[name] = min(best[name], time.perf_counter() - started)
    return best


@dataclass(frozen=True)
class Machine:
    """Limits of a number of threads.

    Attributes:
        threads: so many.
        bandwidth: bytes/s that they read together, from as many bytes as the recurrent weights of
            2x800/512 have, over and over, by precision.
        products: multiplications and additions in a second, of a float32 product of matrices.
    """

    threads: int
    bandwidth: dict[str, float]
    products: float

    @classmethod
    def measure(cls, threads: int) -> Machine:
        """Measure; takes a second or two."""
        bandwidth = {name: _bandwidth(threads, size) for name, size in FOOTPRINTS.items()}
        torch.set_num_threads(threads)
        a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
        seconds = take_turns({"product": lambda: torch.mm(a, b)}, 50)["product"]
        return cls(threads, bandwidth, 2 * 1024**3 / seconds)

    def row(self) -> dict[str, Any]:
        """For the file."""
        return {
            "part": "machine",
            "threads": self.threads,
            "products_gflops": round(self.products / 1e9, 1),
        } | {
            f"bandwidth_{name}_gb_per_s": round(value / 1e9, 1)
            for name, value in self.bandwidth.items()
        }

    def __str__(self) -> str:
        read = ", ".join(
            f"{value / 1e9:.0f} GB/s of {FOOTPRINTS[name] / 1e6:.1f} MB"
            for name, value in self.bandwidth.items()
        )
        return f"{self.threads} threads: read {read}; products {self.products / 1e9:.0f} GFLOP/s"


def _bandwidth(threads: int, size: int, repeats: int = 200) -> float:
    """Bytes/s of threads that each read their share over and over (numpy's product of vectors)."""
    shares = [np.ones(size // threads // 4, dtype=np.float32) for _ in range(threads)]

    def read(share: Any) -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            np.dot(share, share)
        return time.perf_counter() - started

    with ThreadPoolExecutor(threads) as pool:
        seconds = min(max(pool.map(read, shares)) for _ in range(5))
    return repeats * sum(share.nbytes for share in shares) / seconds
