"""Pieces of words as units of a language model."""
