"""Log mel filter banks, cepstra, deltas and their normalisation."""
