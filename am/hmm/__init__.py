"""Phones, HMM topology, transitions and Gaussian mixtures."""
