"""Counting on a cluster of this machine."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_models import FALLBACK, text
from recognizer.data.errors import SpeechError, UsageError
from recognizer.lm.estimation.cluster import CountingCluster, split_texts
from recognizer.lm.estimation.estimate import EstimateOptions, FileOptions, estimate_ngrams_of_files

OPTIONS = EstimateOptions(order=4, discount_fallback=FALLBACK)
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

LINES = st.lists(st.sampled_from(["", "a", "a b", "b\r", f"{MARK}c", "ä ö ü"]), min_size=1)


@given(lines=LINES, ends=st.booleans(), parts=st.integers(1, 9))
def test_parts_are_whole_lines_of_the_whole_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ends: bool, parts: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines.txt"
    path.write_bytes(("\n".join(lines) + ("\n" if ends else "")).encode())
    blocks = [b"".join(part.blocks()) for part in split_texts([path], parts)]
    assert b"".join(blocks) == path.read_bytes()
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert not any(block.startswith(MARK.encode()) for block in blocks[1:])
    assert len(blocks) <= parts


@pytest.fixture
def texts(tmp_path: Path) -> list[Path]:
    lines = text()
    plain, packed, last = (tmp_path / name for name in ("a.txt", "b.txt.gz", "c.txt"))
    third = len(lines) // 3
    plain.write_text("\n".join(lines[:third]) + "\n")
    with gzip.open(packed, "wt") as stream:
        stream.write("\n".join(lines[third : 2 * third]))  # no line feed at its end
    last.write_text("\n".join(lines[2 * third :]))
    return [plain, packed, last]


@pytest.mark.parametrize(("workers", "min_count"), [(2, None), (6, 3)])
def test_workers_give_the_model_of_one_machine(
    cluster: None, texts: list[Path], tmp_path: Path, workers: int, min_count: int | None
) -> None:
    one, many = tmp_path / "one.arpa", tmp_path / "many.arpa"
    alone = estimate_ngrams_of_files(texts, one, OPTIONS, min_count=min_count)
    files = FileOptions(cluster=CountingCluster(parts=workers))
    assert len(split_texts(texts, workers)) >= workers
    assert estimate_ngrams_of_files(texts, many, OPTIONS, min_count=min_count, files=files) == alone
    assert one.read_bytes() == many.read_bytes()


def test_wrong_text_is_named_by_its_file_and_line(
    cluster: None, texts: list[Path], tmp_path: Path
) -> None:
    texts[2].write_bytes(b"good\nbad \xff\n")
    output = tmp_path / "model.arpa"
    files = FileOptions(cluster=CountingCluster(parts=2))
    with pytest.raises(SpeechError, match=rf"{texts[2]}:2: expected UTF-8 text, found") as caught:
        estimate_ngrams_of_files(texts, output, OPTIONS, files=files)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*model.arpa*"))


def test_standard_input_stays_on_one_machine() -> None:
    with pytest.raises(UsageError, match="standard input cannot be read by a cluster"):
        split_texts(["-"], 2)
    with pytest.raises(UsageError, match="parts: expected at least 1"):
        CountingCluster(parts=0)
