"""ARPA files written from n-gram records, without holding the model."""

from __future__ import annotations

import gzip
import json
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from recognizer.data.errors import UsageError
from recognizer.data.io.files import replace_file
from recognizer.lm import _estimate
from recognizer.lm.arpa.source import RECORDS_SUMMARY, RECORDS_VOCABULARY
from recognizer.lm.estimation.steps import Progress, no_progress

_RECORDS_PER_BLOCK = 1 << 15
_GZIP_LEVEL = 6


def write_arpa_of_records(
    records: Path,
    output: str | os.PathLike[str],
    *,
    decimals: int = 6,
    threads: int = 1,
    progress: Progress = no_progress,
) -> None:
    """Write an ARPA file, whole or not at all; gzipped if its name ends in `.gz`.

    The n-grams keep the order of the records. A gzipped file has a member for each block of lines,
    which threads pack side by side; the same records give the same bytes.

    Args:
        records: the directory (see `recognizer.lm.arpa.source`).
        output: the file.
        decimals: digits after the point of log10 probabilities and back-offs, 1 to 9.
        threads: that format and pack.
        progress: told of n-grams.

    Raises:
        SpeechError: the file cannot be written.
    """
    if not 1 <= decimals <= 9:
        raise UsageError(f"decimals of an ARPA file: expected 1 to 9, found {decimals}")
    counts = json.loads((records / RECORDS_SUMMARY).read_text(encoding="utf-8"))["counts"]
    words = _estimate.WordList(os.fspath(records / RECORDS_VOCABULARY))
    packed = os.fspath(output).endswith(".gz")

    def pack(text: bytes) -> bytes:
        return gzip.compress(text, _GZIP_LEVEL, mtime=0) if packed else text

    def block(order: int, first: int) -> bytes:
        path = os.fspath(records / f"{order}.records")
        highest = order == len(counts)
        return pack(
            _estimate.format_ngrams(
                path, order, highest, words, first, _RECORDS_PER_BLOCK, decimals
            )
        )

    def parts(pool: ThreadPoolExecutor) -> Iterator[bytes]:
        header = "".join(f"ngram {order}={count}\n" for order, count in enumerate(counts, start=1))
        yield pack(f"\\data\\\n{header}".encode())
        for order, count in enumerate(counts, start=1):
            yield pack(f"\n\\{order}-grams:\n".encode())
            pending: deque[Future[bytes]] = deque()
            for first in range(0, count, _RECORDS_PER_BLOCK):
                pending.append(pool.submit(block, order, first))
                if len(pending) > 2 * threads:
                    yield pending.popleft().result()
                progress("writing", min(_RECORDS_PER_BLOCK, count - first), sum(counts))
            while pending:
                yield pending.popleft().result()
        yield pack(b"\n\\end\\\n")

    with (
        replace_file(output) as temporary,
        temporary.open("wb", buffering=0) as stream,
        ThreadPoolExecutor(threads) as pool,
    ):
        for part in parts(pool):
            view = memoryview(part)
            while view:
                view = view[stream.write(view) :]
