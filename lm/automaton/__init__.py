"""N-gram automata in mapped files."""
