"""Rescoring of lattices with language models."""
