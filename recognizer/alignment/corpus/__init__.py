"""Corpora aligned with their transcripts: aligners, files, quality, and what to check first."""
