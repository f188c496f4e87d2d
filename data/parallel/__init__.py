"""Threads, processes and clusters."""
