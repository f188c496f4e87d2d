"""Level 1: n-gram counting, modified Kneser-Ney estimation, entropy pruning, ARPA files."""
