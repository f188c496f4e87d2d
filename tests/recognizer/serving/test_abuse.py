"""Connections that send garbage, leave in the middle, stall or do not read leave nothing behind."""

from __future__ import annotations

from pathlib import Path

from benchmarks.serving.__main__ import abused


def test_nothing_stays_of_connections_that_abuse_the_server(toy_model: Path):
    """As ``python -m benchmarks.serving --abuse``, which measures it with a thousand at a time."""
    found = abused(["--model", str(toy_model)], connections=60, rounds=2, seed=0)
    assert found["lines"] == []  # none of it is a fault of the server's
    for row in found["rounds"]:
        assert row["left_open"] == 0
        assert row["open_files_after"] == found["open_files_before"]
    assert found["rounds"][1]["memory_mb_after"] < found["rounds"][0]["memory_mb_peak"] + 5.0
