"""Back-off n-gram models as arrays."""
