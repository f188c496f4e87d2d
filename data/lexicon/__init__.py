"""Pronunciation dictionaries, and pronunciations by spelling."""
