"""Readable transcripts: punctuation, capital letters, and numbers in digits."""
