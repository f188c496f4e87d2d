"""Punctuation and capital letters of recognised words, by a small recurrent tagger."""
