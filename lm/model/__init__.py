"""Language models of every kind: queries, files, perplexity, pruning, interpolation."""
