"""Keyword search: an index over lattices, and words and phrases found in it."""
