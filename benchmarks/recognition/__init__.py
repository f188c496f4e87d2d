"""The whole recogniser: word error rates and times, beside peers and under different options."""
