"""Word lattices: algorithms on them, formats, times."""
