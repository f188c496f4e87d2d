"""Commands about lattices, by name of their modules."""
