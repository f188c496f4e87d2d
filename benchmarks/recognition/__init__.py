"""Word error rates of the whole recogniser under different options."""
