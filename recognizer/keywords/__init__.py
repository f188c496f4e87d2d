"""Keyword search in recordings: indexes of corpora, decisions, term-weighted values."""
