"""Level 2: decoding graphs, beam search, lattices, rescoring and forced alignment."""
