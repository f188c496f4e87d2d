"""Kaldi's models and alignments."""
