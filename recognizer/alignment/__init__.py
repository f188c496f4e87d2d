"""Forced alignment of corpora: flat start, by a model, from other programs."""
