"""The phonetic decision tree: statistics, questions, growing, use."""
