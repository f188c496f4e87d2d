"""k2's search in the place of our own: an example of a first pass by another engine."""
