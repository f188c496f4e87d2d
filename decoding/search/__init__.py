"""Beam search, over a static graph or with the language model on the fly."""
