"""Graphs that sequence criteria are given: denominators, numerators, lattices."""
