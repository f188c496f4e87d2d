"""Pronunciations of words from their letters, by an n-gram model of letters and phones."""
