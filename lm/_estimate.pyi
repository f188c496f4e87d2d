from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Discounts = Sequence[float]

class CancelledError(Exception): ...

class Progress:
    def __init__(self) -> None: ...
    @property
    def done(self) -> int: ...
    def cancel(self) -> None: ...

class Resources:
    def __init__(
        self, directory: str, memory_bytes: int, threads: int, progress: Progress
    ) -> None: ...

class Tokenizer:
    def __init__(self, token_path: str) -> None: ...
    def begin(self, name: str) -> None: ...
    def feed(self, piece: bytes) -> None: ...
    def end(self) -> None: ...
    def close(self) -> None: ...
    @property
    def num_tokens(self) -> int: ...
    @property
    def num_sentences(self) -> int: ...
    def counts(self) -> npt.NDArray[np.uint64]: ...
    def write_words(self, path: str) -> None: ...

def count_ngrams(
    token_path: str,
    ids: npt.NDArray[np.uint32],
    num_words: int,
    order: int,
    name: str,
    resources: Resources,
) -> list[str]: ...
def merge_counts(
    runs: Sequence[str], num_words: int, order: int, path: str, resources: Resources
) -> None: ...
def adjust_counts(
    runs: Sequence[str],
    order: int,
    continuation_counts: bool,
    cutoffs: Sequence[int],
    allowed: npt.NDArray[np.uint8],
    resources: Resources,
) -> tuple[list[list[str]], npt.NDArray[np.uint64], list[list[int]], list[int]]: ...
def compute_backoffs(
    num_words: int,
    discounts: Sequence[Discounts],
    runs: Sequence[Sequence[str]],
    resources: Resources,
) -> tuple[npt.NDArray[np.float32], list[list[str]]]: ...
def write_probabilities(
    discounts: Sequence[Discounts],
    runs: Sequence[Sequence[str]],
    unigram_backoffs: npt.NDArray[np.float32],
    backoff_runs: Sequence[Sequence[str]],
    model_ids: npt.NDArray[np.uint32],
    unigram_probs: npt.NDArray[np.float64],
    directory: str,
    resources: Resources,
) -> list[int]: ...
