"""Estimation of language models from text."""
