"""Corpora: recordings, transcripts, speakers."""
