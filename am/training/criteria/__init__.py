"""Criteria: what a network is trained to minimise, and the targets that they compare it with."""
