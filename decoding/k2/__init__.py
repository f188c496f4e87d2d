"""The search by k2, an optional engine."""
