"""Where tests find the checkout, made files and programs."""

from __future__ import annotations

from pathlib import Path

HELPERS = Path(__file__).resolve().parent
ROOT = HELPERS.parents[1]
FIXTURES = HELPERS.parent / "fixtures"
KALDI = FIXTURES / "kaldi"
"""A Kaldi model and its description, written by Kaldi itself."""
