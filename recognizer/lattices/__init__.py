"""Directories of lattices, and combination of those of several systems."""
