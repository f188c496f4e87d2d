"""Recordings of any length, in bounded memory."""
