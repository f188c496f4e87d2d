"""Transcripts of untranscribed speech, to train on: who makes them, and which of them to keep."""
