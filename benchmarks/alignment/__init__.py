"""Forced alignment beside what is known of the speech."""
