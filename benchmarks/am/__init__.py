"""Acoustic models beside torch."""
