"""Acoustic models in stages: features, labels, tree, network; by one process or by many."""
